/** What depth_node does with input it cannot use: a message naming topic, field or file, and nothing wrong published. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CAMERA,
  DepthNodeRig,
  encode,
  HEIGHT,
  IMAGE,
  INFO,
  picture,
  stamped,
  WIDTH,
  type ImageCommand,
} from '../support/depthNode';
import { floats, Peer, rosEnvironment } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

test('bad images are refused by topic and field, and the node goes on', async () => {
  await rig.start([], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub', '/diagnostics=DiagnosticArray:sub']);
  const bad: [ImageCommand, RegExp][] = [
    [{ encoding: 'mono16' }, /\/front\/image_raw: image ignored: encoding is "mono16"; known are rgb8.*yuv422_yuy2/],
    [{ step: WIDTH * 3 - 1 }, /\/front\/image_raw: image ignored: step is 287, less than the 288 bytes/],
    [{ data: Buffer.alloc(100).toString('base64') }, /\/front\/image_raw: image ignored: data has 100 bytes/],
    [{ width: 0, data: Buffer.alloc(64).toString('base64') }, /\/front\/image_raw: image ignored: size is 0x64/],
  ];
  for (const [command, message] of bad) {
    await rig.publish(command);
    await rig.node.logged(message);
  }
  await rig.publish({ encoding: 'mono16' });
  const good = await rig.publish();
  expect((await rig.depthAt(good)).width).toBe(WIDTH);
  expect(rig.peer.received('/depth_node/depth')).toHaveLength(0);
  expect(rig.node.count(/encoding is "mono16"/)).toBe(1); // throttled
  const { status } = await rig.peer.message('/diagnostics', ({ status }) => {
    return (status as { values: Record<string, string> }[])[0].values.frames_in === '6';
  });
  expect((status as { values: Record<string, string> }[])[0].values).toMatchObject({ rejected: '5', frames_out: '1' });
});

test('without camera_info depth goes on, motion is unavailable, and one warning says so', async () => {
  await rig.start();
  for (let frame = 0; frame < 3; frame++) {
    const stamp = await rig.publish();
    expect(Number.isFinite(floats((await rig.depthAt(stamp)).data)[0])).toBe(true);
    const motion = await rig.peer.message('/depth_node/ego_motion', stamped(stamp));
    expect(motion).toMatchObject({ scaleSource: 0, quality: 0, position: [0, 0, 0], orientation: [0, 0, 0, 1] });
    expect((motion.poseCovariance as number[])[0]).toBeGreaterThanOrEqual(1e6);
  }
  expect(rig.node.count(/no camera_info for \/front\/image_raw/)).toBe(1);
  expect(rig.peer.received('/depth_node/camera_info')).toHaveLength(0);
});

test.each([
  [
    'zero focal length',
    [0, 0, 95, 0, 110, 60, 0, 0, 1],
    /\/front\/camera_info: camera_info ignored: k\[0\] \(fx\) is 0/,
  ],
  ['NaN', [120, 0, NaN, 0, 110, 60, 0, 0, 1], /\/front\/camera_info: camera_info ignored: k\[2\] is NaN/],
])('camera_info with %s is refused by topic and field', async (_, k, message) => {
  await rig.start();
  await rig.peer.command('camera_info', {
    topic: INFO,
    ...CAMERA,
    k: k.map((value) => (Number.isNaN(value) ? 'nan' : value)),
  });
  await rig.node.logged(message);
  const stamp = await rig.publish();
  await rig.depthAt(stamp);
  expect(await rig.peer.message('/depth_node/ego_motion', stamped(stamp))).toMatchObject({ scaleSource: 0 });
  expect(rig.peer.received('/depth_node/camera_info')).toHaveLength(0);
});

test('an uncalibrated camera is one warning, however long it goes on', async () => {
  await rig.start([], [`${INFO}=CameraInfo:pub`, `${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  const uncalibrated = { topic: INFO, ...CAMERA, k: new Array<number>(9).fill(0) };
  await rig.peer.command('camera_info', uncalibrated);
  await rig.node.logged(/camera_info ignored/);
  await new Promise((resolve) => setTimeout(resolve, 5200)); // longer than repeated warnings are held back
  await rig.peer.command('camera_info', uncalibrated);
  await rig.depthAt(await rig.publish());
  expect(rig.node.count(/camera_info ignored/)).toBe(1);
});

test('camera_info that comes later than the first image, or has another size, is said and used', async () => {
  await rig.start(['-p', `image_rows:=${HEIGHT / 2}`]);
  await rig.depthAt(await rig.publish());
  await rig.node.logged(/no camera_info for \/front\/image_raw: ego-motion and scale are unavailable until one comes/);
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA });
  await rig.publishUntilCameraInfo();
  await rig.node.logged(/\/front\/camera_info: camera_info of a 192x128 camera/);
  await rig.node.logged(/camera_info: width x height is 192x128, the image on \/front\/image_raw has 96x64/);
  // the upper half of the image is the upper half of the camera's 128 rows: 64 rows on the map's 64
  const { k } = await rig.peer.message('/depth_node/camera_info');
  expect(k).toEqual([60, 0, 47.25, 0, 110, 60, 0, 0, 1]);
});

test('motion starts anew after a new resolution, a gap and a jump back in time', async () => {
  await rig.start();
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA });
  let source = 0;
  const next = async (command: ImageCommand = {}): Promise<number> => {
    const stamp = await rig.publish(command);
    source = (await rig.peer.message('/depth_node/ego_motion', stamped(stamp))).scaleSource as number;
    return source;
  };
  while ((await next()) === 0); // until camera_info has come and there is a frame to compare with
  const larger = { width: 192, height: 128, ...encode(picture(192, 128, 1), 192, 'rgb8') };
  expect(await next(larger)).toBe(0);
  await rig.node.logged(/\/front\/image_raw: width x height changed from 96x64 to 192x128/);
  expect(await next(larger)).toBe(1);
  rig.seconds += 3;
  expect(await next(larger)).toBe(0);
  expect(await next(larger)).toBe(1);
  expect(await next({ ...larger, stamp: [10, 0] })).toBe(0);
  await rig.node.logged(/\/front\/image_raw: header.stamp does not advance/);
});

test('black frames give invalid depth and a warning, not a guess', async () => {
  await rig.start();
  const black = await rig.publish({ data: Buffer.alloc(WIDTH * HEIGHT * 3, 3).toString('base64') });
  expect(floats((await rig.depthAt(black)).data).every((value) => Number.isNaN(value))).toBe(true);
  expect(
    floats((await rig.peer.message('/depth_node/confidence', stamped(black))).data).every((value) => value === 0),
  ).toBe(true);
  expect(await rig.peer.message('/depth_node/ego_motion', stamped(black))).toMatchObject({ scaleSource: 0 });
  await rig.node.logged(/\/front\/image_raw: data is black/);
  expect(floats((await rig.depthAt(await rig.publish())).data).some((value) => Number.isFinite(value))).toBe(true);
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
test.each(models)(
  'a model file that is %s ends the node by its name, before anything is published',
  async (kind, bytes, message) => {
    const file = join(rig.folder, `${kind.replaceAll(' ', '-')}.onnx`);
    if (bytes) writeFileSync(file, bytes);
    const ending = rig.run(['-p', `model:=${file}`]);
    expect(await ending.exitCode()).toBe(1);
    expect(ending.output).toContain(`depth_node: model file ${file}: `);
    expect(ending.output).toMatch(message);
    expect(ending.output).not.toContain('ready');
  },
);

test('with such a model no map and no diagnostics come out, however many images come in', async () => {
  const env = rosEnvironment();
  const outputs = ['depth', 'confidence'].map((name) => `/depth_node/${name}`);
  rig.peer = new Peer(
    [`${IMAGE}=Image:pub`, ...outputs.map((topic) => `${topic}=Image:sub`), '/diagnostics=DiagnosticArray:sub'],
    env,
  );
  const file = join(rig.folder, 'half.onnx');
  writeFileSync(file, whole.subarray(0, whole.length >> 1));
  let ended = false;
  const ending = rig.run(['-r', `image:=${IMAGE}`, '-p', `model:=${file}`], env).exitCode();
  void ending.then(() => (ended = true));
  while (!ended) await rig.publish();
  expect(await ending).toBe(1);
  for (const topic of [...outputs, '/diagnostics']) expect(rig.peer.received(topic)).toHaveLength(0);
});

const parameters: [string, string, RegExp][] = [
  ['confidence_threshold', '2.0', /must be a double \(write 80\.0, not 80\) from 0 to 1/],
  ['max_range', '80', /must be a double/],
  ['threads', '0', /must be an integer from 1 to 64/],
  ['image_queue_depth', '0', /must be an integer from 1 to 10/],
  ['publish_gradient', 'perhaps', /must be a boolean/],
  ['execution_provider', 'tpu', /is "tpu", must be one of cpu, cuda, webgpu/],
  ['image_transport', 'theora', /is "theora", must be one of raw, compressed/],
  ['depth_encoding', '64FC1', /is "64FC1", must be one of 32FC1, 16UC1/],
  [
    'rectify',
    'off',
    /parameter rectify: must be a string, one of auto, never \(what YAML takes .* needs quotes: "'off'"\)/,
  ],
  ['depth_encoding', '16', /parameter depth_encoding: must be a string, one of 32FC1, 16UC1 \(/],
  ['base_frame', '007', /parameter base_frame: must be a string \(what YAML takes/],
  ['depth_size', 'huge', /is "huge", must be one of network, camera/],
  ['image_reliability', 'sometimes', /is "sometimes", must be one of best_effort, reliable/],
];
test.each(parameters)('parameter %s:=%s ends the node by its name', async (name, value, message) => {
  const ending = rig.run(['-p', `model:=${rig.model}`, '-p', `${name}:=${value}`]);
  expect(await ending.exitCode()).toBe(1);
  expect(ending.output).toContain(`depth_node: parameter ${name}: `);
  expect(ending.output).toMatch(message);
});
