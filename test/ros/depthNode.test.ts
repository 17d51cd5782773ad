/** depth_node over real DDS: rclpy publishes the images and receives the maps; Python's onnxruntime says what is in them. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { floats, NodeProcess, Peer, rosEnvironment, type PeerMessage } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const WIDTH = 96;
const HEIGHT = 64;
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-node-'));
const model = join(folder, 'tiny.onnx');
writeFileSync(model, tinyModel({ width: WIDTH, height: HEIGHT }));

const IMAGE = '/front/image_raw';
const INFO = '/front/camera_info';
const TOPICS = [
  `${IMAGE}=Image:pub`,
  `${INFO}=CameraInfo:pub`,
  '/depth_node/depth=Image:sub',
  '/depth_node/camera_info=CameraInfo:sub',
  '/depth_node/gradient=DepthGradient:sub',
  '/depth_node/confidence=Image:sub',
  '/depth_node/ego_motion=EgoMotion:sub',
];
const CAMERA = {
  width: 192,
  height: 128,
  frameId: 'front_optical',
  k: [120, 0, 95, 0, 110, 60, 0, 0, 1],
  p: [118, 0, 96, -6, 0, 108, 61, 0, 0, 0, 1, 0],
  d: [-0.25, 0.04, 0.001, -0.002, 0.01],
};

/** rgb of a picture in which every pixel differs; another one for every seed. */
function picture(width: number, height: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => 20 + ((i * 7 + seed * 31 + ((i * i) >> 5)) % 230));
}

/** The same picture in another encoding, with `padding` bytes behind each row. */
function encode(rgb: Uint8Array, width: number, encoding: string, padding = 0): { data: string; step: number } {
  const order = { rgb8: [0, 1, 2], bgr8: [2, 1, 0], mono8: [0], rgba8: [0, 1, 2, -1], bgra8: [2, 1, 0, -1] }[encoding]!;
  const step = width * order.length + padding;
  const bytes = Buffer.alloc((rgb.length / 3 / width) * step, 0xee);
  for (let pixel = 0; pixel < rgb.length / 3; pixel++) {
    const at = Math.floor(pixel / width) * step + (pixel % width) * order.length;
    order.forEach((channel, i) => (bytes[at + i] = channel < 0 ? 255 : rgb[pixel * 3 + channel]));
  }
  return { data: bytes.toString('base64'), step };
}

let node: NodeProcess;
let peer: Peer;
let seconds = 1000;

async function start(rosArguments: string[] = [], topics = TOPICS): Promise<void> {
  const env = rosEnvironment();
  peer = new Peer(topics, env);
  node = new NodeProcess(
    'depthNode',
    // reliable here: these tests count every image; the default is the test "best effort" below
    ['-r', `image:=${IMAGE}`, '-p', `model:=${model}`, '-p', 'image_reliability:=reliable', ...rosArguments],
    env,
  );
  await peer.matched();
}

afterEach(async () => {
  await node?.kill();
  await peer?.close();
});

interface ImageCommand {
  width?: number;
  height?: number;
  step?: number;
  encoding?: string;
  data?: string;
  stamp?: [number, number];
  times?: number;
}

/** Publishes an image, by default one of the network's size, 40 ms later than the one before; returns its stamp. */
async function publish(command: ImageCommand = {}): Promise<[number, number]> {
  const width = command.width ?? WIDTH;
  const height = command.height ?? HEIGHT;
  seconds += 0.04;
  const stamp: [number, number] = [Math.floor(seconds), Math.round((seconds % 1) * 1e9)];
  const pixels = command.data ? {} : encode(picture(width, height, 1), width, 'rgb8');
  const fields = { topic: IMAGE, frameId: 'front_optical', width, height, step: width * 3, encoding: 'rgb8', stamp };
  await peer.command('image', { ...fields, ...pixels, ...command });
  return command.stamp ?? stamp;
}

const stamped =
  (stamp: [number, number]) =>
  (message: PeerMessage): boolean =>
    message.stamp[0] === stamp[0] && message.stamp[1] === stamp[1];

async function depthAt(stamp: [number, number]): Promise<PeerMessage> {
  return peer.message('/depth_node/depth', stamped(stamp));
}

test('maps hold exactly the bytes onnxruntime gives, with stamp, frame, scaled camera_info and motion', async () => {
  await start();
  await peer.command('camera_info', { topic: INFO, ...CAMERA, width: WIDTH * 2, height: HEIGHT * 2 });
  const frames = [picture(WIDTH, HEIGHT, 1), picture(WIDTH, HEIGHT, 5)];
  const images = frames.map((frame) => Buffer.from(frame).toString('base64'));
  // more than one message until the camera_info has certainly come before a frame
  let stamp = await publish();
  while ((await depthAt(stamp), peer.received('/depth_node/camera_info').length === 0)) stamp = await publish();
  const first = await publish({ data: images[0] });
  await depthAt(first);
  const second = await publish({ data: images[1] });

  const expected = (await peer.command('run_model', { model, images })).answers as Record<string, string>[];
  const depth = await depthAt(second);
  expect(depth).toMatchObject({
    frameId: 'front_optical',
    width: WIDTH,
    height: HEIGHT,
    encoding: '32FC1',
    step: WIDTH * 4,
    bigEndian: 0,
  });
  const inRange = floats(expected[1].depth).map((value) => (value > 80 ? Infinity : value));
  expect(Buffer.from(inRange.buffer).toString('base64')).toBe(depth.data);
  expect(inRange.filter((value) => value === Infinity).length).toBeGreaterThan(0);

  const gradient = await peer.message('/depth_node/gradient', stamped(second));
  expect(gradient).toMatchObject({ frameId: 'front_optical', space: 0, units: '1/pixel' });
  expect(gradient.gradient).toMatchObject({
    stamp: second,
    encoding: '32FC2',
    step: WIDTH * 8,
    data: expected[1].log_disparity_gradient,
  });
  const confidence = await peer.message('/depth_node/confidence', stamped(second));
  expect(confidence).toMatchObject({ encoding: '32FC1', data: expected[1].confidence });

  const info = await peer.message('/depth_node/camera_info', stamped(second));
  expect(info).toMatchObject({ frameId: 'front_optical', width: WIDTH, height: HEIGHT, d: CAMERA.d });
  // half the size: focal lengths halve, cx' = (cx + .5) / 2 - .5
  expect(info.k).toEqual([60, 0, 47.25, 0, 55, 29.75, 0, 0, 1]);
  expect(info.p).toEqual([59, 0, 47.75, -3, 0, 54, 30.25, 0, 0, 0, 1, 0]);

  const motion = await peer.message('/depth_node/ego_motion', stamped(second));
  const estimate = floats(expected[1].ego_motion);
  expect(motion).toMatchObject({
    frameId: 'front_optical',
    previousStamp: first,
    scaleSource: 1,
    scaleVariance: 'inf',
  });
  (motion.position as number[]).forEach((value, i) => expect(value).toBeCloseTo(estimate[i], 6));
  const [x, y, z] = estimate.slice(3);
  const half = Math.hypot(x, y, z) / 2;
  const orientation = motion.orientation as number[];
  expect(orientation[3]).toBeCloseTo(Math.cos(half), 9);
  expect(orientation[0]).toBeCloseTo((x / (2 * half)) * Math.sin(half), 9);
  (motion.angular as number[]).forEach((value, i) => expect(value).toBeCloseTo(estimate[3 + i] / 0.04, 3));
  for (const covariance of [motion.poseCovariance, motion.twistCovariance] as number[][]) {
    for (let i = 0; i < 6; i++) expect(covariance[i * 7]).toBeGreaterThan(0);
  }
  const blue = floats(expected[1].confidence);
  expect(motion.quality).toBeCloseTo(blue.reduce((sum, value) => sum + value, 0) / blue.length, 4);
});

test('every encoding, with padded rows, gives the depth of the same picture', async () => {
  await start(['-p', 'max_range:=1000.0'], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  const rgb = picture(WIDTH, HEIGHT, 3);
  const grey = rgb.map((_, i) => rgb[i - (i % 3)]);
  const expectedOf = async (frame: Uint8Array): Promise<string> => {
    const images = [Buffer.from(frame).toString('base64')];
    return ((await peer.command('run_model', { model, images })).answers as Record<string, string>[])[0].depth;
  };
  const [colour, mono] = [await expectedOf(rgb), await expectedOf(grey)];
  expect(colour).not.toBe(mono);
  for (const encoding of ['rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8']) {
    for (const padding of [0, 5]) {
      const stamp = await publish({ encoding, ...encode(rgb, WIDTH, encoding, padding) });
      expect({ encoding, padding, data: (await depthAt(stamp)).data }).toEqual({
        encoding,
        padding,
        data: encoding === 'mono8' ? mono : colour,
      });
    }
  }
});

test('a larger image is averaged over areas; image_rows leaves the bottom out', async () => {
  await start(
    ['-p', 'max_range:=1000.0', '-p', `image_rows:=${HEIGHT * 4}`],
    [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub'],
  );
  const [width, height] = [WIDTH * 3, HEIGHT * 4 + 20];
  const rgb = picture(width, height, 2);
  const depth = floats((await depthAt(await publish({ width, height, ...encode(rgb, width, 'rgb8') }))).data);
  let worst = 0;
  for (let v = 0; v < HEIGHT; v++) {
    for (let u = 0; u < WIDTH; u++) {
      let sum = 0;
      for (let y = v * 4; y < v * 4 + 4; y++) for (let i = 0; i < 9; i++) sum += rgb[(y * width + u * 3) * 3 + i];
      worst = Math.max(worst, Math.abs(depth[v * WIDTH + u] - ((sum / 36) * 100) / 255));
    }
  }
  expect(worst).toBeLessThan(100 / 255); // one grey level of 100 m
});

test('bad images are refused by topic and field, and the node goes on', async () => {
  await start([], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub', '/diagnostics=DiagnosticArray:sub']);
  const bad: [ImageCommand, RegExp][] = [
    [{ encoding: 'yuv422' }, /\/front\/image_raw: image ignored: encoding is "yuv422"; known are rgb8/],
    [{ step: WIDTH * 3 - 1 }, /\/front\/image_raw: image ignored: step is 287, less than the 288 bytes/],
    [{ data: Buffer.alloc(100).toString('base64') }, /\/front\/image_raw: image ignored: data has 100 bytes/],
    [{ width: 0, data: Buffer.alloc(64).toString('base64') }, /\/front\/image_raw: image ignored: size is 0x64/],
  ];
  for (const [command, message] of bad) {
    await publish(command);
    await node.logged(message);
  }
  await publish({ encoding: 'yuv422' });
  const good = await publish();
  expect((await depthAt(good)).width).toBe(WIDTH);
  expect(peer.received('/depth_node/depth')).toHaveLength(0);
  expect(node.count(/encoding is "yuv422"/)).toBe(1); // throttled
  const { status } = await peer.message('/diagnostics', ({ status }) => {
    return (status as { values: Record<string, string> }[])[0].values.frames_in === '6';
  });
  expect((status as { values: Record<string, string> }[])[0].values).toMatchObject({ rejected: '5', frames_out: '1' });
});

test('without camera_info depth goes on, motion is unavailable, and one warning says so', async () => {
  await start();
  for (let frame = 0; frame < 3; frame++) {
    const stamp = await publish();
    expect(Number.isFinite(floats((await depthAt(stamp)).data)[0])).toBe(true);
    const motion = await peer.message('/depth_node/ego_motion', stamped(stamp));
    expect(motion).toMatchObject({ scaleSource: 0, quality: 0, position: [0, 0, 0], orientation: [0, 0, 0, 1] });
    expect((motion.poseCovariance as number[])[0]).toBeGreaterThanOrEqual(1e6);
  }
  expect(node.count(/no camera_info for \/front\/image_raw/)).toBe(1);
  expect(peer.received('/depth_node/camera_info')).toHaveLength(0);
});

test.each([
  [
    'zero focal length',
    [0, 0, 95, 0, 110, 60, 0, 0, 1],
    /\/front\/camera_info: camera_info ignored: k\[0\] \(fx\) is 0/,
  ],
  ['NaN', [120, 0, NaN, 0, 110, 60, 0, 0, 1], /\/front\/camera_info: camera_info ignored: k\[2\] is NaN/],
])('camera_info with %s is refused by topic and field', async (_, k, message) => {
  await start();
  await peer.command('camera_info', {
    topic: INFO,
    ...CAMERA,
    k: k.map((value) => (Number.isNaN(value) ? 'nan' : value)),
  });
  await node.logged(message);
  const stamp = await publish();
  await depthAt(stamp);
  expect(await peer.message('/depth_node/ego_motion', stamped(stamp))).toMatchObject({ scaleSource: 0 });
  expect(peer.received('/depth_node/camera_info')).toHaveLength(0);
});

test('motion starts anew after a new resolution, a gap and a jump back in time', async () => {
  await start();
  await peer.command('camera_info', { topic: INFO, ...CAMERA });
  let source = 0;
  const next = async (command: ImageCommand = {}): Promise<number> => {
    const stamp = await publish(command);
    source = (await peer.message('/depth_node/ego_motion', stamped(stamp))).scaleSource as number;
    return source;
  };
  while ((await next()) === 0); // until camera_info has come and there is a frame to compare with
  const larger = { width: 192, height: 128, ...encode(picture(192, 128, 1), 192, 'rgb8') };
  expect(await next(larger)).toBe(0);
  await node.logged(/\/front\/image_raw: width x height changed from 96x64 to 192x128/);
  expect(await next(larger)).toBe(1);
  seconds += 3;
  expect(await next(larger)).toBe(0);
  expect(await next(larger)).toBe(1);
  expect(await next({ ...larger, stamp: [10, 0] })).toBe(0);
  await node.logged(/\/front\/image_raw: header.stamp does not advance/);
});

test('black frames give invalid depth and a warning, not a guess', async () => {
  await start();
  const black = await publish({ data: Buffer.alloc(WIDTH * HEIGHT * 3, 3).toString('base64') });
  expect(floats((await depthAt(black)).data).every((value) => Number.isNaN(value))).toBe(true);
  expect(
    floats((await peer.message('/depth_node/confidence', stamped(black))).data).every((value) => value === 0),
  ).toBe(true);
  expect(await peer.message('/depth_node/ego_motion', stamped(black))).toMatchObject({ scaleSource: 0 });
  await node.logged(/\/front\/image_raw: data is black/);
  expect(floats((await depthAt(await publish())).data).some((value) => Number.isFinite(value))).toBe(true);
});

test('ranges and confidence threshold are REP 117 and change while the node runs', async () => {
  await start([], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3).fill(100); // 39.2 m, confidence .39
  rgb.set([250, 250, 250], 0); // 98 m, confidence .98
  rgb.set([20, 20, 200], 3); // 31.4 m, confidence .78
  const image = { data: Buffer.from(rgb).toString('base64') };
  const firstThree = async (): Promise<number[]> =>
    Array.from(floats((await depthAt(await publish(image))).data).slice(0, 3)).map((value) => Math.round(value));
  expect(await firstThree()).toEqual([Infinity, 31, 39]);
  const set = (name: string, value: number): Promise<Record<string, unknown>> =>
    peer.command('set_parameter', { node: '/depth_node', name, value });
  expect(await set('min_range', 35)).toMatchObject({ successful: true });
  expect(await firstThree()).toEqual([Infinity, -Infinity, 39]);
  expect(await set('confidence_threshold', 0.5)).toMatchObject({ successful: true });
  expect(await firstThree()).toEqual([Infinity, -Infinity, NaN]);
  expect(await set('confidence_threshold', 1.5)).toMatchObject({ successful: false });
  const names = ['model', 'max_range'];
  const { descriptors } = await peer.command('describe_parameters', { node: '/depth_node', names });
  expect(descriptors).toEqual([
    { name: 'model', text: expect.stringContaining('ONNX'), readOnly: true },
    { name: 'max_range', text: expect.stringContaining('+Inf'), readOnly: false },
  ]);
});

test('the newest frame wins when the network is busy, and every dropped one is counted', async () => {
  const slow = join(folder, 'slow.onnx');
  writeFileSync(slow, tinyModel({ width: 1536, height: 1536 }));
  await start(
    ['-p', `model:=${slow}`, '-p', 'image_queue_depth:=10'],
    [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:best_effort_sub', '/diagnostics=DiagnosticArray:sub'],
  );
  await publish({ times: 60 });
  const { status } = await peer.message('/diagnostics', ({ status }) => {
    const { frames_in, frames_out, dropped } = (status as { values: Record<string, string> }[])[0].values;
    return Number(frames_in) > 5 && Number(frames_in) === Number(frames_out) + Number(dropped);
  });
  const [{ name, hardwareId, values }] = status as {
    name: string;
    hardwareId: string;
    values: Record<string, string>;
  }[];
  expect({ name, hardwareId }).toEqual({ name: 'depth_node: Inference', hardwareId: 'tiny' });
  expect(Number(values.dropped)).toBeGreaterThan(0);
  expect(values).toMatchObject({ model_name: 'tiny', model_version: '1.2.3' });
  expect(values.model_sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(Number(values.latency_p95_ms)).toBeGreaterThanOrEqual(Number(values.latency_p50_ms));
});

test('namespace, parameter file and remapped camera_info are honoured; best effort is the default', async () => {
  const parameters = join(folder, 'parameters.yaml');
  writeFileSync(parameters, `/robot/depth_node:\n  ros__parameters:\n    model: ${model}\n    max_range: 1.0\n`);
  const env = rosEnvironment();
  peer = new Peer(
    ['/robot/image=Image:pub', '/elsewhere/info=CameraInfo:pub', '/robot/depth_node/depth=Image:sub'],
    env,
  );
  node = new NodeProcess(
    'depthNode',
    ['-r', '__ns:=/robot', '-r', 'camera_info:=/elsewhere/info', '--params-file', parameters],
    env,
  );
  await peer.matched();
  const image = { frameId: 'a', width: WIDTH, height: HEIGHT, encoding: 'rgb8', stamp: [5, 6] };
  const pixels = encode(picture(WIDTH, HEIGHT, 1), WIDTH, 'rgb8');
  // best effort may lose an image: published until one has come through
  while (peer.received('/robot/depth_node/depth').length === 0) {
    await peer.command('image', { topic: '/robot/image', ...image, ...pixels });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const depth = floats((await peer.message('/robot/depth_node/depth')).data);
  expect(depth.every((value) => value === Infinity)).toBe(true); // all beyond the file's max_range
});

describe('ends', () => {
  const run = (rosArguments: string[]): NodeProcess =>
    (node = new NodeProcess('depthNode', rosArguments, rosEnvironment()));

  test.each(['SIGINT', 'SIGTERM'] as const)('with code 0 within 2 s on %s, in the middle of a run', async (signal) => {
    await start();
    await publish({ times: 40 });
    const { code, milliseconds } = await node.end(signal);
    expect({ code, output: node.output }).toMatchObject({ code: 0 });
    expect(milliseconds).toBeLessThan(2000);
  });

  test.each([200, 350, 500])('with code 0 within 2 s on SIGTERM %d ms after its start', async (wait) => {
    const starting = run(['-p', `model:=${model}`]);
    await new Promise((resolve) => setTimeout(resolve, wait));
    const { code, milliseconds } = await starting.end('SIGTERM');
    expect(code).toBe(0);
    expect(milliseconds).toBeLessThan(2000);
  });

  const whole = tinyModel();
  const foreign = tinyModel({ metadata: { format: undefined } });
  const models: [string, Uint8Array | undefined, RegExp][] = [
    ['missing', undefined, /cannot be read \(ENOENT/],
    ['empty', new Uint8Array(0), /is empty/],
    ['truncated', whole.subarray(0, whole.length >> 1), /truncated or not an ONNX file/],
    ['not ours', foreign, /its metadata "format" is missing/],
    ['not ONNX', Buffer.from('this is a text file, not a network\n'.repeat(20)), /truncated or not an ONNX file/],
    ['of another size than it says', tinyModel({ metadata: { width: '128' } }), /has shape \[1,64,96\]/],
  ];
  test.each(models)('with a code above 0 and the name of a model file that is %s', async (kind, bytes, message) => {
    const file = join(folder, `${kind.replaceAll(' ', '-')}.onnx`);
    if (bytes) writeFileSync(file, bytes);
    const ending = run(['-p', `model:=${file}`]);
    expect(await ending.exitCode()).toBe(1);
    expect(ending.output).toContain(`model file ${file}`);
    expect(ending.output).toMatch(message);
    expect(ending.output).not.toContain('ready');
  });

  test('with a code above 0 and the name of a wrong parameter', async () => {
    const ending = run(['-p', `model:=${model}`, '-p', 'confidence_threshold:=2.0']);
    expect(await ending.exitCode()).toBe(1);
    expect(ending.output).toContain('parameter confidence_threshold: must be a double');
  });
});

test.each(['webgpu', 'cuda'])('execution_provider %s: used, or one warning and the CPU', async (provider) => {
  await start(['-p', `execution_provider:=${provider}`], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  await depthAt(await publish());
  const warnings = node.count(new RegExp(`execution_provider ${provider} is not to be had here, using cpu`));
  const line = await node.logged(/model tiny 1\.2\.3 \(96x64, \w+/);
  expect({ warnings, provider: line.split(', ')[1] }).toEqual(
    warnings === 0 ? { warnings: 0, provider } : { warnings: 1, provider: 'cpu' },
  );
});
