/**
 * Small recordings in the official layouts of public data sets, made of a known scene: a camera that drives ahead at 10 m/s, ten frames a
 * second, one metre a frame. Frame i's picture has the grey level 40 + 20 i; its right picture 10 more.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

export const FRAMES = 3;
/** KITTI's images here: 100x60, focal length 100, principal point (50, 30), cameras 2 and 3 at x = -0.06 and 0.48 of camera 0. */
export const KITTI = { width: 100, height: 60, baseline: 0.54 };

export function level(frame: number): number {
  return 40 + 20 * frame;
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

export async function writeGrey(
  path: string,
  width: number,
  height: number,
  grey: number,
  channels = 3,
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const raw = new Uint8Array(width * height * channels).fill(grey);
  const picture = sharp(raw, { raw: { width, height, channels: channels === 1 ? 1 : 3 } });
  await (channels === 1 ? picture.toColourspace('b-w') : picture).png({ compressionLevel: 1 }).toFile(path);
}

/** A 16-bit grey PNG of steps by pixel. */
export async function writeDepth(
  path: string,
  width: number,
  height: number,
  steps: (u: number, v: number) => number,
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const values = Uint16Array.from({ length: width * height }, (_, i) => steps(i % width, Math.floor(i / width)));
  await sharp(values, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png({ compressionLevel: 1 })
    .toFile(path);
}

/** An 8-bit grey PNG of class indices by pixel. */
export async function writeLabels(
  path: string,
  width: number,
  height: number,
  label: (u: number, v: number) => number,
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const values = Uint8Array.from({ length: width * height }, (_, i) => label(i % width, Math.floor(i / width)));
  await sharp(values, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png({ compressionLevel: 1 })
    .toFile(path);
}

const digits = (value: number, length: number) => String(value).padStart(length, '0');

function projection(shift: number): string {
  return [100, 0, 50, 100 * shift, 0, 100, 30, 0, 0, 0, 1, 0].map((x) => x.toExponential(12)).join(' ');
}

/**
 * A LiDAR that looks along x with y to the left and z up, 0.3 m before and 0.1 m above camera 0. Reflectance is nonsense on purpose. In
 * camera 2's frame, which lies 0.06 m to the left of camera 0's: (0.12, 0, 20), (0.06, 0, 10) and (0.18, 0, 30) in one pixel, one behind
 * the camera, one beside the image, and (2.06, 1, 5).
 */
const POINTS = [
  [20.3, -0.06, 0.1],
  [10.3, 0, 0.1],
  [-10, 0, 0],
  [5.3, 40, 0.1],
  [5.3, -2, -0.9],
  [30.3, -0.12, 0.1],
];

function scan(points: number[][]): Uint8Array {
  return new Uint8Array(Float32Array.from(points.flatMap(([x, y, z]) => [x, y, z, 77])).buffer);
}

/** @returns the drive's folder under root/2011_09_26 */
export async function makeKittiRaw(root: string): Promise<string> {
  const date = join(root, '2011_09_26');
  const drive = join(date, '2011_09_26_drive_0001_sync');
  const cameras = [
    ['00', 0],
    ['01', -0.54],
    ['02', 0.06],
    ['03', -0.48],
  ] as const;
  const cameraLines = cameras.flatMap(([name, shift]) => [
    `S_${name}: 1.392000e+02 5.120000e+01`,
    `K_${name}: 1 0 0 0 1 0 0 0 1`,
    `R_rect_${name}: 1 0 0 0 1 0 0 0 1`,
    `S_rect_${name}: 1.000000e+02 6.000000e+01`,
    `P_rect_${name}: ${projection(shift)}`,
  ]);
  write(
    join(date, 'calib_cam_to_cam.txt'),
    ['calib_time: 09-Jan-2012 13:57:47', 'corner_dist: 9.950000e-02', ...cameraLines, ''].join('\n'),
  );
  const velodyne =
    'calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0.1 -0.3\ndelta_f: 0 0\ndelta_c: 0 0\n';
  write(join(date, 'calib_velo_to_cam.txt'), velodyne);
  write(
    join(date, 'calib_imu_to_velo.txt'),
    'calib_time: 25-May-2012 16:47:16\nR: 1 0 0 0 1 0 0 0 1\nT: -0.8 0.3 -0.8\n',
  );
  const times: string[] = [];
  for (let i = 0; i < FRAMES; i++) {
    const name = digits(i, 10);
    times.push(`2011-09-26 13:02:25.${digits(100 * i, 3)}000000`);
    await writeGrey(join(drive, 'image_02', 'data', `${name}.png`), 100, 60, level(i));
    await writeGrey(join(drive, 'image_03', 'data', `${name}.png`), 100, 60, level(i) + 10);
    // The second scan is missing, as some are in the official drives.
    if (i !== 1) write(join(drive, 'velodyne_points', 'data', `${name}.bin`), scan(POINTS));
    // North by one metre a frame, yaw 90 degrees (north); speed 10 m/s ahead.
    const latitude = 49 + (i / 6378137) * (180 / Math.PI);
    const oxts = [latitude, 8.4, 110, 0, 0, Math.PI / 2, 10, 0, 6, 8, 0.5];
    write(join(drive, 'oxts', 'data', `${name}.txt`), [...oxts, ...new Array<number>(19).fill(0)].join(' ') + '\n');
  }
  for (const sensor of ['image_02', 'image_03', 'velodyne_points', 'oxts']) {
    write(join(drive, sensor, 'timestamps.txt'), times.join('\n') + '\n');
  }
  return drive;
}

/** Grey cameras 0 and 1 only, as most people have them. @returns the sequence's folder under root/dataset/sequences */
export async function makeKittiOdometry(root: string): Promise<string> {
  const sequence = join(root, 'dataset', 'sequences', '07');
  const matrices = [0, -0.54, 0.06, -0.48].map((shift, i) => `P${i}: ${projection(shift)}`);
  write(join(sequence, 'calib.txt'), [...matrices, 'Tr: 0 -1 0 0 0 0 -1 0.1 1 0 0 -0.3', ''].join('\n'));
  const lines: string[] = [];
  const poses: string[] = [];
  for (let i = 0; i < FRAMES; i++) {
    const name = digits(i, 6);
    lines.push((0.1 * i).toExponential(6));
    poses.push(`1 0 0 0 0 1 0 0 0 0 1 ${i}`);
    await writeGrey(join(sequence, 'image_0', `${name}.png`), 100, 60, level(i), 1);
    await writeGrey(join(sequence, 'image_1', `${name}.png`), 100, 60, level(i) + 10, 1);
    write(join(sequence, 'velodyne', `${name}.bin`), scan(POINTS));
  }
  write(join(sequence, 'times.txt'), lines.join('\n') + '\n');
  write(join(root, 'dataset', 'poses', '07.txt'), poses.join('\n') + '\n');
  return sequence;
}

/** Depth 2 m, one metre more in the right half, none in the top row. Frame 1's depth comes too late to belong to it. */
export async function makeTumRgbd(root: string): Promise<string> {
  const folder = join(root, 'rgbd_dataset_freiburg3_small');
  const head = (kind: string) => `# ${kind}\n# file: 'rgbd_dataset_freiburg3_small.bag'\n# timestamp filename\n`;
  let rgb = head('color images');
  let depth = head('depth maps');
  let truth = '# ground truth trajectory\n# file: small.bag\n# timestamp tx ty tz qx qy qz qw\n';
  for (let i = 0; i < FRAMES; i++) {
    const time = 1341845948.7 + 0.1 * i;
    const late = i === 1 ? 0.05 : 0.01;
    const rgbName = `rgb/${time.toFixed(6)}.png`;
    const depthName = `depth/${(time + late).toFixed(6)}.png`;
    rgb += `${time.toFixed(6)} ${rgbName}\n`;
    depth += `${(time + late).toFixed(6)} ${depthName}\n`;
    for (let k = 0; k < 10; k++) {
      const t = time + 0.01 * k + 0.002;
      // Looks along the world's x with its z up: 120 degrees about (-1, 1, -1).
      truth += `${t.toFixed(4)} ${(i + 0.1 * k).toFixed(4)} 0.0000 1.5000 -0.5000 0.5000 -0.5000 0.5000\n`;
    }
    await writeGrey(join(folder, rgbName), 640, 480, level(i));
    await writeDepth(join(folder, depthName), 640, 480, (u, v) => (v === 0 ? 0 : u < 320 ? 10000 : 15000));
  }
  write(join(folder, 'rgb.txt'), rgb);
  write(join(folder, 'depth.txt'), depth);
  write(join(folder, 'groundtruth.txt'), truth);
  return folder;
}

/** Depth 1.5 m, 65535 in the left half's top row and 0 in the right half's. */
export async function makeSevenScenes(root: string): Promise<string> {
  const folder = join(root, 'office', 'seq-02');
  for (let i = 0; i < FRAMES; i++) {
    const name = join(folder, `frame-${digits(i, 6)}`);
    await writeGrey(`${name}.color.png`, 640, 480, level(i));
    await writeDepth(`${name}.depth.png`, 640, 480, (u, v) => (v === 0 ? (u < 320 ? 65535 : 0) : 1500));
    write(`${name}.pose.txt`, `0\t0\t1\t ${i}.5\t \r\n-1\t0\t0\t 2\t \r\n0\t-1\t0\t 3\t \r\n0\t0\t0\t1\t \r\n`);
  }
  return folder;
}

/** The folders cut down from data sets: image_left/, image_right/, depth/ and labels/ of every other frame, poses_kitti.txt, calib.yaml. */
export async function makePictureFolder(root: string): Promise<string> {
  const folder = join(root, 'cut_down');
  const camera = 'image_width: 48\nimage_height: 32\nfx: 40\nfy: 40\ncx: 23.5\ncy: 15.5\nfps: 5\n';
  write(join(folder, 'calib.yaml'), `${camera}depth_scale_per_m: 1000\nstereo_baseline_m: 0.12\n`);
  let poses = '';
  for (let i = 0; i < FRAMES; i++) {
    await writeGrey(join(folder, 'image_left', `${i}.png`), 48, 32, level(i));
    await writeGrey(join(folder, 'image_right', `${i}.png`), 48, 32, level(i) + 10);
    if (i !== 1) {
      await writeDepth(join(folder, 'depth', `${i}.png`), 48, 32, (u) => 1000 * (u + 1));
      await writeLabels(join(folder, 'labels', `${i}.png`), 48, 32, (u, v) => (v === 0 ? 255 : u % 7));
    }
    poses += `1 0 0 ${i} 0 1 0 0 0 0 1 0\n`;
  }
  write(join(folder, 'poses_kitti.txt'), poses);
  return folder;
}
