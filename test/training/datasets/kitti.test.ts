/** KITTI raw and odometry in their official layouts. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { PreparedDrive } from '../../../src/training/datasets/prepared';
import { FRAMES, KITTI, level, makeKittiOdometry, makeKittiRaw } from '../../support/layouts';
import { points, readAll, translation } from '../../support/recordings';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-recordings-'));
const cache = join(root, 'prepared');
afterAll(() => rmSync(root, { recursive: true, force: true }));

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
