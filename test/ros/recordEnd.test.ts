/** How `depthgrad record` ends where the disk is slow, or full in the end. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openBag } from '../../src/media/bag/bag';
import { readByRosbags } from '../support/bagReaders';
import { Program } from '../support/program';
import { PATIENCE, Peer, ROOT, rosEnvironment } from '../support/ros';

const CLI = 'src/cli.js';
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-record-end-'));
let peer: Peer | undefined;
let recorder: Program | undefined;
afterEach(async () => {
  recorder?.signal('SIGKILL');
  await peer?.close();
  peer = recorder = undefined;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const IMAGES = 20;
const [WIDTH, HEIGHT] = [640, 480];
const IMAGE_BYTES = WIDTH * HEIGHT * 3;
const DISK_BYTES_PER_SECOND = 2e6;

/** 18 MB arrive within a second or two at a disk that takes 9 s for them. */
async function recordImages(path: string): Promise<void> {
  const preload = `${process.env.NODE_OPTIONS ?? ''} --require ${join(ROOT, 'test/support/slowDisk.js')}`;
  const slow = { NODE_OPTIONS: preload, DEPTHGRAD_TEST_DISK_BYTES_PER_SECOND: `${DISK_BYTES_PER_SECOND}` };
  const env = rosEnvironment();
  recorder = new Program(CLI, ['record', '--compression', 'none', '--topics', '/cam', path], { ...env, ...slow });
  peer = new Peer(['/cam=sensor_msgs/msg/Image:pub'], env);
  await peer.matched();
  const size = { width: WIDTH, height: HEIGHT, step: WIDTH * 3, encoding: 'rgb8' };
  const data = Buffer.alloc(IMAGE_BYTES, 7).toString('base64');
  for (let i = 0; i < IMAGES; i++)
    await peer.command('image', { topic: '/cam', ...size, data, stamp: [i, 0], frameId: 'camera' });
  await sleep(300 * PATIENCE);
}

async function countByUs(path: string): Promise<{ count: number; caveats: string[] }> {
  const bag = await openBag(path);
  let count = 0;
  for await (const { cdr } of bag.messages(['/cam'])) count += cdr.length > IMAGE_BYTES ? 1 : 0;
  await bag.close();
  return { count, caveats: bag.caveats.map(({ message }) => message) };
}

test('a slow disk: the end waits until everything is in the file', async () => {
  const path = join(folder, 'slow.mcap');
  await recordImages(path);
  const asked = performance.now();
  recorder!.signal('SIGINT');
  recorder!.signal('SIGINT'); // npm passes on what the terminal has sent already
  const { code, output, errors } = await recorder!.ended;
  expect(performance.now() - asked).toBeGreaterThan(2000);
  expect(errors).toMatch(/ending: \d+\.\d MB wait for the disk; Ctrl-C leaves that out/);
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining(`${IMAGES} messages of 1 topics`) });
  expect(await countByUs(path)).toEqual({ count: IMAGES, caveats: [] });
});

test('a slow disk and a second Ctrl-C: what is left out is said, the code is 1, and the file can be read', async () => {
  const path = join(folder, 'impatient.mcap');
  await recordImages(path);
  recorder!.signal('SIGTERM');
  while (!recorder!.errors.includes('Ctrl-C leaves that out')) await sleep(20);
  const asked = performance.now();
  recorder!.signal('SIGINT');
  const { code, output, errors } = await recorder!.ended;
  expect(performance.now() - asked).toBeLessThan(1900 * PATIENCE);
  expect({ code, output }).toEqual({ code: 1, output: '' });
  expect(errors).toMatch(/impatient\.mcap: up to \d+\.\d MB that waited for the disk are left out; what was written/);
  const { count, caveats } = await countByUs(path);
  expect(caveats).toEqual([expect.stringContaining('has no index')]);
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThan(IMAGES);
  expect(readByRosbags(path).rows).toHaveLength(count);
});

/** In a mount namespace of its own, which needs no root where the kernel allows user namespaces. */
const IN_NAMESPACE = ['unshare', '--map-root-user', '--mount'];
const mountable =
  spawnSync(IN_NAMESPACE[0], [...IN_NAMESPACE.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
if (!mountable) console.log('no user namespaces here: the full disk is left out');
(mountable ? test : test.skip)('no room for the index: an error, code 1, and the messages can be read', async () => {
  const env = rosEnvironment();
  const small = join(folder, 'small');
  mkdirSync(small);
  // Somebody else fills the disk when the file "fill" appears.
  const script = `folder=$1; shift; mount -t tmpfs -o size=4m none "$folder"
    "$@" & recorder=$!; trap 'kill -TERM $recorder' TERM
    until [ -e "$folder.fill" ]; do sleep .1; done; head -c 8M /dev/zero > "$folder/other"; touch "$folder.full"
    wait $recorder; code=$?; [ $code -lt 128 ] || { wait $recorder; code=$?; }
    cp "$folder/full.mcap" "$folder/../full.mcap"; exit $code`;
  const wrapper = [...IN_NAMESPACE, 'bash', '-c', script, 'bash', small];
  const types: Record<string, string> = {
    '/odom': 'nav_msgs/msg/Odometry',
    '/info': 'sensor_msgs/msg/CameraInfo',
    '/diagnostics': 'diagnostic_msgs/msg/DiagnosticArray',
  };
  const topics = Object.keys(types);
  const args = ['record', '--compression', 'none', '--topics', ...topics, join(small, 'full.mcap')];
  recorder = new Program(CLI, args, env, wrapper);
  peer = new Peer(
    topics.map((topic) => `${topic}=${types[topic]}:pub`),
    env,
  );
  await peer.matched();
  await peer.command('samples', { topics, count: 10, rate: 100 });
  await sleep(1500 * PATIENCE); // the last chunk is in the file
  writeFileSync(`${small}.fill`, '');
  while (!existsSync(`${small}.full`)) await sleep(50);
  recorder.signal('SIGTERM');
  const { code, output, errors } = await recorder.ended;
  expect({ code, output }).toEqual({ code: 1, output: '' });
  expect(errors).toMatch(/record: \S+full\.mcap: the disk is full \(ENOSPC\); what was recorded before can be read/);
  expect(readByRosbags(join(folder, 'full.mcap')).rows).toHaveLength(30);
});
