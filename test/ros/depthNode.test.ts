/** depth_node over real DDS: rclpy publishes the images and receives the maps; Python's onnxruntime says what is in them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CAMERA, DepthNodeRig, encode, HEIGHT, IMAGE, INFO, picture, stamped, WIDTH } from '../support/depthNode';
import { floats, NodeProcess, Peer, ROOT, rosEnvironment } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

test('maps hold exactly the bytes onnxruntime gives, with stamp, frame, scaled camera_info and motion', async () => {
  await rig.start();
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, width: WIDTH * 2, height: HEIGHT * 2 });
  const frames = [picture(WIDTH, HEIGHT, 1), picture(WIDTH, HEIGHT, 5)];
  const images = frames.map((frame) => Buffer.from(frame).toString('base64'));
  await rig.publishUntilCameraInfo();
  const first = await rig.publish({ data: images[0] });
  await rig.depthAt(first);
  const second = await rig.publish({ data: images[1] });

  const expected = (await rig.peer.command('run_model', { model: rig.model, images })).answers as Record<
    string,
    string
  >[];
  const depth = await rig.depthAt(second);
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

  const gradient = await rig.peer.message('/depth_node/gradient', stamped(second));
  expect(gradient).toMatchObject({ frameId: 'front_optical', space: 0, units: '1/pixel' });
  expect(gradient.gradient).toMatchObject({
    stamp: second,
    encoding: '32FC2',
    step: WIDTH * 8,
    data: expected[1].log_disparity_gradient,
  });
  const confidence = await rig.peer.message('/depth_node/confidence', stamped(second));
  expect(confidence).toMatchObject({ encoding: '32FC1', data: expected[1].confidence });

  const info = await rig.peer.message('/depth_node/camera_info', stamped(second));
  expect(info).toMatchObject({ frameId: 'front_optical', width: WIDTH, height: HEIGHT, d: CAMERA.d });
  // half the size: focal lengths halve, cx' = (cx + .5) / 2 - .5
  expect(info.k).toEqual([60, 0, 47.25, 0, 55, 29.75, 0, 0, 1]);
  // of the camera's own centre: without the baseline of the pair
  expect(info.p).toEqual([60, 0, 47.25, 0, 0, 55, 29.75, 0, 0, 0, 1, 0]);

  const motion = await rig.peer.message('/depth_node/ego_motion', stamped(second));
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

test('camera_info of a part of the sensor: its roi is cut out, its binning and the network shrink it', async () => {
  await rig.start();
  // a 400x300 sensor of which 384x256 pixels from (8, 20) on are read out, 2x2 to one: images of 192x128
  const roi = { xOffset: 8, yOffset: 20, width: 384, height: 256 };
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, width: 400, height: 300, roi, binning: [2, 2] });
  const image = { width: 192, height: 128, ...encode(picture(192, 128, 1), 192, 'rgb8') };
  do await rig.depthAt(await rig.publish(image));
  while (rig.peer.received('/depth_node/camera_info').length === 0);
  const { k, p, binning, roi: published } = await rig.peer.message('/depth_node/camera_info');
  // a quarter of the size: cx' = (cx - 8 + .5) / 4 - .5
  expect(k).toEqual([30, 0, 21.375, 0, 27.5, 9.625, 0, 0, 1]);
  expect(p).toEqual([30, 0, 21.375, 0, 0, 27.5, 9.625, 0, 0, 0, 1, 0]);
  expect({ binning, published }).toEqual({ binning: [0, 0], published: [0, 0, 0, 0] });
  expect(rig.node.count(/width x height is/)).toBe(0);
});

test('rectify never: a distorted camera is seen as it is, and camera_info says so', async () => {
  await rig.start(['-p', 'rectify:=never']);
  const d = [-0.25, 0.04, 0.001, -0.002, 0.01];
  const p = [118, 0, 96, -6, 0, 108, 61, 0, 0, 0, 1, 0]; // of the view that is not made
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, d, p, width: WIDTH, height: HEIGHT });
  await rig.publishUntilCameraInfo();
  const info = await rig.peer.message('/depth_node/camera_info');
  expect(info).toMatchObject({ d, k: CAMERA.k, distortionModel: 'plumb_bob' });
  expect(info.p).toEqual([120, 0, 95, 0, 0, 110, 60, 0, 0, 0, 1, 0]); // what depth_image_proc takes, as ~/points
});

test('every encoding, with padded rows, gives the depth of the same picture', async () => {
  await rig.start(['-p', 'max_range:=1000.0'], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  const rgb = picture(WIDTH, HEIGHT, 3);
  const grey = rgb.map((_, i) => rgb[i - (i % 3)]);
  const expectedOf = async (frame: Uint8Array): Promise<string> => {
    const images = [Buffer.from(frame).toString('base64')];
    return ((await rig.peer.command('run_model', { model: rig.model, images })).answers as Record<string, string>[])[0]
      .depth;
  };
  const [colour, mono] = [await expectedOf(rgb), await expectedOf(grey)];
  expect(colour).not.toBe(mono);
  for (const encoding of ['rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8']) {
    for (const padding of [0, 5]) {
      const stamp = await rig.publish({ encoding, ...encode(rgb, WIDTH, encoding, padding) });
      expect({ encoding, padding, data: (await rig.depthAt(stamp)).data }).toEqual({
        encoding,
        padding,
        data: encoding === 'mono8' ? mono : colour,
      });
    }
  }
});

test('a larger image is averaged over areas; image_rows leaves the bottom out', async () => {
  await rig.start(
    ['-p', 'max_range:=1000.0', '-p', `image_rows:=${HEIGHT * 4}`],
    [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub'],
  );
  const [width, height] = [WIDTH * 3, HEIGHT * 4 + 20];
  const rgb = picture(width, height, 2);
  const depth = floats((await rig.depthAt(await rig.publish({ width, height, ...encode(rgb, width, 'rgb8') }))).data);
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

test('ranges and confidence threshold are REP 117 and change while the node runs', async () => {
  await rig.start([], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3).fill(100); // 39.2 m, confidence .39
  rgb.set([250, 250, 250], 0); // 98 m, confidence .98
  rgb.set([20, 20, 200], 3); // 31.4 m, confidence .78
  const image = { data: Buffer.from(rgb).toString('base64') };
  const firstThree = async (): Promise<number[]> =>
    Array.from(floats((await rig.depthAt(await rig.publish(image))).data).slice(0, 3)).map((value) =>
      Math.round(value),
    );
  expect(await firstThree()).toEqual([Infinity, 31, 39]);
  const set = (name: string, value: number): Promise<Record<string, unknown>> =>
    rig.peer.command('set_parameter', { node: '/depth_node', name, value });
  expect(await set('min_range', 35)).toMatchObject({ successful: true });
  expect(await firstThree()).toEqual([Infinity, -Infinity, 39]);
  expect(await set('confidence_threshold', 0.5)).toMatchObject({ successful: true });
  expect(await firstThree()).toEqual([Infinity, -Infinity, NaN]);
  expect(await set('confidence_threshold', 1.5)).toMatchObject({ successful: false });
  const names = ['autostart', 'max_range'];
  const { descriptors } = await rig.peer.command('describe_parameters', { node: '/depth_node', names });
  expect(descriptors).toMatchObject([
    { name: 'autostart', text: expect.stringContaining('lifecycle'), readOnly: true, range: null },
    { name: 'max_range', text: expect.stringContaining('+Inf'), readOnly: false, range: [0, 1e6] },
  ]);
});

test('the newest frame wins when the network is busy, and every dropped one is counted', async () => {
  const slow = join(rig.folder, 'slow.onnx');
  writeFileSync(slow, tinyModel({ width: 1536, height: 1536 }));
  await rig.start(
    ['-p', `model:=${slow}`, '-p', 'image_queue_depth:=10'],
    [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:best_effort_sub', '/diagnostics=DiagnosticArray:sub'],
  );
  await rig.publish({ times: 60 });
  const { status } = await rig.peer.message('/diagnostics', ({ status }) => {
    const { frames_in, frames_out, dropped } = (status as { values: Record<string, string> }[])[0].values;
    return Number(frames_in) > 5 && Number(frames_in) === Number(frames_out) + Number(dropped);
  });
  const [{ name, hardwareId, values }] = status as {
    name: string;
    hardwareId: string;
    values: Record<string, string>;
  }[];
  expect({ name, hardwareId }).toEqual({ name: '/depth_node: Inference', hardwareId: IMAGE });
  expect(Number(values.dropped)).toBeGreaterThan(0);
  expect(values).toMatchObject({ model_name: 'tiny', model_version: '1.2.3' });
  expect(values.model_sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(Number(values.latency_p95_ms)).toBeGreaterThanOrEqual(Number(values.latency_p50_ms));
});

test('namespace, parameter file and remapped camera_info are honoured; best effort is the default', async () => {
  const parameters = join(rig.folder, 'parameters.yaml');
  writeFileSync(parameters, `/robot/depth_node:\n  ros__parameters:\n    model: ${rig.model}\n    max_range: 1.0\n`);
  const env = rosEnvironment();
  rig.peer = new Peer(
    ['/robot/image=Image:pub', '/elsewhere/info=CameraInfo:pub', '/robot/depth_node/depth=Image:sub'],
    env,
  );
  rig.node = new NodeProcess(
    'depthNode',
    ['-r', '__ns:=/robot', '-r', 'camera_info:=/elsewhere/info', '--params-file', parameters],
    env,
  );
  await rig.peer.matched();
  const image = { frameId: 'a', width: WIDTH, height: HEIGHT, encoding: 'rgb8', stamp: [5, 6] };
  const pixels = encode(picture(WIDTH, HEIGHT, 1), WIDTH, 'rgb8');
  // best effort may lose an image: published until one has come through
  while (rig.peer.received('/robot/depth_node/depth').length === 0) {
    await rig.peer.command('image', { topic: '/robot/image', ...image, ...pixels });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const depth = floats((await rig.peer.message('/robot/depth_node/depth')).data);
  expect(depth.every((value) => value === Infinity)).toBe(true); // all beyond the file's max_range
});

test('the section of a parameter file given last wins, as in rclcpp; without a model the package has one', async () => {
  const [first, last] = ['first', 'last'].map((name) => join(rig.folder, `${name}.yaml`));
  writeFileSync(first, 'depth_node:\n  ros__parameters:\n    model: /first.onnx\n');
  writeFileSync(last, '/**:\n  ros__parameters:\n    model: /last.onnx\n');
  const modelOf = async (...files: string[]): Promise<string> => {
    const node = rig.run(['-r', '__ns:=/robot', ...files.flatMap((file) => ['--params-file', file])]);
    const text = (await node.logged(/model file \S+:|from \S+/)).replace(/^model file |^from |:$/g, '');
    await node.kill();
    return text;
  };
  expect(await modelOf(first, last)).toBe('/last.onnx'); // a launch file's dictionary after config/camera.yaml
  expect(await modelOf(last, first)).toBe('/first.onnx');
  expect(await modelOf()).toBe(join(ROOT, 'models', 'default.onnx'));
});

test('use_sim_time: diagnostics carry the simulated time, maps the stamp of their image', async () => {
  const topics = [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub', '/diagnostics=DiagnosticArray:sub'];
  await rig.start(['-p', 'use_sim_time:=true'], topics);
  const stamp = await rig.publish();
  expect((await rig.depthAt(stamp)).stamp).toEqual(stamp);
  expect((await rig.peer.message('/diagnostics')).stamp).toEqual([0, 0]); // nobody publishes /clock here
});

test.each(['webgpu', 'cuda'])('execution_provider %s: used, or one warning and the CPU', async (provider) => {
  await rig.start(['-p', `execution_provider:=${provider}`], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  await rig.depthAt(await rig.publish());
  const warnings = rig.node.count(new RegExp(`execution_provider ${provider} is not to be had here, using cpu`));
  const line = await rig.node.logged(/model tiny 1\.2\.3 \(96x64, \w+/);
  expect({ warnings, provider: line.split(', ')[1] }).toEqual(
    warnings === 0 ? { warnings: 0, provider } : { warnings: 1, provider: 'cpu' },
  );
});
