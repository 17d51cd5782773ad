/** depth_node on the cameras there are: compressed transport, raw sensor encodings, lenses, sizes that change. OpenCV is the referee. */
import { readFileSync } from 'node:fs';
import { CAMERA, DepthNodeRig, HEIGHT, IMAGE, INFO, picture, encode, stamped, WIDTH } from '../support/depthNode';
import { LENSES } from '../support/lenses';
import { bytes, opencv } from '../support/opencv';
import { floats, Peer, rosEnvironment, type PeerMessage } from '../support/ros';

const COMPRESSED = `${IMAGE}/compressed`;
const DEPTH = '/depth_node/depth';
const ONLY_DEPTH = ['-p', 'max_range:=1000.0'];
/** Depth of the tiny network per grey level. */
const METRES = 100 / 255;
const output = [WIDTH, HEIGHT];

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

interface Encoded {
  file: string;
  expected: string;
}

/** The tiny network's depth of a picture. */
function depthOf(rgb: Uint8Array): Float32Array {
  return Float32Array.from(
    { length: rgb.length / 3 },
    (_, i) => ((rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]) / 3) * METRES,
  );
}

/** Mean difference of two depth maps where both are finite, in grey levels of the picture. */
function levelsApart(a: Float32Array, b: Float32Array): number {
  const both = [...a.keys()].filter((i) => Number.isFinite(a[i]) && Number.isFinite(b[i]));
  return both.reduce((sum, i) => sum + Math.abs(a[i] - b[i]), 0) / both.length / METRES;
}

const later = (): [number, number] => {
  rig.seconds += 0.04;
  return [Math.floor(rig.seconds), Math.round((rig.seconds % 1) * 1e9)];
};

async function publishCompressed(format: string, data: string, times = 1): Promise<[number, number]> {
  const stamp = later();
  await rig.peer.command('compressed_image', {
    topic: COMPRESSED,
    frameId: 'front_optical',
    format,
    data,
    stamp,
    times,
  });
  return stamp;
}

test('image_transport compressed: JPEG and PNG on image/compressed; what is damaged is named once and left out', async () => {
  const [jpeg, png, grey, deep] = opencv<Encoded>([
    { op: 'encoded', output, extension: '.jpg' },
    { op: 'encoded', output, extension: '.png', size: [640, 400] },
    { op: 'encoded', output, extension: '.jpg', grey: true },
    { op: 'encoded', output, extension: '.png', deep: true, size: [320, 200] },
  ]);
  await rig.start(
    [...ONLY_DEPTH, '-p', 'image_transport:=compressed'],
    [
      `${COMPRESSED}=CompressedImage:pub`,
      `${INFO}=CameraInfo:pub`,
      `${DEPTH}=Image:sub`,
      '/diagnostics=DiagnosticArray:sub',
    ],
  );
  for (const [format, { file, expected }] of [
    ['jpeg', jpeg],
    ['rgb8; jpeg compressed bgr8', jpeg],
    ['bgr8; png compressed bgr8', png],
    ['mono8; jpeg compressed ', grey],
  ] as const) {
    const depth = await rig.depthAt(await publishCompressed(format, file));
    expect(depth).toMatchObject({ frameId: 'front_optical', width: WIDTH, height: HEIGHT });
    expect(levelsApart(floats(depth.data), depthOf(bytes(expected)))).toBeLessThan(1.5);
  }

  const cut = Buffer.from(bytes(jpeg.file).slice(0, 30_000)).toString('base64');
  for (let i = 0; i < 3; i++) await publishCompressed('jpeg', cut);
  await rig.node.logged(/\/front\/image_raw\/compressed: image ignored: data of format "jpeg" cannot be decoded/);
  await publishCompressed('png', deep.file);
  await publishCompressed('16UC1; compressedDepth', deep.file);
  await rig.node.logged(
    /\/front\/image_raw\/compressed: image ignored: format is "16UC1; compressedDepth", a depth image/,
  );
  await rig.depthAt(await publishCompressed('jpeg', jpeg.file));
  expect(rig.node.count(/cannot be decoded/)).toBe(1);
  const { status } = await rig.peer.message('/diagnostics', ({ status }) => {
    const { rejected, dropped } = (status as { values: Record<string, string> }[])[0].values;
    return Number(rejected) + Number(dropped) === 5;
  });
  expect((status as { values: Record<string, string> }[])[0].values).toMatchObject({
    frames_in: '10',
    frames_out: '5',
  });
});

test('compressed images that a newer one overtakes are dropped, counted, and the newest gets its depth', async () => {
  const [{ file }] = opencv<Encoded>([{ op: 'encoded', output, extension: '.jpg' }]);
  await rig.start(
    [...ONLY_DEPTH, '-p', 'image_transport:=compressed', '-p', 'image_queue_depth:=10'],
    [`${COMPRESSED}=CompressedImage:pub`, `${DEPTH}=Image:best_effort_sub`, '/diagnostics=DiagnosticArray:sub'],
  );
  const [seconds, nanoseconds] = await publishCompressed('jpeg', file, 60);
  await rig.depthAt([seconds, nanoseconds + 59 * 1_000_000]);
  const { status } = await rig.peer.message('/diagnostics', ({ status }) => {
    const { frames_in, frames_out, dropped } = (status as { values: Record<string, string> }[])[0].values;
    return Number(frames_in) > 5 && Number(frames_out) + Number(dropped) === Number(frames_in);
  });
  expect(Number((status as { values: Record<string, string> }[])[0].values.dropped)).toBeGreaterThan(0);
});

test('bayer and yuv422 images: the depth of the picture that was taken', async () => {
  const encodings = [
    'bayer_rggb8',
    'bayer_bggr8',
    'bayer_gbrg8',
    'bayer_grbg8',
    'yuv422',
    'yuv422_yuy2',
    'uyvy',
    'yuyv',
  ];
  const size = [640, 400];
  const answers = opencv<{ raw: string; step: number; expected: string }>(
    encodings.map((encoding) => ({ op: 'raw_image', encoding, size, output })),
  );
  await rig.start(ONLY_DEPTH, [`${IMAGE}=Image:pub`, `${DEPTH}=Image:sub`]);
  for (const [i, encoding] of encodings.entries()) {
    const { raw, step, expected } = answers[i];
    const depth = await rig.depthAt(await rig.publish({ encoding, step, width: size[0], height: size[1], data: raw }));
    expect({ encoding, apart: levelsApart(floats(depth.data), depthOf(bytes(expected))) < 1 }).toEqual({
      encoding,
      apart: true,
    });
  }
});

describe('a distorted camera', () => {
  const [width, height] = [1280, 720];
  const rows = 640;

  async function seen(lens: (typeof LENSES)[number][1], options: string[]) {
    const [answer] = opencv<{ image: string; expected: string; seen: string }>([
      { op: 'rectified', ...lens, rows, output },
    ]);
    await rig.start([...ONLY_DEPTH, '-p', `image_rows:=${rows}`, ...options]);
    await rig.peer.command('camera_info', { topic: INFO, width, height, frameId: 'front_optical', ...lens });
    const image = { width, height, step: 3 * width, data: answer.image };
    do await rig.depthAt(await rig.publish(image));
    while (rig.peer.received('/depth_node/camera_info').length === 0);
    const stamp = await rig.publish(image);
    const depth = await rig.depthAt(stamp);
    const info = await rig.peer.message('/depth_node/camera_info', stamped(stamp));
    const confidence = await rig.peer.message('/depth_node/confidence', stamped(stamp));
    return { answer, depth, info, confidence: floats(confidence.data) };
  }

  test.each(LENSES.filter(([name]) => !name.includes('stereo')))(
    '%s: depth of the rectified picture, its camera_info, nothing where no pixel shows it',
    async (_, lens) => {
      const { answer, depth, info, confidence } = await seen(lens, []);
      const share = new Float32Array(bytes(answer.seen).buffer);
      const values = floats(depth.data);
      const expected = depthOf(bytes(answer.expected)).map((z, i) => (share[i] > 0.999 ? z : NaN));
      expect(levelsApart(values, expected)).toBeLessThan(1.5);
      for (let i = 0; i < share.length; i++) {
        if (share[i] === 0)
          expect({ i, depth: values[i], confidence: confidence[i] }).toEqual({ i, depth: NaN, confidence: 0 });
      }
      const missing = values.filter((z) => Number.isNaN(z)).length;
      expect(missing).toBeLessThanOrEqual(share.filter((one) => one < 1).length + share.length / 100);
      const [sx, sy] = [WIDTH / width, HEIGHT / rows];
      const { p } = lens;
      const k = [p[0] * sx, 0, (p[2] + 0.5) * sx - 0.5, 0, p[5] * sy, (p[6] + 0.5) * sy - 0.5, 0, 0, 1];
      (info.k as number[]).forEach((value, i) => expect(value).toBeCloseTo(k[i], 9));
      expect(info).toMatchObject({ width: WIDTH, height: HEIGHT, distortionModel: 'plumb_bob', d: [0, 0, 0, 0, 0] });
      expect(info.r).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
      expect((info.p as number[]).slice(0, 3)).toEqual((info.k as number[]).slice(0, 3));
    },
  );

  test("depth_size camera, 16UC1: the rectified image's own size and camera_info; rows not seen are 0", async () => {
    const [, lens] = LENSES[5];
    const { answer, depth, info } = await seen(lens, ['-p', 'depth_size:=camera', '-p', 'depth_encoding:=16UC1']);
    expect(depth).toMatchObject({ width, height, encoding: '16UC1', step: 2 * width });
    const raw = bytes(depth.data);
    const millimetres = new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2);
    expect(millimetres.subarray(rows * width).every((z) => z === 0)).toBe(true);
    const small = depthOf(bytes(answer.expected));
    const share = new Float32Array(bytes(answer.seen).buffer);
    let apart = 0;
    let count = 0;
    for (let v = 0; v < HEIGHT; v++)
      for (let u = 0; u < WIDTH; u++) {
        const i = v * WIDTH + u;
        const centre = Math.floor(((v + 0.5) * rows) / HEIGHT) * width + Math.floor(((u + 0.5) * width) / WIDTH);
        if (share[i] === 0) expect(millimetres[centre]).toBe(0);
        if (share[i] < 1 || small[i] > 65) continue;
        apart += Math.abs(millimetres[centre] / 1000 - small[i]) / METRES;
        count++;
      }
    expect(count).toBeGreaterThan(1000);
    expect(apart / count).toBeLessThan(2);
    expect(info).toMatchObject({ width, height, p: lens.p, d: [0, 0, 0, 0, 0] });
  });

  test('of an unknown model: named once, seen as it comes', async () => {
    const lens = { ...LENSES[0][1], model: 'kannala' };
    const { depth, info } = await seen(lens, []);
    expect(floats(depth.data).some((z) => Number.isNaN(z))).toBe(false);
    expect(info).toMatchObject({ distortionModel: 'kannala', d: lens.d });
    const named =
      /camera_info of \/front\/image_raw: distortion_model is "kannala" with 5 coefficients; known are plumb_bob/;
    await rig.node.logged(named);
    expect(rig.node.count(named)).toBe(1);
  });

  test('on a topic named image_rect: it is rectified already, and P holds', async () => {
    const [, lens] = LENSES[1];
    const topics = [
      '/front/image_rect=Image:pub',
      `${INFO}=CameraInfo:pub`,
      `${DEPTH}=Image:sub`,
      '/depth_node/camera_info=CameraInfo:sub',
    ];
    const env = rosEnvironment();
    rig.peer = new Peer(topics, env);
    const reliable = ['-p', 'image_reliability:=reliable'];
    rig.run([...ONLY_DEPTH, ...reliable, '-p', `model:=${rig.model}`, '-r', 'image:=/front/image_rect'], env);
    await rig.peer.matched();
    await rig.peer.command('camera_info', { topic: INFO, width, height, frameId: 'front_optical', ...lens });
    const rgb = picture(WIDTH, HEIGHT, 1);
    const image = {
      topic: '/front/image_rect',
      frameId: 'front_optical',
      width: WIDTH,
      height: HEIGHT,
      encoding: 'rgb8',
    };
    let depth: PeerMessage;
    do {
      const stamp = later();
      await rig.peer.command('image', { ...image, stamp, ...encode(rgb, WIDTH, 'rgb8') });
      depth = await rig.depthAt(stamp);
    } while (rig.peer.received('/depth_node/camera_info').length === 0);
    expect(levelsApart(floats(depth.data), depthOf(rgb))).toBeLessThan(0.01);
    const { k, d } = await rig.peer.message('/depth_node/camera_info');
    expect((k as number[])[0]).toBeCloseTo((lens.p[0] * WIDTH) / width, 9);
    expect(d).toEqual([0, 0, 0, 0, 0]);
  });
});

test.each([
  ['no rule', [], INFO],
  ['a rule to the name it has without', ['camera_info:=/camera_info'], '/camera_info'],
  ['a rule of this node', ['depth_node:camera_info:=/camera_info'], '/camera_info'],
  ['a rule of another node', ['rear_node:camera_info:=/rear/camera_info'], INFO],
  ['a rule in a namespace', ['__ns:=/car', '/car/camera_info:=/car/camera_info'], '/car/camera_info'],
])('camera_info, %s: listened to where its own rule says, else beside the image', async (_, rules, topic) => {
  await rig.start(
    rules.flatMap((rule) => ['-r', rule]),
    [`${topic}=CameraInfo:pub`],
  );
  await rig.peer.command('camera_info', { topic, ...CAMERA });
  await rig.node.logged(new RegExp(`${topic}: camera_info of a 192x128 camera`));
});

test("depth_size camera: each pixel the camera's own, with the camera's camera_info", async () => {
  await rig.start([...ONLY_DEPTH, '-p', 'depth_size:=camera']);
  const [width, height] = [WIDTH * 2, HEIGHT * 3];
  const camera = {
    width,
    height,
    frameId: 'front_optical',
    k: [150, 0, 95, 0, 150, 96, 0, 0, 1],
    p: [150, 0, 95, 0, 0, 150, 96, 0, 0, 0, 1, 0],
    d: [],
  };
  await rig.peer.command('camera_info', { topic: INFO, ...camera });
  // Left half near, right half far: no depth between.
  const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
    Math.floor(i / 3) % width < width / 2 ? 50 : 200,
  );
  const image = { width, height, ...encode(rgb, width, 'rgb8') };
  do await rig.depthAt(await rig.publish(image));
  while (rig.peer.received('/depth_node/camera_info').length === 0);
  const depth = await rig.depthAt(await rig.publish(image));
  expect(depth).toMatchObject({ width, height, encoding: '32FC1', step: 4 * width });
  const wrong = floats(depth.data).filter(
    (z, i) => !(Math.abs(z - (i % width < width / 2 ? 50 : 200) * METRES) < 1e-3),
  );
  expect(wrong).toHaveLength(0);
  expect(await rig.peer.message('/depth_node/camera_info')).toMatchObject({ width, height, k: camera.k, p: camera.p });
});

/** MB the process holds. */
const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

test('resolution, encoding and camera_info that are another one at every frame: right depth, no leak, one warning', async () => {
  await rig.start(
    [...ONLY_DEPTH, '-p', 'depth_size:=camera'],
    [`${IMAGE}=Image:pub`, `${INFO}=CameraInfo:pub`, `${DEPTH}=Image:sub`],
  );
  const lenses = LENSES.map(([, lens]) => lens);
  const sizes = [
    [96, 64],
    [320, 200],
    [64, 48],
    [641, 363],
    [192, 128],
    [97, 65],
  ];
  const encodings = ['rgb8', 'mono8', 'bgra8', 'bgr8', 'rgba8'];
  const level = (frame: number): number => 60 + 7 * (frame % 20);
  const show = async (frame: number): Promise<void> => {
    const [width, height] = sizes[frame % sizes.length];
    const lens = lenses[frame % lenses.length];
    const { k, p } = lens;
    if (frame % 3 === 0)
      await rig.peer.command('camera_info', { topic: INFO, width: 1280, height: 720, frameId: 'f', ...lens, k, p });
    const rgb = new Uint8Array(width * height * 3).fill(level(frame));
    const encoding = encodings[frame % encodings.length];
    const stamp = await rig.publish({ width, height, encoding, ...encode(rgb, width, encoding, frame % 4) });
    const depth = await rig.depthAt(stamp);
    expect(depth).toMatchObject({ width, height });
    const values = floats(depth.data);
    const known = values.filter((z) => !Number.isNaN(z));
    expect(known.length).toBeGreaterThan(values.length / 3);
    const wrong = known.filter((z) => !(Math.abs(z - level(frame) * METRES) < 1e-3));
    expect({ frame, wrong: wrong.length }).toEqual({ frame, wrong: 0 });
  };
  for (let frame = 0; frame < 60; frame++) await show(frame);
  const before = residentMegabytes(rig.node.pid);
  for (let frame = 60; frame < 240; frame++) await show(frame);
  expect(residentMegabytes(rig.node.pid) - before).toBeLessThan(40);
  expect(rig.node.count(/width x height changed from/)).toBeLessThan(15); // of 239
}, 300_000);
