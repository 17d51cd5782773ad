/**
 * A drive of KITTI raw (synced and rectified), as it is unpacked:
 *
 *   2011_09_26/calib_cam_to_cam.txt, calib_velo_to_cam.txt, calib_imu_to_velo.txt
 *   2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png, image_02/timestamps.txt, image_03/...
 *   .../velodyne_points/data/0000000000.bin, .../oxts/data/0000000000.txt
 *
 * The path is the drive's folder. Colour cameras (02, 03) where they are there, else the grey ones (00, 01). What is not there is left out:
 * image_03 (stereo), velodyne_points (depth), oxts (speed and pose).
 */
import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Intrinsics } from '../../geometry/camera';
import { NO_DISTORTION } from '../../geometry/lens';
import { compose, inverse, type Se3 } from '../../geometry/se3';
import { FrameSourceError } from '../../media/frame';
import { listPictures } from '../../media/imageFolder';
import { parseNumbers, readText, recordingOf, type FrameFiles } from './frameFiles';
import {
  baselineBetween,
  calibrationEntry,
  readCalibration,
  rectifiedCamera,
  toCamera,
  type RectifiedCamera,
} from './kittiCalibration';
import type { Recording, RecordingLayout } from './recording';
import { scanDepth } from './velodyne';

const CALIBRATION = 'calib_cam_to_cam.txt';
const VELODYNE = 'calib_velo_to_cam.txt';
const IMU = 'calib_imu_to_velo.txt';
const PAIRS = [
  ['02', '03'],
  ['00', '01'],
] as const;
const OXTS_NUMBERS = 30;
/** WGS84's semi-major axis, metres, as the development kit has it. */
const EARTH_RADIUS = 6378137;

/** The calibration lies in the date's folder; a drive that was moved may have it inside. */
function calibrationFolder(drive: string): string | undefined {
  return [drive, dirname(drive)].find((folder) => existsSync(join(folder, CALIBRATION)));
}

function leftCamera(drive: string): (typeof PAIRS)[number] | undefined {
  return PAIRS.find(([left]) => existsSync(join(drive, `image_${left}`, 'data')));
}

/** Lines such as 2011-09-26 13:02:25.964389445 as seconds since 1970; the clock is taken for UTC. */
async function readTimestamps(path: string): Promise<number[]> {
  const lines = (await readText(path, 'it has the times of the frames')).split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .map((line, i) => {
      const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?\s*$/.exec(line);
      if (!match) throw new FrameSourceError(path, `line ${i + 1}: no time in "${line.slice(0, 80)}"`);
      return Date.parse(`${match[1]}T${match[2]}Z`) / 1000 + Number(match[3] ?? 0);
    });
}

interface Oxts {
  /** IMU to a world of x east, y north, z up; positions in metres of a Mercator map at the first frame's latitude. */
  readonly pose: Se3;
  readonly speed: number;
}

/**
 * One packet of the GPS and inertial unit. Position by the Mercator projection of the development kit (latLonToMercator), rotation
 * Rz(yaw) Ry(pitch) Rx(roll) (convertOxtsToPose).
 *
 * @param mercatorScale cosine of the first frame's latitude
 */
function parseOxts(numbers: readonly number[], mercatorScale: number): Oxts {
  const [latitude, longitude, altitude, roll, pitch, yaw, , , forward, left] = numbers;
  const [sr, cr, sp, cp, sy, cy] = [roll, pitch, yaw].flatMap((angle) => [Math.sin(angle), Math.cos(angle)]);
  const east = mercatorScale * EARTH_RADIUS * ((longitude * Math.PI) / 180);
  const north = mercatorScale * EARTH_RADIUS * Math.log(Math.tan(((90 + latitude) * Math.PI) / 360));
  return {
    speed: Math.hypot(forward, left),
    pose: {
      rotation: Float64Array.of(
        cy * cp,
        cy * sp * sr - sy * cr,
        cy * sp * cr + sy * sr,
        sy * cp,
        sy * sp * sr + cy * cr,
        sy * sp * cr - cy * sr,
        -sp,
        cp * sr,
        cp * cr,
      ),
      translation: Float64Array.of(east, north, altitude),
    },
  };
}

async function readOxts(path: string, mercatorScale?: number): Promise<Oxts & { mercatorScale: number }> {
  const numbers = parseNumbers(path, 1, await readText(path, "it has the vehicle's speed and place"), OXTS_NUMBERS);
  const scale = mercatorScale ?? Math.cos((numbers[0] * Math.PI) / 180);
  return { ...parseOxts(numbers, scale), mercatorScale: scale };
}

function rigid(rotation: readonly number[], translation: readonly number[]): Se3 {
  return { rotation: Float64Array.from(rotation), translation: Float64Array.from(translation) };
}

/** Transform of a file with lines R: and T:. */
async function readRigid(path: string, purpose: string): Promise<Se3> {
  const calibration = await readCalibration(path, purpose);
  return rigid(calibrationEntry(path, calibration, 'R', 9), calibrationEntry(path, calibration, 'T', 3));
}

/** Velodyne to the optical frame of a rectified camera: shift * R_rect_00 * Tr. */
async function velodyneToCamera(folder: string, rectification: Se3, camera: RectifiedCamera): Promise<Se3> {
  const path = join(folder, VELODYNE);
  const toCamera0 = await readRigid(path, 'it says where the LiDAR is, which velodyne_points needs');
  return toCamera(camera, compose(rectification, toCamera0));
}

/** @param drive folder such as 2011_09_26_drive_0001_sync */
export async function openKittiRaw(drive: string): Promise<Recording> {
  const folder = calibrationFolder(drive);
  if (folder === undefined) {
    throw new FrameSourceError(
      drive,
      `neither it nor the folder above has ${CALIBRATION}; unpack the calibration of its day there`,
    );
  }
  const pair = leftCamera(drive);
  if (!pair) throw new FrameSourceError(drive, 'it has no image_02/data and no image_00/data');
  const [left, right] = pair;
  const path = join(folder, CALIBRATION);
  const calibration = await readCalibration(path, 'it has the intrinsics');
  const cameraOf = (name: string) => rectifiedCamera(calibrationEntry(path, calibration, `P_rect_${name}`, 12));
  const rectified = cameraOf(left);
  const { fx, fy, cx, cy } = rectified;
  const [width, height] = calibrationEntry(path, calibration, `S_rect_${left}`, 2);
  const intrinsics: Intrinsics = { width, height, fx, fy, cx, cy };
  const rectification = rigid(calibrationEntry(path, calibration, 'R_rect_00', 9), [0, 0, 0]);

  const images = await listPictures(join(drive, `image_${left}`, 'data'));
  if (images.length === 0) throw new FrameSourceError(join(drive, `image_${left}`, 'data'), 'no picture in it');
  const timesPath = join(drive, `image_${left}`, 'timestamps.txt');
  const times = await readTimestamps(timesPath);
  const hasLidar = existsSync(join(drive, 'velodyne_points', 'data'));
  const toImage = hasLidar ? await velodyneToCamera(folder, rectification, rectified) : undefined;
  const imuToCamera =
    existsSync(join(folder, IMU)) && existsSync(join(folder, VELODYNE))
      ? compose(
          await velodyneToCamera(folder, rectification, rectified),
          await readRigid(join(folder, IMU), 'it says where the inertial unit is'),
        )
      : undefined;

  let mercatorScale: number | undefined;
  let worldToFirst: Se3 | undefined;
  const list: FrameFiles[] = [];
  for (const image of images) {
    const stem = basename(image, extname(image));
    const stamp = times[Number(stem)];
    if (stamp === undefined) throw new FrameSourceError(timesPath, `it has no line ${Number(stem) + 1}, for ${image}`);
    const rightImage = join(drive, `image_${right}`, 'data', basename(image));
    const scan = join(drive, 'velodyne_points', 'data', `${stem}.bin`);
    const oxtsPath = join(drive, 'oxts', 'data', `${stem}.txt`);
    const oxts = existsSync(oxtsPath) ? await readOxts(oxtsPath, mercatorScale) : undefined;
    mercatorScale ??= oxts?.mercatorScale;
    let pose: Se3 | undefined;
    if (oxts && imuToCamera) {
      const toWorld = compose(oxts.pose, inverse(imuToCamera));
      // Map coordinates are millions of metres: the first camera's frame is the world.
      worldToFirst ??= inverse(toWorld);
      pose = compose(worldToFirst, toWorld);
    }
    list.push({
      stamp,
      image,
      right: existsSync(rightImage) ? rightImage : undefined,
      depth: toImage && scanDepth(scan, toImage, intrinsics),
      pose,
      speed: oxts?.speed,
    });
  }
  return recordingOf(list, {
    name: basename(drive),
    sources: [
      drive,
      ...[CALIBRATION, VELODYNE, IMU].map((name) => join(folder, name)).filter((file) => existsSync(file)),
    ],
    variant: `image_${left}`,
    camera: { intrinsics, distortion: NO_DISTORTION },
    baseline: () => baselineBetween(rectified, cameraOf(right)),
  });
}

export const kittiRawLayout: RecordingLayout = {
  name: 'KITTI raw',
  knownBy: `image_02/data/ or image_00/data/, and ${CALIBRATION} in the folder or above it`,
  async matches(path) {
    return leftCamera(path) !== undefined;
  },
  open: openKittiRaw,
};
