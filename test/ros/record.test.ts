/** `depthgrad record` on what rclpy publishes; its files read by rosbags, by mcap-ros2-support and by us. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openBag } from '../../src/media/bag/bag';
import { filledUp, readByMcapRos2, readByRosbags, type BagRow } from '../support/bagReaders';
import { Program } from '../support/program';
import { PATIENCE, Peer, ROOT, rosEnvironment } from '../support/ros';

const CLI = 'src/cli.js';
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-record-'));
let peer: Peer | undefined;
let recorder: Program | undefined;
let foreign: ChildProcess | undefined;
afterEach(async () => {
  recorder?.signal('SIGKILL');
  foreign?.kill('SIGKILL');
  await peer?.close();
  peer = recorder = foreign = undefined;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Published {
  topic: string;
  raw: string;
  /** When, seconds since 1970. */
  at: number;
}

const TYPES: Record<string, string> = {
  '/cam/image_raw': 'sensor_msgs/msg/Image',
  '/cam/camera_info': 'sensor_msgs/msg/CameraInfo',
  '/imu': 'sensor_msgs/msg/Imu',
  '/odom': 'nav_msgs/msg/Odometry',
  '/diagnostics': 'diagnostic_msgs/msg/DiagnosticArray',
  '/depth_node/ego_motion': 'depthgrad/msg/EgoMotion',
};
const TOPICS = Object.keys(TYPES);

function startPeer(env: NodeJS.ProcessEnv, topics = TOPICS, role = 'pub'): Peer {
  return new Peer(
    topics.map((topic) => `${topic}=${TYPES[topic]}:${role}`),
    env,
  );
}

async function publish(count: number, topics = TOPICS, rate = 200): Promise<Published[]> {
  return (await peer!.command('samples', { topics, count, rate })).rows as Published[];
}

/** Lets the middleware deliver what was published. */
const delivered = (): Promise<void> => sleep(500 * PATIENCE);

const ofTopic = (rows: readonly { topic: string; raw: string }[], topic: string): string[] =>
  rows.filter((row) => row.topic === topic).map(({ raw }) => filledUp(raw));

async function readByUs(path: string): Promise<{ rows: BagRow[]; caveats: string[] }> {
  const bag = await openBag(path);
  const rows: BagRow[] = [];
  for await (const { topic, receivedNs, cdr } of bag.messages(bag.topics.map(({ name }) => name)))
    rows.push({ topic, type: '', ns: `${receivedNs}`, raw: Buffer.from(cdr).toString('base64') });
  await bag.close();
  return { rows, caveats: bag.caveats.map(({ message }) => message) };
}

test.each(['zstd', 'none'])(
  '%s: rosbags and mcap-ros2-support read what rclpy published, message for message',
  async (compression) => {
    const env = rosEnvironment();
    const path = join(folder, `${compression}.mcap`);
    recorder = new Program(CLI, ['record', '--compression', compression, '--topics', ...TOPICS, path], env);
    peer = startPeer(env);
    await peer.matched();
    const before = Date.now() * 1e6;
    const published = await publish(20);
    await delivered();
    recorder.signal('SIGINT');
    const { code, output, errors } = await recorder.ended;
    expect({ code, errors }).toEqual({ code: 0, errors: expect.stringContaining('Ctrl-C ends it') });
    expect(output).toMatch(/120 messages of 6 topics, \d\.\d MB in \d+\.\d s/);

    const { rows, offers } = readByRosbags(path);
    const mcapRos2 = readByMcapRos2(path);
    const ours = await readByUs(path);
    expect(ours.caveats).toEqual([]);
    for (const topic of TOPICS) {
      const raws = ofTopic(published, topic);
      expect(ofTopic(rows, topic)).toEqual(raws);
      expect(ofTopic(mcapRos2, topic)).toEqual(raws);
      expect(ofTopic(ours.rows, topic)).toEqual(raws);
      expect(offers.get(topic)).toEqual([['RELIABLE', 'VOLATILE', 'UNKNOWN', 0]]);
    }
    const decoded = (from: BagRow[]) => from.map(({ topic, type, ns, fields }) => ({ topic, type, ns, fields }));
    expect(decoded(mcapRos2)).toEqual(decoded(rows));
    for (const { topic, type, ns } of rows) {
      expect(type).toBe(TYPES[topic]);
      expect(Number(ns)).toBeGreaterThan(before);
      expect(Number(ns)).toBeLessThan(Date.now() * 1e6);
    }
  },
);

test('latched messages, a best-effort driver, a topic that comes late, one that never does, one of no known type', async () => {
  const env = rosEnvironment();
  const path = join(folder, 'offers.mcap');
  peer = startPeer(env, ['/odom'], 'latched_pub');
  const [latched] = await publish(1, ['/odom']);
  recorder = new Program(CLI, ['record', path, '--topics', '/odom', 'late', '/never'], env);
  await peer.matched();
  await peer.command('advertise', { topic: '/late', type: 'sensor_msgs/msg/Imu', reliability: 'BEST_EFFORT' });
  await peer.matched();
  const late = await publish(5, ['/late'], 20);
  await delivered();
  recorder.signal('SIGTERM');
  const { code, errors } = await recorder.ended;
  expect(code).toBe(0);
  expect(errors).toContain('record: nothing came on /never');
  expect(errors).not.toContain('/late');
  const { rows, offers } = readByRosbags(path);
  expect(ofTopic(rows, '/odom')).toEqual([filledUp(latched.raw)]);
  expect(ofTopic(rows, '/late').length).toBeGreaterThan(2);
  expect(ofTopic(late, '/late')).toEqual(expect.arrayContaining(ofTopic(rows, '/late')));
  expect(Object.fromEntries(offers)).toEqual({
    '/odom': [['RELIABLE', 'TRANSIENT_LOCAL', 'UNKNOWN', 0]],
    '/late': [['BEST_EFFORT', 'VOLATILE', 'UNKNOWN', 0]],
  });
});

test('a best-effort publisher beside a reliable one is heard, too', async () => {
  const env = rosEnvironment();
  const path = join(folder, 'mixed.mcap');
  recorder = new Program(CLI, ['record', '--all', path], env);
  peer = startPeer(env, ['/imu']);
  await peer.matched();
  const other = startPeer(env, ['/imu'], 'best_effort_pub');
  await other.matched();
  await sleep(1000 * PATIENCE); // until the recorder has seen it and asks for less
  const { rows: published } = await other.command('samples', { topics: ['/imu'], count: 20, rate: 50, seed: 9 });
  await delivered();
  await other.close();
  recorder.signal('SIGINT');
  expect((await recorder.ended).code).toBe(0);
  const found = ofTopic(readByRosbags(path).rows, '/imu');
  expect(found.length).toBeGreaterThan(15);
  expect(ofTopic(published as Published[], '/imu')).toEqual(expect.arrayContaining(found));
});

test('a publisher that comes before the first message is in what was offered', async () => {
  const env = rosEnvironment();
  const path = join(folder, 'second_offer.mcap');
  recorder = new Program(CLI, ['record', '--topics', '/odom', path], env);
  peer = startPeer(env, ['/odom']);
  await peer.matched();
  const other = startPeer(env, ['/odom'], 'latched_pub');
  await other.matched();
  await sleep(1000 * PATIENCE); // until the recorder has seen it
  await publish(3, ['/odom']);
  await delivered();
  await other.close();
  recorder.signal('SIGINT');
  expect((await recorder.ended).code).toBe(0);
  const { rows, offers } = readByRosbags(path);
  expect(rows).toHaveLength(3);
  expect(
    offers
      .get('/odom')!
      .map(([reliability, durability]) => [reliability, durability])
      .sort(),
  ).toEqual([
    ['RELIABLE', 'TRANSIENT_LOCAL'],
    ['RELIABLE', 'VOLATILE'],
  ]);
});

test('a topic of DDS alone, under a name that is none in ROS, is left out and ends nothing', async () => {
  const env = rosEnvironment();
  const path = join(folder, 'foreign.mcap');
  const script = join(ROOT, 'test', 'support', 'foreignPublisher.py');
  foreign = spawn(env.DEPTHGRAD_PYTHON!, [script, 'rt/front-camera'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  await once(foreign.stdout!, 'data');
  recorder = new Program(CLI, ['record', '--all', path], env);
  const seen = (): boolean => /\/front-camera is left out/.test(recorder!.errors);
  while (!seen() && (await Promise.race([recorder.ended, sleep(50)])) === undefined);
  peer = startPeer(env, ['/odom']);
  await peer.matched();
  const published = await publish(5, ['/odom']);
  await delivered();
  recorder.signal('SIGINT');
  const { code, errors } = await recorder.ended;
  expect(code).toBe(0);
  expect(errors.match(/front-camera/g)).toHaveLength(1);
  expect(errors).toContain('record: /front-camera is left out: its publishers cannot be asked for');
  expect(ofTopic(readByRosbags(path).rows, '/odom')).toEqual(ofTopic(published, '/odom'));
});

test('killed while recording: all readers read everything up to the last second', async () => {
  const env = rosEnvironment();
  const path = join(folder, 'killed.mcap');
  recorder = new Program(CLI, ['record', '--topics', '/odom', '/imu', path], env);
  peer = startPeer(env, ['/odom', '/imu']);
  await peer.matched();
  const publishing = publish(200, ['/odom', '/imu'], 100);
  await sleep(3000);
  recorder.signal('SIGKILL');
  const killed = Date.now() / 1000;
  await recorder.ended;
  const published = await publishing;
  const { rows } = readByRosbags(path);
  const ours = await readByUs(path);
  expect(ours.caveats).toEqual([expect.stringContaining(`${path}: has no index`)]);
  expect(ours.rows.map(({ topic, ns, raw }) => [topic, ns, raw])).toEqual(
    rows.map(({ topic, ns, raw }) => [topic, ns, raw]),
  );
  expect(readByMcapRos2(path)).toHaveLength(rows.length);
  for (const topic of ['/odom', '/imu']) {
    const [found, all] = [ofTopic(rows, topic), ofTopic(published, topic)];
    expect(found).toEqual(all.slice(0, found.length));
    const flushed = published.filter((one) => one.topic === topic && one.at < killed - 1.2 * PATIENCE).length;
    expect(found.length).toBeGreaterThanOrEqual(flushed);
    expect(found.length).toBeLessThan(all.length);
  }
});

test('limits of time and size end it by themselves', async () => {
  const env = rosEnvironment();
  const path = join(folder, 'limits.mcap');
  recorder = new Program(CLI, ['record', '--all', '--duration', '1.5', path], env);
  expect((await recorder.ended).code).toBe(0);
  expect(existsSync(path)).toBe(true);
  const options = ['--force', '--max-size', '0.05', '--compression', 'none'];
  recorder = new Program(CLI, ['record', '--topics', '/odom', path, ...options], env);
  peer = startPeer(env, ['/odom']);
  await peer.matched();
  const publishing = publish(1000, ['/odom'], 400);
  expect((await recorder.ended).code).toBe(0);
  await publishing;
  expect(statSync(path).size).toBeGreaterThan(50_000);
  expect(readByRosbags(path).rows.length).toBeGreaterThan(50);
});

/** In a mount namespace of its own, which needs no root where the kernel allows user namespaces. */
const IN_NAMESPACE = ['unshare', '--map-root-user', '--mount'];
const mountable =
  spawnSync(IN_NAMESPACE[0], [...IN_NAMESPACE.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
if (!mountable) console.log('no user namespaces here: the full disk is left out');
(mountable ? test : test.skip)('a full disk: a clear error, and the file up to there can be read', async () => {
  const env = rosEnvironment();
  const small = join(folder, 'small');
  mkdirSync(small);
  const script =
    'folder=$1; shift; mount -t tmpfs -o size=160k none "$folder"; "$@"; code=$?; cp "$folder/full.mcap" "$folder/../full.mcap"; exit $code';
  const wrapper = [...IN_NAMESPACE, 'bash', '-c', script, 'bash', small];
  const args = ['record', '--compression', 'none', '--topics', '/odom', join(small, 'full.mcap')];
  recorder = new Program(CLI, args, env, wrapper);
  peer = startPeer(env, ['/odom']);
  await peer.matched();
  const publishing = publish(1500, ['/odom'], 300);
  const { code, errors } = await recorder.ended;
  expect(code).toBe(1);
  expect(errors).toMatch(/record: \S+full\.mcap: the disk is full \(ENOSPC\); what was recorded before can be read/);
  const published = await publishing;
  const { rows } = readByRosbags(join(folder, 'full.mcap'));
  expect(rows.length).toBeGreaterThan(50);
  expect(ofTopic(rows, '/odom')).toEqual(ofTopic(published, '/odom').slice(0, rows.length));
});

test.each([
  ['a file that is there', ['--topics', '/a', 'there.mcap'], /there\.mcap: is there already; --force writes over it/],
  ['no file', ['--topics', '/a', '/b'], /name the file last, FILE\.mcap/],
  ['no topics', ['nothing.mcap'], /give --topics with the topics, or --all/],
  ['both', ['--all', '--topics', '/a', 'both.mcap'], /give --topics with the topics, or --all/],
  ['a time below 0', ['--duration', '-1', '--all', 'a.mcap'], /it must be a number above 0/],
  ['a time beyond timers', ['--duration', '3e6', '--all', 'a.mcap'], /at most 2147483 \(24 days\)/],
  ['a time without an end', ['--duration', 'Infinity', '--all', 'a.mcap'], /it must be a number above 0/],
  ['no folder', ['--all', 'no/folder.mcap'], /folder\.mcap: cannot be written \(ENOENT\)/],
])('%s is refused', async (_, args, message) => {
  writeFileSync(join(folder, 'there.mcap'), 'mine');
  const inFolder = args.map((arg) => (arg.endsWith('.mcap') ? join(folder, arg) : arg));
  const { code, errors } = await new Program(CLI, ['record', ...inFolder]).ended;
  expect(code).toBe(1);
  expect(errors).toMatch(message);
});
