/**
 * A sequence of the KITTI odometry benchmark, as it is unpacked:
 *
 *   dataset/sequences/00/image_0/000000.png, image_1/ (right), image_2/ and image_3/ (colour), calib.txt, times.txt, velodyne/000000.bin
 *   dataset/poses/00.txt
 *
 * The path is the sequence's folder. Colour (2, 3) where it is there, else grey (0, 1). Right images, velodyne/ and poses are taken where
 * they are there.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { Intrinsics } from '../../geometry/camera';
import { NO_DISTORTION } from '../../geometry/lens';
import { compose, fromMatrix4, inverse, type Se3 } from '../../geometry/se3';
import { FrameSourceError } from '../../media/frame';
import { listPictures, readPicture } from '../../media/imageFolder';
import { readNumberTable, recordingOf, type FrameFiles } from './frameFiles';
import { baselineBetween, calibrationEntry, readCalibration, rectifiedCamera, toCamera } from './kittiCalibration';
import type { Recording, RecordingLayout } from './recording';
import { scanDepth } from './velodyne';

const PAIRS = [
  [2, 3],
  [0, 1],
] as const;

function leftCamera(sequence: string): (typeof PAIRS)[number] | undefined {
  return PAIRS.find(([left]) => existsSync(join(sequence, `image_${left}`)));
}

/** poses/NN.txt beside sequences/, or poses.txt in the sequence's folder. */
function posesFile(sequence: string): string | undefined {
  const absolute = resolve(sequence);
  const official = join(dirname(dirname(absolute)), 'poses', `${basename(absolute)}.txt`);
  return [official, join(absolute, 'poses.txt')].find((path) => existsSync(path));
}

/** @param sequence folder such as dataset/sequences/00 */
export async function openKittiOdometry(sequence: string): Promise<Recording> {
  const pair = leftCamera(sequence);
  if (!pair) throw new FrameSourceError(sequence, 'it has neither image_2 nor image_0');
  const [left, right] = pair;
  const calibrationPath = join(sequence, 'calib.txt');
  const calibration = await readCalibration(calibrationPath, 'it has the intrinsics');
  const cameraOf = (index: number) => rectifiedCamera(calibrationEntry(calibrationPath, calibration, `P${index}`, 12));
  const rectified = cameraOf(left);
  const { fx, fy, cx, cy } = rectified;
  const folder = join(sequence, `image_${left}`);
  const images = await listPictures(folder);
  if (images.length === 0) throw new FrameSourceError(folder, 'no picture in it');
  // The only place where the size of a sequence's images stands is the images.
  const { width, height } = await readPicture(images[0]);
  const intrinsics: Intrinsics = { width, height, fx, fy, cx, cy };

  const times = await readNumberTable(join(sequence, 'times.txt'), 'it has the times of the frames', 1);
  const posesPath = posesFile(sequence);
  const poses = posesPath ? await readNumberTable(posesPath, 'it has the poses', 12) : [];
  const hasLidar = existsSync(join(sequence, 'velodyne'));
  const toImage: Se3 | undefined = hasLidar
    ? toCamera(rectified, fromMatrix4(calibrationEntry(calibrationPath, calibration, 'Tr', 12)))
    : undefined;

  const list = images.map((image): FrameFiles => {
    const index = Number(basename(image, extname(image)));
    const stamp = times[index]?.[0];
    if (stamp === undefined)
      throw new FrameSourceError(join(sequence, 'times.txt'), `it has no line ${index + 1}, for ${image}`);
    if (posesPath && poses[index] === undefined)
      throw new FrameSourceError(posesPath, `it has no line ${index + 1}, for ${image}`);
    const rightImage = join(sequence, `image_${right}`, basename(image));
    const scan = join(sequence, 'velodyne', `${basename(image, extname(image))}.bin`);
    return {
      stamp,
      image,
      right: existsSync(rightImage) ? rightImage : undefined,
      depth: toImage && scanDepth(scan, toImage, intrinsics),
      // The file's poses are camera 0's.
      pose: posesPath ? compose(fromMatrix4(poses[index]), inverse(rectified.fromReference)) : undefined,
    };
  });
  return recordingOf(list, {
    name: `kitti_odometry_${basename(resolve(sequence))}`,
    sources: posesPath ? [sequence, posesPath] : [sequence],
    variant: `image_${left}`,
    camera: { intrinsics, distortion: NO_DISTORTION },
    baseline: () => baselineBetween(rectified, cameraOf(right)),
  });
}

export const kittiOdometryLayout: RecordingLayout = {
  name: 'KITTI odometry',
  knownBy: 'image_2/ or image_0/, and calib.txt with a line P0: ...',
  async matches(path) {
    if (leftCamera(path) === undefined) return false;
    const text = await readFile(join(path, 'calib.txt'), 'utf8').catch(() => '');
    return /^P0:/m.test(text);
  },
  open: openKittiOdometry,
};
