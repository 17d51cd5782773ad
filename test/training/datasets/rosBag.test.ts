/** A bag as a recording: which topics, the camera, pixels; on the bags of rosbags (test/fixtures/bags) and on small ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_DISTORTION } from '../../../src/geometry/lens';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { openRosBag, rosBagLayout, splitBagPath } from '../../../src/training/datasets/rosBag';
import { imageMessage, twistMessage, type WrittenMessage } from '../../support/bagWriter';
import { bagsIn, framesOf, image, info } from '../../support/smallBags';

const FIXTURES = join(__dirname, '../../fixtures/bags');
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-rosbag-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const START = 1_700_000_000.123456789;

/** make_bag_fixtures.py's pixels. */
function pixels(moment: number): Uint8Array {
  return Uint8Array.from({ length: 16 * 12 * 3 }, (_, i) => {
    const [v, u, c] = [Math.floor(i / 48), Math.floor(i / 3) % 16, i % 3];
    return (17 * u + 5 * v + 29 * c + 61 * moment) % 256;
  });
}

const INFO = 'camera_info=/front/camera_info';

test.each(['mcap', 'mcap_zstd', 'sqlite3', 'sqlite3_message_zstd', 'chunks_lz4.mcap'])(
  '%s: pixels of every encoding, stamps, rate, camera and speed',
  async (name) => {
    for (const encoding of ['rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'png']) {
      const topic = encoding === 'png' ? '/front/image_raw/compressed' : `/${encoding}/image_raw`;
      const { recording, read } = await framesOf(`${join(FIXTURES, name)}#image=${topic},${INFO},speed=/odom`);
      expect(recording.framesPerSecond).toBeCloseTo(10, 3);
      expect(recording.frameCount).toBe(4);
      expect(recording.camera).toEqual({
        intrinsics: { width: 16, height: 12, fx: 14, fy: 13, cx: 7.25, cy: 5.75 },
        distortion: { model: 'plumb_bob', coefficients: [-0.25, 0.04, 0.001, -0.002, 0.01] },
      });
      expect(read.length).toBe(4);
      read.forEach(({ stamp, image, speed }, i) => {
        expect(stamp).toBeCloseTo(START + 0.1 * i, 6);
        const rgb = pixels(i);
        // mono8 holds the red channel of the picture.
        const expected = encoding === 'mono8' ? rgb.map((_, at) => rgb[at - (at % 3)]) : rgb;
        expect(Buffer.compare(image, expected)).toBe(0);
        expect(speed).toBeCloseTo(2 + 10 * 0.1 * i, 5);
      });
    }
  },
);

test('JPEG images are the pictures to a few levels, the sibling camera_info is found, twist gives the speed', async () => {
  const bag = join(FIXTURES, 'mcap');
  const { read } = await framesOf(`${bag}#image=/jpeg/image_raw/compressed,${INFO},speed=/twist`);
  read.forEach(({ image, speed }, i) => {
    const rgb = pixels(i);
    const difference = image.reduce((sum, value, at) => sum + Math.abs(value - rgb[at]), 0) / image.length;
    expect(difference).toBeLessThan(6); // the pattern jumps from 255 to 0, which JPEG smears
    expect(speed).toBeCloseTo(2 + i, 5);
  });
  const sibling = await openRosBag(`${bag}#image=/front/image_raw/compressed`);
  expect(sibling.camera.intrinsics.fx).toBe(14);
  expect(sibling.variant).toBe('/front/image_raw/compressed /front/camera_info ');
  expect(sibling.sources).toEqual([join(bag, 'mcap.mcap')]);
  expect(sibling.name).toBe('mcap');
  await sibling.close();
});

test('the part behind # names topics', async () => {
  expect(splitBagPath('a#b/bag')).toEqual({ path: 'a#b/bag', topics: {} });
  expect(splitBagPath('bag#speed=/odom,image=/a/b')).toEqual({
    path: 'bag',
    topics: { speed: '/odom', image: '/a/b' },
  });
  expect(() => splitBagPath('bag#/front/image')).toThrow(
    '"/front/image" behind the # is none of image=/topic, camera_info=/topic, speed=/topic',
  );
  expect(await rosBagLayout.matches(`${join(FIXTURES, 'mcap')}#image=/x`)).toBe(true);
  expect(await rosBagLayout.matches(FIXTURES.replace('bags', 'geometry'))).toBe(false);
});

test('is prepared like any other recording, each camera of a bag by itself', async () => {
  const [first, second] = await Promise.all(
    ['rgb8', 'mono8'].map(async (encoding) => {
      const path = `${join(FIXTURES, 'mcap')}#image=/${encoding}/image_raw,${INFO},speed=/odom`;
      return prepare(await openRecording(path), join(folder, 'prepared'), { width: 16, height: 12, progress: false });
    }),
  );
  expect(first.folder).not.toBe(second.folder);
  expect([first.count, second.count]).toEqual([4, 4]);
  expect(Array.from(first.speeds!)).toEqual([2, 3, 4, 5].map((speed) => expect.closeTo(speed, 5)));
  expect(first.stamps![1] - first.stamps![0]).toBeCloseTo(0.1, 6);
  const [colours, greys] = [first, second].map((drive) => {
    const frame = new Uint8Array(16 * 12 * 3);
    drive.readFrame(2, frame);
    drive.close();
    return frame;
  });
  const isGrey = (frame: Uint8Array) => frame.every((value, i) => value === frame[i - (i % 3)]);
  expect([isGrey(colours), isGrey(greys)]).toEqual([false, true]);
});

test('a path of another kind is told of bags among the layouts looked for', async () => {
  await expect(openRecording(join(FIXTURES, 'referee.json'))).rejects.toThrow(/ROS 2 bag: a folder with the metadata/);
  await expect(openRecording(join(folder, 'gone#image=/a'))).rejects.toThrow('no such file or folder');
});

const bag = bagsIn(folder);

describe('topics', () => {
  test('the only camera is taken without being named, the only speed too', async () => {
    const path = await bag([info(), image(1), image(1.1), twistMessage('/v', 0.9, 3), twistMessage('/v', 1.3, 5)]);
    const { read } = await framesOf(path);
    expect(read.map(({ stamp }) => stamp)).toEqual([1, 1.1]);
    expect(read.map(({ speed }) => speed?.toFixed(6))).toEqual(['3.500000', '4.000000']);
  });

  const bad: [string, WrittenMessage[], string, RegExp][] = [
    [
      'no images',
      [info()],
      '',
      /not exactly one topic of images.*it has \/cam\/camera_info \(sensor_msgs\/CameraInfo\)/,
    ],
    [
      'two cameras',
      [image(1), imageMessage('/rear/image', 1, 32, 24), info()],
      '',
      /not exactly one.*\/cam\/image_raw \(sensor_msgs\/Image\), \/rear\/image \(sensor_msgs\/Image\)/,
    ],
    ['an unknown topic', [image(1), info()], '#image=/front', /has no topic \/front; it has \/cam\/camera_info/],
    [
      'a topic of another type',
      [image(1), info()],
      '#image=/cam/camera_info',
      /is sensor_msgs\/CameraInfo; an image is/,
    ],
    [
      'no camera_info',
      [image(1), info({}, '/other/camera_info')],
      '',
      /calibration of \/cam\/image_raw should be on \/cam\/camera_info, which is not in it: .*BAG#camera_info=/,
    ],
    ['a single image', [image(1), info()], '', /no growing stamps: a recording needs at least two/],
  ];
  test.each(bad)('%s: the error says so', async (_, messages, suffix, message) => {
    const path = await bag(messages);
    await expect(openRosBag(path + suffix)).rejects.toThrow(message);
    await expect(openRosBag(path + suffix)).rejects.toThrow(path);
  });
});

describe('the camera', () => {
  const open = async (fields: object, images = [image(1), image(1.1)], topic = '/cam/image_raw') => {
    const moved = images.map((message) => ({ ...message, topic }));
    const recording = await openRosBag(await bag([info(fields), ...moved]));
    await recording.close();
    return recording.camera;
  };

  test('lens: none where all of d is 0', async () => {
    expect(await open({})).toEqual({
      intrinsics: { width: 32, height: 24, fx: 30, fy: 28, cx: 15, cy: 11 },
      distortion: NO_DISTORTION,
    });
  });

  test.each([
    ['equidistant', [0.1, 0, 0, 0.02]],
    ['rational_polynomial', [0.1, 0, 0, 0, 0, 0.2, 0, 0.1]],
  ])('%s has its own coefficients', async (model, d) => {
    expect((await open({ distortion_model: model, d })).distortion).toEqual({ model, coefficients: d });
    expect((await open({ distortion_model: model, d: d.map(() => 0) })).distortion).toEqual(NO_DISTORTION);
  });

  test('a rectified image is seen by P and has no lens', async () => {
    const camera = await open({ d: [0.1, 0, 0, 0, 0] }, undefined, '/cam/image_rect_color');
    expect(camera).toEqual({
      intrinsics: { width: 32, height: 24, fx: 29, fy: 27, cx: 15.5, cy: 11.5 },
      distortion: NO_DISTORTION,
    });
  });

  test('region of interest and binning are taken into account, and an image shrunk later', async () => {
    const roi = { x_offset: 10, y_offset: 4, width: 64, height: 48, do_rectify: false };
    const sensor = { width: 100, height: 80, roi, k: [60, 0, 41, 0, 60, 27, 0, 0, 1] };
    // (41 - 10 + 0.5) / 2 - 0.5, (27 - 4 + 0.5) / 2 - 0.5
    const expected = { width: 32, height: 24, fx: 30, fy: 30, cx: 15.25, cy: 11.25 };
    expect((await open({ ...sensor, binning_x: 2, binning_y: 2 })).intrinsics).toEqual(expected);
    expect((await open(sensor)).intrinsics).toEqual(expected);
  });

  const bad: [string, object, RegExp][] = [
    [
      'an unknown lens',
      { distortion_model: 'kannala', d: [0.1, 0, 0, 0] },
      /distortion_model is "kannala" with 4 coefficients; known are plumb_bob, rational_polynomial, equidistant/,
    ],
    ['eight coefficients', { d: [0.1, 0, 0, 0, 0, 1, 1, 1] }, /d has 8 coefficients; plumb_bob has 5/],
    ['a lens that is no number', { d: [0.1, 0, NaN, 0, 0] }, /d\[2\] is NaN/],
    ['not calibrated', { k: [0, 0, 0, 0, 0, 0, 0, 0, 0] }, /fx, fy are 0, 0: the camera is not calibrated/],
    ['another shape', { width: 64, height: 24 }, /is of a 64x24 image, \/cam\/image_raw is 32x24/],
  ];
  test.each(bad)('%s: the error names topic and field', async (_, fields, message) => {
    await expect(open(fields)).rejects.toThrow(message);
    await expect(open(fields)).rejects.toThrow('/cam/camera_info: ');
  });
});

test('images as sensors and drivers give them: Bayer and yuv422 are read as the colours they stand for', async () => {
  const flat = (bytesOfBlock: number[], step: number): object => ({
    step,
    data: Uint8Array.from({ length: 24 * step }, (_, i) => {
      const [row, column] = [Math.floor(i / step), i % step];
      return bytesOfBlock.length === 4 && step === 32
        ? bytesOfBlock[2 * (row % 2) + (column % 2)]
        : bytesOfBlock[column % 4];
    }),
  });
  const path = await bag([
    info(),
    image(1, { encoding: 'bayer_grbg8', ...flat([120, 200, 40, 120], 32) }),
    image(1.1, { encoding: 'yuv422_yuy2', ...flat([128, 128, 128, 128], 64) }),
  ]);
  const { read } = await framesOf(path);
  const colours = read.map(({ image }) => [...image.slice(0, 3), ...image.slice(-3)]);
  expect(colours).toEqual([
    [200, 120, 40, 200, 120, 40],
    [130, 130, 130, 130, 130, 130],
  ]);
});
