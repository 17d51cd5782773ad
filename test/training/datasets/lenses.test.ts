/** Recordings under every model of lens, prepared from end to end: OpenCV (initUndistortRectifyMap, remap, cut, shrunk by areas) is the referee. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { stringify } from 'yaml';
import { cropIntrinsics, scaleIntrinsics, type Intrinsics } from '../../../src/geometry/camera';
import { readCameraFile } from '../../../src/media/cameraFile';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { PREPARED_FILES, type PreparedDrive } from '../../../src/training/datasets/prepared';
import type { Recording } from '../../../src/training/datasets/recording';
import { readRecipe } from '../../../src/training/recipe';
import { readRunCamera, writeRunCamera } from '../../../src/training/runCamera';
import { cameraInfoMessage, imageMessage, writeMcap } from '../../support/bagWriter';
import { writeDepth, writeGrey, writeLabels } from '../../support/layouts';
import { plumbBob } from '../../support/lensPoints';
import { bytes, difference, opencv } from '../../support/opencv';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-lenses-'));
const cache = join(root, 'prepared');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const [WIDTH, HEIGHT] = [640, 360];
const USABLE_ROWS = 300;
/** Of the prepared frames: from the bag, all rows; from the folder, the usable ones. Rounded up to a multiple of 8. */
const [OUT_WIDTH, BAG_HEIGHT, FOLDER_HEIGHT] = [208, 120, 104];

const LENSES = [
  { model: 'plumb_bob', focal: [578.5, 576, 333.5, 193], d: [-0.256779, 0.043388, -0.000687, 0.000126, -0.115031] },
  {
    model: 'rational_polynomial',
    focal: [310, 311, 317.75, 182.25],
    d: [9.5, 4.2, 0.0002, -0.00015, 0.12, 9.9, 7.6, 1.1],
  },
  { model: 'equidistant', focal: [215, 215.5, 320.25, 178.75], d: [-0.012, 0.021, -0.018, 0.004] },
];

interface Rectified {
  image: string;
  expected: string;
}

const matrixK = ({ fx, fy, cx, cy }: Intrinsics): number[] => [fx, 0, cx, 0, fy, cy, 0, 0, 1];
const matrixP = ({ fx, fy, cx, cy }: Intrinsics): number[] => [fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0];

function frameOf(drive: PreparedDrive, index: number): Uint8Array {
  const frame = new Uint8Array(drive.width * drive.height * 3);
  drive.readFrame(index, frame);
  return frame;
}

describe.each(LENSES)('$model', ({ model, focal: [fx, fy, cx, cy], d }) => {
  const camera = { width: WIDTH, height: HEIGHT, fx, fy, cx, cy };
  const lens = { model, k: matrixK(camera), d, r: [1, 0, 0, 0, 1, 0, 0, 0, 1], p: matrixP(camera) };
  const name = `${model}_drive`;
  const folder = join(root, name);
  let pictures: Uint8Array[];
  let expected: { bag: Uint8Array; folder: Uint8Array }[];

  beforeAll(() => {
    const command = { op: 'rectified', ...lens, size: [WIDTH, HEIGHT] };
    const answers = [300, 310].map((frame) =>
      opencv<Rectified>([
        { ...command, frame, rows: HEIGHT, output: [OUT_WIDTH, BAG_HEIGHT] },
        { ...command, frame, rows: USABLE_ROWS, output: [OUT_WIDTH, FOLDER_HEIGHT] },
      ]),
    );
    pictures = answers.map(([{ image }]) => bytes(image));
    expected = answers.map(([bag, folder]) => ({ bag: bytes(bag.expected), folder: bytes(folder.expected) }));
  });

  const expectPictures = (drive: PreparedDrive, source: 'bag' | 'folder'): void => {
    expect(drive.count).toBe(2);
    expected.forEach((answer, i) => {
      const apart = difference(frameOf(drive, i), answer[source]);
      expect(apart.mean).toBeLessThan(0.7);
      expect(apart.p999).toBeLessThanOrEqual(10);
    });
  };

  test('a bag', async () => {
    const bag = join(root, `${model}.mcap`);
    const info = { width: WIDTH, height: HEIGHT, distortion_model: model, d, k: lens.k, p: lens.p };
    await writeMcap(bag, [
      cameraInfoMessage('/cam/camera_info', 1, info),
      ...pictures.map((data, i) => imageMessage('/cam/image_raw', 1 + i / 10, WIDTH, HEIGHT, { data })),
    ]);
    const drive = await prepare(await openRecording(bag), cache, { width: OUT_WIDTH, progress: false });
    expect(drive.height).toBe(BAG_HEIGHT);
    expectPictures(drive, 'bag');
    drive.close();
  });

  test('a folder of pictures, its depth and labels by the same rays', async () => {
    mkdirSync(join(folder, 'image'), { recursive: true });
    const calibration = { image_width: WIDTH, image_height: HEIGHT, fx, fy, cx, cy, usable_rows: USABLE_ROWS };
    // One metre a step: frame 0 holds columns, frame 1 rows, from 1 on. Classes are strips of four pixels.
    const about = { ...calibration, distortion_model: model, distortion: d, depth_scale_per_m: 1 };
    writeFileSync(join(folder, 'calib.yaml'), stringify(about));
    const coordinate = (i: number) => (u: number, v: number) => (i === 0 ? u : v);
    for (const [i, data] of pictures.entries()) {
      const raw = { width: WIDTH, height: HEIGHT, channels: 3 as const };
      await sharp(data, { raw })
        .png({ compressionLevel: 1 })
        .toFile(join(folder, 'image', `${i}.png`));
      const of = coordinate(i);
      await writeDepth(join(folder, 'depth', `${i}.png`), WIDTH, HEIGHT, (u, v) => 1 + of(u, v));
      await writeLabels(join(folder, 'labels', `${i}.png`), WIDTH, HEIGHT, (u, v) => of(u, v) >> 2);
    }
    const drive = await prepare(await openRecording(folder), cache, { width: OUT_WIDTH, progress: false });
    expect(drive.height).toBe(FOLDER_HEIGHT);
    expectPictures(drive, 'folder');

    const view = scaleIntrinsics(cropIntrinsics(camera, 0, 0, WIDTH, USABLE_ROWS), OUT_WIDTH, FOLDER_HEIGHT);
    expect(drive.intrinsics).toMatchObject({ fx: expect.closeTo(view.fx, 6), cy: expect.closeTo(view.cy, 6) });
    const output = [OUT_WIDTH, FOLDER_HEIGHT];
    const [{ map }] = opencv<{ map: string }>([{ op: 'lens_map', ...lens, p: matrixP(view), output }]);
    const rays = new Float32Array(bytes(map).buffer);
    const depth = new Float32Array(OUT_WIDTH * FOLDER_HEIGHT);
    const labels = new Uint8Array(OUT_WIDTH * FOLDER_HEIGHT);
    for (const axis of [0, 1]) {
      drive.depth!.read(axis, depth);
      drive.labels!.read(axis, labels);
      let sum = 0;
      let worst = 0;
      let otherClass = 0;
      for (let pixel = 0; pixel < depth.length; pixel++) {
        const at = rays[2 * pixel + axis];
        const apart = depth[pixel] - 1 - at;
        sum += apart;
        worst = Math.max(worst, Math.abs(apart));
        if (labels[pixel] !== Math.round(at) >> 2) otherClass++;
      }
      // A pixel covers about three by three of the source: the lower median of their columns is one of them, half a step low at most.
      expect(worst).toBeLessThan(2);
      expect(Math.abs(sum / depth.length)).toBeLessThan(0.5);
      // OpenCV's fisheye map is of single precision: a ray between two pixels may go to the other.
      expect(otherClass).toBeLessThan(depth.length / 1000);
    }
    drive.close();
  });

  test('the run folder keeps it for the export', async () => {
    const recipe = readRecipe('config/recipes/quick.yaml');
    const data = { ...recipe.data, drives: [folder] };
    await writeRunCamera({ ...recipe, data }, root);
    const own = await readCameraFile(join(folder, 'calib.yaml'));
    const kept = await readRunCamera(recipe, root);
    expect(kept.distortion).toEqual(own.distortion);
    expect(kept).toMatchObject({ intrinsics: own.intrinsics, usableRows: USABLE_ROWS });
  });
});

describe('a calib.yaml', () => {
  const camera = { image_width: 96, image_height: 64, fx: 90, fy: 90, cx: 47.5, cy: 31.5 };
  const read = (lens: object) => {
    const path = join(root, 'calib.yaml');
    writeFileSync(path, stringify({ ...camera, ...lens }));
    return readCameraFile(path);
  };

  test('without distortion_model is of plumb_bob, as before there were others', async () => {
    expect((await read({})).distortion).toEqual({ model: 'plumb_bob', coefficients: [] });
    expect((await read({ distortion: [-0.2, 0.1] })).distortion).toEqual(plumbBob(-0.2, 0.1));
  });

  const bad: [string, object, RegExp][] = [
    [
      'an unknown model',
      { distortion_model: 'fisheye', distortion: [0.1, 0, 0, 0] },
      /calib\.yaml:[^]*equidistant[^]*distortion_model/,
    ],
    [
      'too few',
      { distortion_model: 'equidistant', distortion: [0.1] },
      /has 1 coefficients, equidistant 4[^]*at distortion/,
    ],
    ['too many', { distortion: [0, 0, 0, 0, 0, 0.1] }, /has 6 coefficients, plumb_bob 5[^]*at distortion/],
    ['none', { distortion_model: 'rational_polynomial' }, /has 0 coefficients, rational_polynomial 8/],
    ['zeros', { distortion_model: 'equidistant', distortion: [0, 0, 0, 0] }, /all zero says rectified in ROS: .*1e-9/],
  ];
  test.each(bad)('%s: the error names file and field', async (_, lens, message) => {
    await expect(read(lens)).rejects.toThrow(message);
    await expect(read(lens)).rejects.toThrow('calib.yaml');
  });
});

describe('copies that were prepared before', () => {
  const bag = `${join(__dirname, '../../fixtures/bags/mcap')}#image=/rgb8/image_raw,camera_info=/front/camera_info,speed=/odom`;
  const size = { width: 16, height: 12, progress: false };
  const prepared = async (change: Partial<Recording['camera']> = {}) => {
    const recording = await openRecording(bag);
    const drive = await prepare({ ...recording, camera: { ...recording.camera, ...change } }, cache, size);
    drive.close();
    return drive.folder;
  };

  test('of plumb_bob hold: name and pictures as when it was the only model', async () => {
    const folder = await prepared();
    expect(basename(folder)).toBe('mcap-8e4cc289371d');
    const pixels = readFileSync(join(folder, PREPARED_FILES.image));
    expect(createHash('sha256').update(pixels).digest('hex')).toMatch(/^dbb0143d16494ccd/);
  });

  test('of other lenses are others, and so are those of a plumb_bob that folds back within the view', async () => {
    const equidistant = { model: 'equidistant' as const, coefficients: [-0.25, 0.04, 0.001, -0.002] };
    const folders = await Promise.all([
      prepared(),
      prepared({ distortion: equidistant }),
      prepared({ distortion: plumbBob(...equidistant.coefficients) }),
      prepared({ distortion: plumbBob(-1.2) }),
    ]);
    expect(new Set(folders).size).toBe(4);
    expect(basename(folders[3])).not.toBe('mcap-3441bed7c628'); // what it was named when pixels were read from the fold
  });

  test('a lens that leaves no view is named with the file and the field, and what to do', async () => {
    const lens = 'distortion \\(d of a camera_info\\) of plumb_bob \\[-40\\]';
    const what = `${lens} leaves no view without black corners; calibrate again, with the board in the corners$`;
    await expect(prepared({ distortion: plumbBob(-40) })).rejects.toThrow(new RegExp(`mcap\\.mcap: ${what}`));
    const drive = join(root, 'no_view');
    for (const name of ['0.png', '1.png']) await writeGrey(join(drive, 'image', name), 96, 64, 100);
    const camera = { image_width: 96, image_height: 64, fx: 90, fy: 90, cx: 47.5, cy: 31.5, distortion: [-40] };
    writeFileSync(join(drive, 'calib.yaml'), stringify(camera));
    const preparing = prepare(await openRecording(drive), cache, size);
    await expect(preparing).rejects.toThrow(new RegExp(`/no_view: ${what}`));
  });
});
