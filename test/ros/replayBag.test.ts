/** replay_node with ROS 2 bags that rosbags wrote, received by rclpy as bytes; through depth_node; and back into a bag. */
import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { McapFileWriter } from '../../src/media/bag/mcapWriter';
import { filledUp, readByRosbags, writeByRosbags, type BagRow } from '../support/bagReaders';
import {
  cdr,
  damageSqliteMessage,
  makeBagFolder,
  staticTransformsMessage,
  twistMessage,
  writeMcap,
} from '../support/bagWriter';
import { Program } from '../support/program';
import { NodeProcess, PATIENCE, Peer, ROOT, rosEnvironment, type PeerMessage } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-replay-bag-'));
const mcap = join(folder, 'mcap');
const sqlite3 = join(folder, 'sqlite3');
let rows: BagRow[];

beforeAll(() => {
  rows = writeByRosbags(mcap, 'mcap');
  writeByRosbags(sqlite3, 'sqlite3');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const processes: NodeProcess[] = [];
let peer: Peer;
let recorder: Program | undefined;
afterEach(async () => {
  for (const node of processes.splice(0)) await node.kill();
  recorder?.signal('SIGKILL');
  await peer?.close();
});

function replay(source: string, parameters: Record<string, string>, env: NodeJS.ProcessEnv, remaps: string[] = []) {
  const given = Object.entries({ source, ...parameters }).flatMap(([name, value]) => ['-p', `${name}:=${value}`]);
  const node = new NodeProcess('replayNode', [...given, ...remaps.flatMap((remap) => ['-r', remap])], env);
  processes.push(node);
  return node;
}

const SUBSCRIPTIONS = [
  '/imu=sensor_msgs/msg/Imu:raw_sub',
  '/note=std_msgs/msg/String:raw_sub',
  '/tf_static=tf2_msgs/msg/TFMessage:raw_latched_sub',
  '/front/camera_info=sensor_msgs/msg/CameraInfo:raw_sub',
  '/front/image_raw=sensor_msgs/msg/Image:raw_best_effort_sub',
];
const recorded = (topic: string): string[] => rows.filter((row) => row.topic === topic).map(({ raw }) => filledUp(raw));
const played = (topic: string): string[] => peer.received(topic).map(({ raw }) => raw as string);

/** The first `count` messages on a topic. */
async function take(topic: string, count: number): Promise<PeerMessage[]> {
  const messages: PeerMessage[] = [];
  while (messages.length < count) messages.push(await peer.message(topic));
  return messages;
}

test.each(['mcap', 'sqlite3', 'one file'])(
  '%s: every byte of every installed type, in time, then it ends',
  async (kind) => {
    const source = kind === 'one file' ? join(sqlite3, 'sqlite3.db3') : join(folder, kind);
    const env = rosEnvironment();
    peer = new Peer(SUBSCRIPTIONS, env);
    const node = replay(source, {}, env);
    const imu = await take('/imu', 50);
    expect(await node.exitCode()).toBe(0);
    expect(imu.map(({ raw }) => raw)).toEqual(recorded('/imu'));
    const late = imu.map(({ at }, i) => (at as number) - (imu[0].at as number) - i * 0.01);
    expect(Math.max(...late.map(Math.abs))).toBeLessThan(0.08 * PATIENCE);
    for (const topic of ['/note', '/tf_static', '/front/camera_info']) expect(played(topic)).toEqual(recorded(topic));
    const images = played('/front/image_raw');
    expect(images.length).toBeGreaterThan(7); // best effort, as its recorded offer
    expect(recorded('/front/image_raw')).toEqual(expect.arrayContaining(images));
    expect(node.count(/left out/)).toBe(1);
    expect(node.output).toContain('types that are not installed here: /odd (nowhere_msgs/Thing)');
    expect(node.output).toMatch(/end of \S+ after 76 messages/);
  },
);

test('topics, start, rate, loop and /clock; what was latched before the start is there', async () => {
  const env = rosEnvironment();
  const subscriptions = [...SUBSCRIPTIONS.slice(0, 3), '/clock=rosgraph_msgs/msg/Clock:raw_sub'];
  peer = new Peer(subscriptions, env);
  const parameters = { topics: '"imu, /tf_static"', start: '0.25', rate: '0.5', loop: 'true', clock: '50.0' };
  const node = replay(mcap, parameters, env);
  const imu = await take('/imu', 60);
  const { code } = await node.end('SIGINT');
  expect(code).toBe(0);
  const expected = recorded('/imu').slice(25);
  expect(imu.map(({ raw }) => raw)).toEqual([...expected, ...expected, ...expected].slice(0, 60));
  const pass = (imu[24].at as number) - (imu[0].at as number);
  expect(pass).toBeGreaterThan(0.46);
  expect(pass).toBeLessThan(0.48 + 0.3 * PATIENCE);
  expect(played('/tf_static')[0]).toBe(recorded('/tf_static')[0]);
  expect(played('/note')).toEqual([]);

  const times = played('/clock').map((raw) => {
    const bytes = Buffer.from(raw, 'base64');
    return bytes.readInt32LE(4) - 1_700_000_000 + bytes.readUInt32LE(8) / 1e9;
  });
  expect(Math.min(...times)).toBeGreaterThanOrEqual(0.25);
  expect(Math.max(...times)).toBeLessThan(0.4901);
  const back = times.flatMap((time, i) => (i > 0 && time < times[i - 1] ? i : []));
  expect(back.length).toBeGreaterThanOrEqual(2); // once a loop
  // .48 s and the turn's .1 s at 50 Hz
  expect(back[1] - back[0]).toBeGreaterThan(29 / (1 + PATIENCE));
  expect(back[1] - back[0]).toBeLessThan(35);
});

test.each([
  ['one moment', [100, 100, 100], 100],
  ['half a second between its messages', [100, 100.5, 101], 500],
])('a loop over a bag of %s waits before it begins again', async (_, seconds, turnMs) => {
  const path = join(folder, 'turn.mcap');
  const messages = seconds.map((at, i) => twistMessage('/speed', at, i));
  await writeMcap(path, messages);
  const env = rosEnvironment();
  peer = new Peer(['/speed=geometry_msgs/msg/TwistStamped:raw_sub'], env);
  replay(path, { loop: 'true' }, env);
  const found = await take('/speed', 9);
  expect(found.map(({ raw }) => raw)).toEqual(
    [...messages, ...messages, ...messages].map((message) => Buffer.from(cdr(message)).toString('base64')),
  );
  const at = found.map(({ at }) => (at as number) * 1000);
  for (const first of [3, 6]) {
    expect(at[first] - at[first - 1]).toBeGreaterThan(turnMs * 0.8);
    expect(at[first] - at[first - 1]).toBeLessThan(turnMs + 300 * PATIENCE);
  }
});

test('into depth_node under other names: depth with the recorded stamps', async () => {
  const env = rosEnvironment();
  const model = join(folder, 'tiny.onnx');
  writeFileSync(model, tinyModel({ width: 96, height: 64 }));
  peer = new Peer(['/depth_node/depth=Image:sub', '/depth_node/camera_info=CameraInfo:sub'], env);
  const depthNode = new NodeProcess('depthNode', ['-p', `model:=${model}`, '-r', 'image:=/cam/image'], env);
  processes.push(depthNode);
  await depthNode.logged(/ready/);
  await peer.matched();
  replay(mcap, { rate: '0.5' }, env, ['/front/image_raw:=/cam/image', '/front/camera_info:=/cam/camera_info']);
  const stamps = recorded('/front/image_raw').map((raw) => {
    const bytes = Buffer.from(raw, 'base64');
    return `${bytes.readInt32LE(4)},${bytes.readUInt32LE(8)}`;
  });
  expect(stamps[0]).toBe('1699999000,0');
  const depths = await take('/depth_node/depth', 7);
  for (const { stamp, frameId, width } of depths) {
    expect(stamps).toContain(`${stamp}`);
    expect({ frameId, width }).toEqual({ frameId: 'front_optical', width: 96 });
  }
  const info = await peer.message('/depth_node/camera_info');
  expect((info.k as number[])[0]).toBe(90);
});

test('played and recorded again: the same bytes', async () => {
  const env = rosEnvironment();
  const path = join(folder, 'again.mcap');
  const topics = ['/imu', '/note', '/tf_static', '/front/camera_info'];
  recorder = new Program('src/cli.js', ['record', '--topics', ...topics, path], env);
  peer = new Peer([], env);
  const node = replay(sqlite3, { topics: topics.join(',') }, env);
  expect(await node.exitCode()).toBe(0);
  recorder.signal('SIGINT');
  expect((await recorder.ended).code).toBe(0);
  const again = readByRosbags(path);
  for (const topic of topics)
    expect(again.rows.filter((row) => row.topic === topic).map(({ raw }) => raw)).toEqual(recorded(topic));
  expect(again.offers.get('/tf_static')).toEqual([['RELIABLE', 'TRANSIENT_LOCAL', 'UNKNOWN', 0]]);
});

test('a bag that begins in 1970, until the clock was set: played in its pace, /clock follows, one warning', async () => {
  const path = join(folder, 'clock_set.mcap');
  const NOW = 1_700_000_000;
  const seconds = [5, 5.2, ...Array.from({ length: 10 }, (_, i) => NOW + i * 0.1)];
  await writeMcap(
    path,
    seconds.map((at) => twistMessage('/speed', at, 1)),
  );
  const env = rosEnvironment();
  peer = new Peer(['/speed=geometry_msgs/msg/TwistStamped:raw_sub', '/clock=rosgraph_msgs/msg/Clock:raw_sub'], env);
  const node = replay(path, { clock: '20.0' }, env);
  expect(await node.exitCode()).toBe(0);
  const times = peer.received('/speed').map(({ at }) => at as number);
  expect(times).toHaveLength(seconds.length);
  expect(times[11] - times[2]).toBeGreaterThan(0.8);
  const clock = played('/clock').map((raw) => Buffer.from(raw, 'base64').readInt32LE(4));
  expect(clock.filter((sec) => sec >= NOW).length).toBeGreaterThan(10 / PATIENCE);
  expect(node.count(/clock_set\.mcap: 19675\.\d days without a message are skipped/)).toBe(1);
});

test('a bag with times that are none in ROS is played to its end; /clock leaves them out', async () => {
  const path = join(folder, 'absurd.mcap');
  const seconds = Array.from({ length: 20 }, (_, i) => (i < 10 ? 100 : 5e9) + i * 0.1);
  await writeMcap(
    path,
    seconds.map((at, i) => twistMessage('/speed', 100 + i * 0.1, 1, at)),
  );
  const env = rosEnvironment();
  peer = new Peer(['/speed=geometry_msgs/msg/TwistStamped:raw_sub', '/clock=rosgraph_msgs/msg/Clock:raw_sub'], env);
  const node = replay(path, { clock: '20.0' }, env);
  expect(await node.exitCode()).toBe(0);
  expect(played('/speed')).toHaveLength(seconds.length);
  const clock = played('/clock').map((raw) => Buffer.from(raw, 'base64').readInt32LE(4));
  expect(clock.length).toBeGreaterThan(10 / PATIENCE);
  expect(clock.every((sec) => sec === 100 || sec === 101)).toBe(true);
  expect(node.count(/\/clock: no time in ROS is 500000000\d s from 1970/)).toBe(1);
});

test('a dozen latched transforms of our own recording reach whoever comes later, all of them', async () => {
  const path = join(folder, 'latched.mcap');
  const writer = await McapFileWriter.create(path, { compression: 'none', overwrite: false });
  const offer = [{ reliable: true, transientLocal: true, depth: 0 }]; // one publisher found, of unknown depth
  const transforms = writer.addChannel('/tf_static', { type: 'tf2_msgs/msg/TFMessage', definition: '' }, offer);
  const speed = writer.addChannel('/speed', { type: 'geometry_msgs/msg/TwistStamped', definition: '' }, []);
  const mounts = Array.from({ length: 12 }, (_, i) =>
    staticTransformsMessage(100, [['base_link', `sensor_${i}`, [i, 0, 0], [0, 0, 0, 1]]]),
  );
  for (const mount of mounts) writer.add(transforms, mount.receivedNs, cdr(mount));
  for (let i = 0; i < 60; i++) writer.add(speed, BigInt(100 + i) * 1_000_000_000n, cdr(twistMessage('/speed', i, i)));
  await writer.close();
  const env = rosEnvironment();
  const node = replay(path, { wait_for_subscriber: 'false' }, env);
  await node.logged(/latched\.mcap: \/speed, \/tf_static/);
  await sleep(500 * PATIENCE);
  peer = new Peer(['/tf_static=tf2_msgs/msg/TFMessage:raw_latched_sub'], env);
  const late = await take('/tf_static', mounts.length);
  expect(late.map(({ raw }) => raw)).toEqual(
    mounts.map((mount) => filledUp(Buffer.from(cdr(mount)).toString('base64'))),
  );
});

describe('cut off:', () => {
  const whole = () => join(mcap, 'mcap.mcap');
  const cuts: [string, () => number, number][] = [
    ['in the last chunk', () => Math.round(statSync(whole()).size / 2), 10],
    ['in the index', () => statSync(whole()).size - 200, 50],
    ['by a byte', () => statSync(whole()).size - 1, 50],
  ];
  test.each(cuts)('%s: everything before it, and one warning that names the file', async (_, size, least) => {
    const path = join(folder, 'cut.mcap');
    copyFileSync(whole(), path);
    truncateSync(path, size());
    const env = rosEnvironment();
    peer = new Peer(SUBSCRIPTIONS, env);
    const node = replay(path, {}, env);
    expect(await node.exitCode()).toBe(0);
    const imu = played('/imu');
    expect(imu.length).toBeGreaterThanOrEqual(least);
    expect(imu).toEqual(recorded('/imu').slice(0, imu.length));
    expect(node.count(/cut\.mcap: the MCAP file ends/)).toBe(1);
  });

  test('a file of a split bag: the ones after it are played, too', async () => {
    const split = join(folder, 'split');
    makeBagFolder(split, ['split_0.mcap', 'split_1.mcap', 'split_2.mcap']);
    const speeds = Array.from({ length: 15 }, (_, i) => twistMessage('/speed', 100 + i / 20, i));
    for (const file of [0, 1, 2])
      await writeMcap(join(split, `split_${file}.mcap`), speeds.slice(5 * file, 5 * file + 5), { chunkSize: 150 });
    const middle = join(split, 'split_1.mcap');
    truncateSync(middle, Math.round(statSync(middle).size / 4));
    const env = rosEnvironment();
    peer = new Peer(['/speed=geometry_msgs/msg/TwistStamped:raw_sub'], env);
    const node = replay(split, {}, env);
    expect(await node.exitCode()).toBe(0);
    const all = speeds.map((message) => Buffer.from(cdr(message)).toString('base64'));
    const found = played('/speed').map((raw) => all.indexOf(raw));
    expect(found).toEqual(expect.arrayContaining([0, 1, 2, 3, 4, 10, 11, 12, 13, 14]));
    expect(found).not.toContain(9);
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(node.count(/split_1\.mcap: the MCAP file ends/)).toBe(1);
  });
});

test('damaged messages of a bag that compresses each are left out, counted, and one is named', async () => {
  const path = join(folder, 'messages.db3');
  copyFileSync(join(ROOT, 'test/fixtures/bags/sqlite3_message_zstd/sqlite3_message_zstd.db3'), path);
  damageSqliteMessage(path, '/odom', 1, 'inside');
  damageSqliteMessage(path, '/odom', 3, 'beginning');
  const env = rosEnvironment();
  peer = new Peer(['/odom=nav_msgs/msg/Odometry:raw_sub', '/twist=geometry_msgs/msg/TwistStamped:raw_sub'], env);
  const node = replay(path, { topics: '/odom,/twist' }, env);
  expect(await node.exitCode()).toBe(0);
  expect([played('/odom').length, played('/twist').length]).toEqual([8 - 2, 8]);
  expect(node.count(/is damaged/)).toBe(1);
  expect(node.output).toMatch(/messages\.db3: message \d+ of those asked for, on \/odom, is damaged/);
  expect(node.output).toContain('after 14 messages, 2 damaged ones left out');
});

describe('ends with a code above 0 and names', () => {
  const cases: [string, () => [string, Record<string, string>], RegExp][] = [
    ['a topic that is not there', () => [mcap, { topics: '/nothing' }], /topics: \S+ has no \/nothing; it has .*\/imu/],
    ['a start beyond the end', () => [mcap, { start: '100.0' }], /mcap: no message from start 100 s on/],
    ['nothing that is installed', () => [mcap, { topics: '/odd' }], /nothing to play; it has .*\/odd \(nowhere_msgs/],
    ['an empty file', () => [empty(), {}], /empty\.mcap: the file is empty/],
    ['what is no bag', () => [noBag(), {}], /text\.db3: neither MCAP nor sqlite3/],
  ];
  const file = (name: string, content: string) => () => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const [empty, noBag] = [file('empty.mcap', ''), file('text.db3', 'no bag')];

  test.each(cases)('%s', async (_, given, message) => {
    const [source, parameters] = given();
    const node = replay(source, { ...parameters, wait_for_subscriber: 'false' }, rosEnvironment());
    expect(await node.exitCode()).toBe(1);
    expect(node.output).toMatch(message);
  });
});
