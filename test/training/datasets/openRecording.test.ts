import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import sharp from 'sharp';
import { readDepthImage } from '../../../src/media/depthImage';
import { openDataSets } from '../../../src/training/data';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { PreparedDrive } from '../../../src/training/datasets/prepared';
import type { RecordedFrame } from '../../../src/training/datasets/recording';
import { associate } from '../../../src/training/datasets/tumRgbd';
import { registerPrepare } from '../../../src/training/prepareCommand';
import { Random } from '../../../src/training/random';
import { readRecipe } from '../../../src/training/recipe';
import {
  FRAMES,
  KITTI,
  level,
  makeKittiOdometry,
  makeKittiRaw,
  makePictureFolder,
  makeSevenScenes,
  makeTumRgbd,
  writeGrey,
  writeLabels,
} from '../../support/layouts';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-recordings-'));
const cache = join(root, 'prepared');
const nyu = join(__dirname, 'fixtures', 'nyu_small.mat');
const shared = resolve(process.env.DEPTHGRAD_SHARED_DATA ?? join(__dirname, '../../../../shared/data'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function readAll(path: string): Promise<RecordedFrame[]> {
  const recording = await openRecording(path);
  const frames: RecordedFrame[] = [];
  for await (const frame of recording.frames()) frames.push(frame);
  await recording.close();
  expect(recording.frameCount).toBe(frames.length);
  return frames;
}

/** Pixels that have depth, as u, v, Z. */
function points(depth: Float32Array | undefined, width: number): number[][] {
  return Array.from(depth ?? []).flatMap((z, i) => (z > 0 ? [[i % width, Math.floor(i / width), z]] : []));
}

function translation(frame: RecordedFrame): number[] {
  return Array.from(frame.pose?.translation ?? []);
}

describe('KITTI raw', () => {
  let drive: string;
  beforeAll(async () => {
    drive = await makeKittiRaw(root);
  });

  test('calibration, times, both cameras, LiDAR and oxts are read', async () => {
    const recording = await openRecording(drive);
    expect(recording).toMatchObject({ name: '2011_09_26_drive_0001_sync', frameCount: FRAMES });
    expect(recording.framesPerSecond).toBeCloseTo(10, 4);
    expect(recording.baseline).toBeCloseTo(KITTI.baseline, 12);
    expect(recording.camera.intrinsics).toEqual({ width: 100, height: 60, fx: 100, fy: 100, cx: 50, cy: 30 });
    const frames = await readAll(drive);
    frames.forEach((frame, i) => {
      expect(frame.stamp - Date.UTC(2011, 8, 26, 13, 2, 25) / 1000).toBeCloseTo(0.1 * i, 6);
      expect(new Set(frame.image)).toEqual(new Set([level(i)]));
      expect(new Set(frame.right)).toEqual(new Set([level(i) + 10]));
      expect(frame.speed).toBe(10);
      [0, 0, i].forEach((x, k) => expect(translation(frame)[k]).toBeCloseTo(x, 6));
      [1, 0, 0, 0, 1, 0, 0, 0, 1].forEach((x, k) => expect(frame.pose?.rotation[k]).toBeCloseTo(x, 9));
    });
    // u = 50 + 100 * 0.06 / 10 = 50.6 and v = 30; u = 50 + 100 * 2.06 / 5 = 91.2 and v = 30 + 100 * 1 / 5.
    for (const i of [0, 2]) {
      const [near, side, ...others] = points(frames[i].depth, KITTI.width);
      expect(others).toEqual([]);
      expect([near[0], near[1], side[0], side[1]]).toEqual([51, 30, 91, 50]);
      expect(near[2]).toBeCloseTo(10, 5);
      expect(side[2]).toBeCloseTo(5, 5);
    }
    expect(frames[1].depth).toBeUndefined();
  });

  test('prepare keeps every channel, and returns of the LiDAR survive shrinking unmixed', async () => {
    const drivePrepared = await prepare(await openRecording(drive), cache, { width: 50, progress: false });
    expect(drivePrepared).toMatchObject({ count: FRAMES, width: 50, height: 32 });
    expect(drivePrepared.baseline).toBeCloseTo(KITTI.baseline, 12);
    expect(drivePrepared.intrinsics).toMatchObject({ fx: 50, cx: 24.75 });
    expect(Array.from(drivePrepared.speeds ?? [])).toEqual([10, 10, 10]);
    expect(drivePrepared.poses?.[2]?.translation[2]).toBeCloseTo(2, 6);
    expect((drivePrepared.stamps?.[2] ?? 0) - (drivePrepared.stamps?.[0] ?? 0)).toBeCloseTo(0.2, 6);
    expect([0, 1, 2].map((i) => drivePrepared.depth?.has(i))).toEqual([true, false, true]);
    const depth = new Float32Array(50 * 32);
    drivePrepared.depth?.read(2, depth);
    // Rows: 60 to 32, so v = 30 lies in row floor(30.5 * 32 / 60) = 16 and v = 50 in row 26.
    expect(points(depth, 50).map(([u, v, z]) => [u, v, Math.round(1000 * z)])).toEqual([
      [25, 16, 10000],
      [45, 26, 5000],
    ]);
    const right = new Uint8Array(50 * 32 * 3);
    drivePrepared.right?.read(1, right);
    expect(new Set(right)).toEqual(new Set([level(1) + 10]));
    expect(() => drivePrepared.depth?.read(1, depth)).toThrow(/depth\.bin: holds nothing for frame 1/);
    drivePrepared.close();
    truncateSync(join(drivePrepared.folder, 'depth.bin'), 100);
    expect(() => PreparedDrive.open(drivePrepared.folder)).toThrow(/depth\.bin: 2 frames of 50x32 take 12800 bytes/);
  });

  test('what is missing or broken is named', async () => {
    const copy = await makeKittiRaw(join(root, 'broken'));
    const scan = join(copy, 'velodyne_points', 'data', '0000000002.bin');
    truncateSync(scan, 40);
    await expect(readAll(copy)).rejects.toThrow(/0000000002\.bin: 40 bytes are no whole number of points/);
    rmSync(join(copy, '..', 'calib_velo_to_cam.txt'));
    await expect(openRecording(copy)).rejects.toThrow(/calib_velo_to_cam\.txt: it says where the LiDAR is.*ENOENT/);
    const calibration = join(copy, '..', 'calib_cam_to_cam.txt');
    writeFileSync(calibration, readFileSync(calibration, 'utf8').replace('P_rect_02', 'P_rect_99'));
    await expect(openRecording(copy)).rejects.toThrow(
      /calib_cam_to_cam\.txt: the line "P_rect_02: <12 numbers>" is not there/,
    );
    rmSync(calibration);
    await expect(openRecording(copy)).rejects.toThrow(/drive_0001_sync: neither it nor the folder above has calib_cam/);
  });
});

test('KITTI odometry: grey stereo with the baseline of P1, poses of camera 0, LiDAR by Tr', async () => {
  const sequence = await makeKittiOdometry(root);
  const recording = await openRecording(sequence);
  expect(recording).toMatchObject({ name: 'kitti_odometry_07', baseline: 0.54, frameCount: FRAMES });
  const frames = await readAll(sequence);
  frames.forEach((frame, i) => {
    expect(frame.stamp).toBeCloseTo(0.1 * i, 9);
    expect(new Set(frame.image)).toEqual(new Set([level(i)]));
    expect(new Set(frame.right)).toEqual(new Set([level(i) + 10]));
    expect(translation(frame)).toEqual([0, 0, i]);
    // From camera 0: u = 50, and 50 + 100 * 2 / 5.
    expect(points(frame.depth, KITTI.width).map(([u, v, z]) => [u, v, Math.round(1000 * z)])).toEqual([
      [50, 30, 10000],
      [90, 50, 5000],
    ]);
  });
  // Colour cameras go first once they are there, and the pose is theirs: 0.06 m to the left.
  for (const [from, to] of [
    ['image_0', 'image_2'],
    ['image_1', 'image_3'],
  ]) {
    mkdirSync(join(sequence, to));
    for (const name of readdirSync(join(sequence, from)))
      writeFileSync(join(sequence, to, name), readFileSync(join(sequence, from, name)));
  }
  const colour = await openRecording(sequence);
  expect(colour.baseline).toBeCloseTo(0.54, 12);
  expect(colour.variant).toBe('image_2');
  for await (const frame of colour.frames()) {
    expect(translation(frame)[0]).toBeCloseTo(-0.06, 12);
    expect(points(frame.depth, KITTI.width)[0].slice(0, 2)).toEqual([51, 30]);
    break;
  }
});

test('TUM RGB-D: files and poses are associated by time, depth in fifths of a millimetre', async () => {
  const folder = await makeTumRgbd(root);
  const recording = await openRecording(folder);
  expect(recording.camera.intrinsics).toEqual({ width: 640, height: 480, fx: 535.4, fy: 539.2, cx: 320.1, cy: 247.6 });
  const frames = await readAll(folder);
  expect(frames.map(({ depth }) => depth !== undefined)).toEqual([true, false, true]);
  const depth = frames[2].depth ?? new Float32Array();
  expect([depth[5], depth[640], depth[640 + 319], depth[640 + 320], depth[639 + 479 * 640]]).toEqual([0, 2, 2, 3, 3]);
  frames.forEach((frame, i) => {
    expect(new Set(frame.image)).toEqual(new Set([level(i)]));
    expect(translation(frame)).toEqual([i, 0, 1.5]);
    [0, 0, 1, -1, 0, 0, 0, -1, 0].forEach((x, k) => expect(frame.pose?.rotation[k]).toBeCloseTo(x, 12));
  });
  const drive = await prepare(await openRecording(folder), cache, { width: 160, progress: false });
  const small = new Float32Array(drive.width * drive.height);
  drive.depth?.read(0, small);
  // Shrunk by 4: no value between the two sides, none pulled down by the row without depth.
  expect(new Set(small)).toEqual(new Set([2, 3]));
  expect(drive.framesPerSecond).toBeCloseTo(10, 5);
  drive.close();
});

test('association takes the closest pairs first and every entry once', () => {
  const at = (...stamps: number[]) => stamps.map((stamp) => ({ stamp }));
  expect(associate(at(0, 0.01, 1), at(0.012, 1.5))).toEqual([undefined, 0, undefined]);
  expect(associate(at(0, 0.015), at(0.01, 0.03))).toEqual([undefined, 0]);
  expect(associate(at(0, 0.015), at(0.008, 0.03))).toEqual([undefined, 0]);
  expect(associate(at(0, 1, 2), at(0.001, 1.019, 2.021))).toEqual([0, 1, undefined]);
});

test('7-Scenes: 65535 and 0 are no depth, poses are camera to world', async () => {
  const folder = await makeSevenScenes(root);
  const recording = await openRecording(folder);
  expect(recording).toMatchObject({ name: 'office_seq-02', framesPerSecond: 30 });
  expect(recording.camera.intrinsics).toMatchObject({ fx: 585, fy: 585, cx: 320, cy: 240 });
  const frames = await readAll(folder);
  frames.forEach((frame, i) => {
    expect(translation(frame)).toEqual([i + 0.5, 2, 3]);
    expect(Array.from(frame.pose?.rotation ?? [])).toEqual([0, 0, 1, -1, 0, 0, 0, -1, 0]);
    expect(new Set(frame.depth?.subarray(0, 640))).toEqual(new Set([0]));
    expect(new Set(frame.depth?.subarray(640))).toEqual(new Set([1.5]));
    expect(frame.image[0]).toBe(level(i));
  });
});

test('NYU Depth V2: pictures of a MATLAB file are turned upright and cut to the valid part, and do not follow each other', async () => {
  const frames = await readAll(nyu);
  expect(frames.length).toBe(3);
  frames.forEach(({ image, depth }, n) => {
    for (const [u, v] of [
      [0, 0],
      [560, 426],
      [123, 45],
      [300, 195],
      [300, 196],
    ]) {
      // The cut part starts at column 40, row 44.
      const at = v * 561 + u;
      expect([...image.subarray(3 * at, 3 * at + 3)]).toEqual([(u + 40) % 256, (v + 44) % 256, 10 + 40 * n]);
      expect(depth?.[at]).toBeCloseTo(1 + n + (u + 40) / 128 + (v + 44 >= 240 ? 0.5 : 0), 5);
    }
  });
  const drive = await prepare(await openRecording(nyu), cache, { width: 112, progress: false });
  expect(Array.from(drive.motion)).toEqual([-1, -1, 0]);
  expect(drive.depth?.count).toBe(3);
  expect(drive.intrinsics.fx).toBeCloseTo((518.85790117 * 112) / 561, 6);
  drive.close();
});

test('a damaged NYU file is named with the picture', async () => {
  const cut = join(root, 'cut.mat');
  const whole = readFileSync(nyu);
  writeFileSync(cut, whole.subarray(0, 20000));
  await expect(openRecording(cut)).rejects.toThrow(/cut\.mat: .*\(truncated file: .*\); download it again/);
  const damaged = join(root, 'damaged.mat');
  // Past the headers, inside the deflated chunks.
  writeFileSync(damaged, Buffer.from(whole).fill(0x55, 16000, 16100));
  await expect(readAll(damaged)).rejects.toThrow(/damaged\.mat: picture \d of "(images|depths)" cannot be read \(.*\)/);
});

test('a folder of pictures takes what lies beside them', async () => {
  const folder = await makePictureFolder(root);
  const recording = await openRecording(folder);
  expect(recording).toMatchObject({ name: 'cut_down', framesPerSecond: 5, baseline: 0.12 });
  const frames = await readAll(folder);
  frames.forEach((frame, i) => {
    expect(frame.stamp).toBeCloseTo(i / 5, 12);
    expect(frame.right?.[0]).toBe(level(i) + 10);
    expect(translation(frame)).toEqual([i, 0, 0]);
    if (i === 1) expect(frame.depth).toBeUndefined();
    else expect(Array.from(frame.depth?.subarray(0, 48) ?? [])).toEqual(Array.from({ length: 48 }, (_, u) => u + 1));
    if (i === 1) expect(frame.labels).toBeUndefined();
    else
      expect([...frame.labels!.subarray(0, 96)]).toEqual(
        Array.from({ length: 96 }, (_, u) => (u < 48 ? 255 : (u - 48) % 7)),
      );
  });
  writeFileSync(join(folder, 'poses_kitti.txt'), '1 0 0 0 0 1 0 0 0 0 1 0\n');
  await expect(openRecording(folder)).rejects.toThrow(/poses_kitti\.txt: it has 1 poses for 3 pictures/);
  writeFileSync(join(folder, 'poses_kitti.txt'), '1 0 0 0 0 1 0 zero 0 0 1 0\n');
  await expect(openRecording(folder)).rejects.toThrow(/poses_kitti\.txt: line 1: 12 numbers are needed/);
  rmSync(join(folder, 'poses_kitti.txt'));
  rmSync(join(folder, 'calib.yaml'));
  await expect(openRecording(folder, { cameraFile: 'config/cameras/udacity.yaml' })).rejects.toThrow(
    /0\.png: is 48x32, but config.*udacity\.yaml is of a 1280x720 camera; give the camera file of these pictures/,
  );
  await expect(openRecording(folder)).rejects.toThrow(/cut_down: it has no calib\.yaml; give a camera file/);
});

test('label images are prepared by the nearest pixel; those without labels, and copies made before there were any, are none', async () => {
  const folder = await makePictureFolder(join(root, 'labelled'));
  const recording = await openRecording(folder);
  const before = await prepare({ ...recording, labelled: undefined }, cache, { width: 24, progress: false });
  const drive = await prepare(recording, cache, { width: 24, progress: false });
  expect(drive.folder).not.toBe(before.folder);
  expect([0, 1, 2].map((index) => drive.labels?.has(index))).toEqual([true, false, true]);
  const labels = new Uint8Array(24 * 16);
  drive.labels?.read(2, labels);
  // A prepared pixel's centre lies between two; the classes are theirs, never a mean.
  labels.subarray(24).forEach((label, i) => expect([(2 * (i % 24)) % 7, (2 * (i % 24) + 1) % 7]).toContain(label));
  for (const opened of [drive, before]) opened.close();
});

test('a label image that holds no class indices is named, with what it is', async () => {
  const folder = await makePictureFolder(join(root, 'mislabelled'));
  const path = join(folder, 'labels', '0.png');
  const rgb = sharp(new Uint8Array(48 * 32 * 3).fill(3), { raw: { width: 48, height: 32, channels: 3 } });
  await rgb.clone().png({ palette: true }).toFile(path);
  await expect(readAll(folder)).rejects.toThrow(/labels.0\.png: not a label image.*palette/);
  await rgb.clone().png().toFile(path);
  await expect(readAll(folder)).rejects.toThrow(/labels.0\.png: not a label image.*8 bits of colour type 2/);
  await rgb.clone().jpeg().toFile(path);
  await expect(readAll(folder)).rejects.toThrow(/labels.0\.png: not a label image.*jpeg/);
  await writeLabels(path, 40, 32, () => 1);
  await expect(readAll(folder)).rejects.toThrow(/labels.0\.png: is 40x32, the camera's images are 48x32/);
});

test('a picture that cannot be read is named, and left out up to a limit', async () => {
  const folder = await makePictureFolder(join(root, 'damaged'));
  writeFileSync(join(folder, 'image_left', '1.png'), 'no picture');
  const open = () => openRecording(folder);
  await expect(prepare(await open(), cache, { width: 48, progress: false })).rejects.toThrow(
    /image_left.1\.png: not a picture/,
  );
  expect(readdirSync(cache).filter((name) => name.includes('partial'))).toEqual([]);
  const said = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const drive = await prepare(await open(), cache, { width: 48, progress: false, maxUnreadable: 1 });
    expect(drive.count).toBe(2);
    expect(drive.poses?.map((pose) => pose?.translation[0])).toEqual([0, 2]);
    drive.close();
    expect(said.mock.calls.flat().join()).toMatch(/cut_down: left out: .*1\.png/);
    writeFileSync(join(folder, 'depth', '2.png'), '');
    await expect(prepare(await open(), cache, { width: 48, progress: false, maxUnreadable: 1 })).rejects.toThrow(
      /depth.2\.png: one frame too many that cannot be read, 1 frames are left out at most/,
    );
  } finally {
    said.mockRestore();
  }
});

test('what is no recording says what was looked for', async () => {
  const empty = join(root, 'empty');
  mkdirSync(empty);
  await expect(openRecording(empty)).rejects.toThrow(
    /empty: not a recording of any known layout\. Looked for:[^]*KITTI raw: image_02\/data[^]*TUM RGB-D: rgb\.txt[^]*\.mat/,
  );
  await expect(openRecording(join(root, 'nowhere'))).rejects.toThrow(/nowhere: no such file or folder/);
});

test('the prepare command and a recipe take the path of any layout', async () => {
  const before = process.env.DEPTHGRAD_CACHE;
  process.env.DEPTHGRAD_CACHE = join(root, 'cache');
  const said = jest.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    const drive = await makeKittiRaw(join(root, 'command'));
    const program = new Command().exitOverride();
    registerPrepare(program);
    const scene = await makeSevenScenes(join(root, 'command'));
    await program.parseAsync(['prepare', drive, scene, '--width', '104'], { from: 'user' });
    expect(said.mock.calls.flat()).toEqual([
      expect.stringMatching(
        /3 frames of 104x64, trained on 2, 1 held out; depth of 2, right images of 3, baseline 0\.5400 m, poses of 3, speeds of 3$/,
      ),
      expect.stringMatching(/office_seq-02-.*: 3 frames of 104x80, .*; depth of 3, poses of 3$/),
    ]);
    const made = readdirSync(join(root, 'cache', 'prepared')).length;
    const recipe = readRecipe('config/recipes/quick.yaml');
    recipe.stages.forEach((stage) => (stage.mix = { drives: 1, synthetic: 0, measured: 0, unlabelled: 0 }));
    const longer = join(root, 'longer', 'image');
    mkdirSync(longer, { recursive: true });
    const source = readdirSync(join(drive, 'image_02', 'data')).sort();
    for (let i = 0; i < 8; i++)
      writeFileSync(join(longer, `${i}.png`), readFileSync(join(drive, 'image_02', 'data', source[i % source.length])));
    writeFileSync(
      join(longer, '..', 'calib.yaml'),
      'image_width: 100\nimage_height: 60\nfx: 100\nfy: 100\ncx: 50\ncy: 30\n',
    );
    recipe.data = { ...recipe.data, drives: [join(longer, '..')], strides: [1], min_motion: 0 };
    const { drives } = await openDataSets(recipe, new Random(1));
    const batch = drives?.next(2, 64, 96);
    expect(batch?.target.length).toBe(2 * 64 * 96 * 3);
    expect(readdirSync(join(root, 'cache', 'prepared')).length).toBe(made + 1);
  } finally {
    said.mockRestore();
    if (before === undefined) delete process.env.DEPTHGRAD_CACHE;
    else process.env.DEPTHGRAD_CACHE = before;
  }
});

const sharedTest = (name: string) => {
  const path = join(shared, name);
  if (!existsSync(path)) console.log(`not read by openRecording: no ${path}`);
  return existsSync(path) ? test : test.skip;
};

sharedTest('kitti_raw_0926_lidar')('KITTI raw frames cut down: depth as in the file', async () => {
  const folder = join(shared, 'kitti_raw_0926_lidar');
  const recording = await openRecording(folder);
  expect(recording.frameCount).toBe(78);
  const { depth: truth } = await readDepthImage(join(folder, 'depth', '000000.png'), 256);
  for await (const { depth, image } of recording.frames()) {
    expect(image.length).toBe(1242 * 375 * 3);
    expect(depth).toEqual(truth);
    break;
  }
});

sharedTest('7scenes_redkitchen_f000-699')(
  '7-Scenes frames cut down: every fifth has depth, all have poses',
  async () => {
    const recording = await openRecording(join(shared, '7scenes_redkitchen_f000-699'));
    expect(recording).toMatchObject({ frameCount: 700, framesPerSecond: 30 });
    let index = 0;
    for await (const { depth, pose } of recording.frames()) {
      expect(depth !== undefined).toBe(index % 5 === 0);
      if (index === 0) expect(pose?.translation[0]).toBeCloseTo(-0.34045634, 8);
      if (depth) expect(depth.reduce((a, b) => Math.max(a, b))).toBeLessThan(10);
      if (++index > 6) break;
    }
  },
);

sharedTest('kitti_odo01_stereo_f000-050')('KITTI odometry stereo cut down: prepared with its pair', async () => {
  const drive = await prepare(await openRecording(join(shared, 'kitti_odo01_stereo_f000-050')), cache, {
    width: 208,
    progress: false,
  });
  expect(drive).toMatchObject({ count: 51, baseline: 0.537166, width: 208, height: 64 });
  expect(drive.right?.count).toBe(51);
  expect(drive.poses?.[1]?.translation[2]).toBeCloseTo(1.000725, 6);
  drive.close();
});

test('frames are streamed: memory does not grow with their number', async () => {
  const folder = join(root, 'long');
  mkdirSync(join(folder, 'image'), { recursive: true });
  writeFileSync(
    join(folder, 'calib.yaml'),
    'image_width: 640\nimage_height: 480\nfx: 500\nfy: 500\ncx: 320\ncy: 240\n',
  );
  await writeGrey(join(root, 'one.png'), 640, 480, 90);
  for (let i = 0; i < 300; i++) linkSync(join(root, 'one.png'), join(folder, 'image', `${i}.png`));
  let index = 0;
  let early = 0;
  for await (const { image } of (await openRecording(folder)).frames()) {
    expect(image[0]).toBe(90);
    if (index++ === 99) early = process.memoryUsage.rss();
  }
  // The 200 frames after it are 184 MB.
  expect(index).toBe(300);
  expect((process.memoryUsage.rss() - early) / 1e6).toBeLessThan(60);
});
