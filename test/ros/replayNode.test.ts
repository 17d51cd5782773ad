/** replay_node over real DDS, received by rclpy: frames, stamps, calibration, ends; and together with depth_node. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { NodeProcess, Peer, rosEnvironment, type PeerMessage } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const WIDTH = 96;
const HEIGHT = 64;
const FPS = 20;
const FRAMES = 6;
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-replay-'));
const recording = join(folder, 'recording');
const pictures = Array.from({ length: FRAMES }, (_, frame) =>
  Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (i * 13 + frame * 40) % 256),
);

beforeAll(async () => {
  mkdirSync(recording);
  for (const [i, pixels] of pictures.entries()) {
    await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .png()
      .toFile(join(recording, `${i}`.padStart(6, '0') + '.png'));
  }
  const calibration = { image_width: WIDTH * 2, image_height: HEIGHT * 2, fx: 200, fy: 180, cx: 95, cy: 60, fps: FPS };
  const lines = Object.entries(calibration).map(([key, value]) => `${key}: ${value}`);
  writeFileSync(join(recording, 'calib.yaml'), [...lines, 'distortion: [-0.2, 0.1, 0, 0, 0]', ''].join('\n'));
});

let node: NodeProcess | undefined;
let depthNode: NodeProcess | undefined;
let peer: Peer | undefined;

afterEach(async () => {
  await node?.kill();
  await depthNode?.kill();
  await peer?.close();
  node = depthNode = peer = undefined;
});

const nanoseconds = ([sec, nanosec]: [number, number]): number => sec * 1e9 + nanosec;

test('plays every frame once with its pixels, its calibration at its size, and its time, then ends with code 0', async () => {
  const env = rosEnvironment();
  peer = new Peer(['/image=Image:sub', '/camera_info=CameraInfo:sub'], env);
  node = new NodeProcess('replayNode', ['-p', `source:=${recording}`, '-p', 'frame_id:=lens'], env);
  const stamps: number[] = [];
  for (const pixels of pictures) {
    const image = await peer.message('/image');
    expect(image).toMatchObject({ frameId: 'lens', width: WIDTH, height: HEIGHT, encoding: 'rgb8', step: WIDTH * 3 });
    expect(image.data === Buffer.from(pixels).toString('base64')).toBe(true);
    const info = await peer.message('/camera_info', (message) => `${message.stamp}` === `${image.stamp}`);
    expect(info).toMatchObject({ frameId: 'lens', width: WIDTH, height: HEIGHT, distortionModel: 'plumb_bob' });
    expect(info.d).toEqual([-0.2, 0.1, 0, 0, 0]);
    expect(info.k).toEqual([100, 0, 47.25, 0, 90, 29.75, 0, 0, 1]);
    stamps.push(nanoseconds(image.stamp));
  }
  stamps.slice(1).forEach((stamp, i) => expect(stamp - stamps[i]).toBeCloseTo(1e9 / FPS, -3));
  expect(await node.exitCode()).toBe(0);
  expect(peer.received('/image')).toHaveLength(0);
});

test('a fisheye is published as one', async () => {
  const env = rosEnvironment();
  const calibration = join(folder, 'fisheye.yaml');
  const camera = { image_width: WIDTH, image_height: HEIGHT, fx: 50, fy: 50, cx: 47.5, cy: 29.5 };
  const lines = Object.entries(camera).map(([key, value]) => `${key}: ${value}`);
  writeFileSync(
    calibration,
    [...lines, 'distortion_model: equidistant', 'distortion: [0.1, 0, 0, 0.02]', ''].join('\n'),
  );
  peer = new Peer(['/image=Image:sub', '/camera_info=CameraInfo:sub'], env); // images are waited for
  node = new NodeProcess('replayNode', ['-p', `source:=${recording}`, '-p', `camera_info:=${calibration}`], env);
  expect(await peer.message('/camera_info')).toMatchObject({ distortionModel: 'equidistant', d: [0.1, 0, 0, 0.02] });
});

test('loop goes on with growing stamps, rate is a multiple, start leaves the beginning out; SIGTERM ends it', async () => {
  const env = rosEnvironment();
  peer = new Peer(['/image=Image:sub'], env);
  const parameters = { source: recording, loop: true, rate: '2.0', start: '0.2' };
  const rosArguments = Object.entries(parameters).flatMap(([name, value]) => ['-p', `${name}:=${value}`]);
  node = new NodeProcess('replayNode', rosArguments, env);
  const images: PeerMessage[] = [];
  for (let i = 0; i < 7; i++) images.push(await peer.message('/image'));
  const shown = images.map(({ data }) =>
    pictures.findIndex((pixels) => data === Buffer.from(pixels).toString('base64')),
  );
  expect(shown).toEqual([4, 5, 4, 5, 4, 5, 4]);
  images.slice(1).forEach((image, i) => {
    expect(nanoseconds(image.stamp) - nanoseconds(images[i].stamp)).toBeCloseTo(1e9 / FPS / 2, -3);
  });
  const { code, milliseconds } = await node.end('SIGTERM');
  expect(code).toBe(0);
  expect(milliseconds).toBeLessThan(2000);
});

test('waits for a subscriber, and SIGINT ends the wait with code 0', async () => {
  node = new NodeProcess('replayNode', ['-p', `source:=${recording}`], rosEnvironment());
  await node.logged(/96x64 at 20\.00 frames\/s on \/image/);
  const { code, milliseconds } = await node.end('SIGINT');
  expect(code).toBe(0);
  expect(milliseconds).toBeLessThan(2000);
  expect(node.output).not.toContain('end of');
});

test('through depth_node: one depth for every frame, with its stamp', async () => {
  const env = rosEnvironment();
  const model = join(folder, 'tiny.onnx');
  writeFileSync(model, tinyModel({ width: WIDTH, height: HEIGHT }));
  peer = new Peer(['/cam/image=Image:sub', '/depth_node/depth=Image:sub', '/depth_node/ego_motion=EgoMotion:sub'], env);
  depthNode = new NodeProcess('depthNode', ['-p', `model:=${model}`, '-r', 'image:=/cam/image'], env);
  await depthNode.logged(/ready/);
  const remaps = ['-r', 'image:=/cam/image', '-r', 'camera_info:=/cam/camera_info'];
  node = new NodeProcess('replayNode', ['-p', `source:=${recording}`, '-p', 'loop:=true', ...remaps], env);
  await peer.matched();
  for (let i = 0; i < 2 * FRAMES; i++) {
    const { stamp } = await peer.message('/cam/image');
    if (i < FRAMES) continue; // the first ones may have been published before all were connected
    const sameStamp = (message: { stamp: [number, number] }): boolean => `${message.stamp}` === `${stamp}`;
    expect((await peer.message('/depth_node/depth', sameStamp)).frameId).toBe('camera_optical_frame');
    expect((await peer.message('/depth_node/ego_motion', sameStamp)).scaleSource).toBe(1);
  }
});

describe('ends with a code above 0 and names', () => {
  const badFiles: [string, string, string | undefined, RegExp][] = [
    ['a missing file', 'nothing-here.mp4', undefined, /no such file or folder/],
    ['an empty file', 'empty.mp4', '', /the file is empty/],
    ['an unreadable file', 'text.mp4', 'this is no video '.repeat(100), /not a video/],
  ];
  test.each(badFiles)('%s', async (_, name, content, message) => {
    const source = join(folder, name);
    if (content !== undefined) writeFileSync(source, content);
    node = new NodeProcess('replayNode', ['-p', `source:=${source}`], rosEnvironment());
    expect(await node.exitCode()).toBe(1);
    expect(node.output).toContain(`replay_node: ${source}: `);
    expect(node.output).toMatch(message);
  });

  test('a rate next to nothing', async () => {
    node = new NodeProcess('replayNode', ['-p', `source:=${recording}`, '-p', 'rate:=1.0e-300'], rosEnvironment());
    expect(await node.exitCode()).toBe(1);
    expect(node.output).toMatch(/parameter rate: is \S+, must be 0\.0 or from 0\.001 to 100/);
  });

  test('the parameter source where it is not given, and a bad calibration', async () => {
    node = new NodeProcess('replayNode', [], rosEnvironment());
    expect(await node.exitCode()).toBe(1);
    expect(node.output).toContain('parameter source: is empty');
    const calibration = join(folder, 'bad.yaml');
    writeFileSync(calibration, 'image_width: 96\n');
    const rosArguments = ['-p', `source:=${recording}`, '-p', `camera_info:=${calibration}`];
    node = new NodeProcess('replayNode', rosArguments, rosEnvironment());
    expect(await node.exitCode()).toBe(1);
    expect(node.output).toContain(calibration);
    expect(node.output).toContain('image_height');
  });
});
