/**
 * A folder of pictures in the order of the numbers in their names: own recordings, and data sets cut down to
 *
 *   calib.yaml                    camera file; fps, depth_scale_per_m (default 256), stereo_baseline_m where they apply
 *   image/ or image_left/         .jpg or .png
 *   image_right/, depth/          of the same names: the right camera of a rectified pair, 16-bit PNGs
 *   labels/                       of the same names: class indices as 8-bit grey PNGs, 255 where nobody said
 *   poses_kitti.txt               a line per picture: 3x4 camera-to-world, row by row
 *
 * Pictures that lie in the folder itself are taken too; without a calib.yaml the camera file is the one given.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import type { Intrinsics } from '../../geometry/camera';
import { fromMatrix4 } from '../../geometry/se3';
import { readCameraFile } from '../../media/cameraFile';
import { KITTI_DEPTH_SCALE, readDepthImage } from '../../media/depthImage';
import { FrameSourceError } from '../../media/frame';
import { listPictures, readPicture } from '../../media/imageFolder';
import { readNumberTable, recordingOf, type FrameFiles } from './frameFiles';
import type { OpenRecordingOptions, Recording, RecordingLayout } from './recording';

const CAMERA = 'calib.yaml';
const POSES = 'poses_kitti.txt';
const DEFAULT_RATE = 10;
const PICTURE = /\.(jpe?g|png)$/i;

/** The folder with the pictures: image/, image_left/, or the folder itself. */
function pictureFolder(folder: string): string | undefined {
  const holdsPictures = (path: string) =>
    existsSync(path) && statSync(path).isDirectory() && readdirSync(path).some((name) => PICTURE.test(name));
  return [join(folder, 'image'), join(folder, 'image_left'), folder].find(holdsPictures);
}

function stem(path: string): string {
  return basename(path, extname(path));
}

/** Pictures of a folder that may not be there, by name without extension. */
async function picturesByStem(folder: string): Promise<ReadonlyMap<string, string>> {
  if (!existsSync(folder)) return new Map();
  return new Map((await listPictures(folder)).map((path) => [stem(path), path]));
}

/** A camera file that was given for all recordings may be another camera's. */
async function checkCamera(folder: string, image: string, cameraPath: string, camera: Intrinsics): Promise<void> {
  const { width, height } = await readPicture(image);
  if (width === camera.width && height === camera.height) return;
  const sizes = `${width}x${height}, but ${cameraPath} is of a ${camera.width}x${camera.height} camera`;
  throw new FrameSourceError(
    image,
    `is ${sizes}; give the camera file of these pictures or put ${CAMERA} into ${folder}`,
  );
}

/** @throws FrameSourceError naming the folder or file that is missing */
export async function openPictureFolder(folder: string, { cameraFile }: OpenRecordingOptions = {}): Promise<Recording> {
  const pictures = pictureFolder(folder);
  if (pictures === undefined) throw new FrameSourceError(folder, 'no .jpg or .png in it, in image/ or in image_left/');
  const own = join(folder, CAMERA);
  const cameraPath = existsSync(own) ? own : cameraFile;
  if (cameraPath === undefined) {
    throw new FrameSourceError(
      folder,
      `it has no ${CAMERA}; give a camera file (--camera), scripts/calibrate.py makes one`,
    );
  }
  const camera = await readCameraFile(cameraPath);
  const images = await listPictures(pictures);
  if (cameraPath !== own) await checkCamera(folder, images[0], cameraPath, camera.intrinsics);
  const rights =
    camera.baselineMeters === undefined ? new Map<string, string>() : await picturesByStem(join(folder, 'image_right'));
  const depths = pictures === folder ? new Map<string, string>() : await picturesByStem(join(folder, 'depth'));
  const labels = pictures === folder ? new Map<string, string>() : await picturesByStem(join(folder, 'labels'));
  const posesPath = join(folder, POSES);
  const poses = existsSync(posesPath) ? await readNumberTable(posesPath, 'it has the poses', 12) : undefined;
  if (poses && poses.length !== images.length) {
    throw new FrameSourceError(posesPath, `it has ${poses.length} poses for ${images.length} pictures`);
  }
  const framesPerSecond = camera.framesPerSecond ?? DEFAULT_RATE;
  const stepsPerMeter = camera.depthScalePerMeter ?? KITTI_DEPTH_SCALE;
  const list = images.map((image, i): FrameFiles => {
    const depthPath = depths.get(stem(image));
    return {
      stamp: i / framesPerSecond,
      image,
      right: rights.get(stem(image)),
      depth: depthPath ? { path: depthPath, read: (path) => readDepthImage(path, stepsPerMeter) } : undefined,
      labels: labels.get(stem(image)),
      pose: poses ? fromMatrix4(poses[i]) : undefined,
    };
  });
  return recordingOf(list, {
    name: basename(resolve(folder)),
    sources: [folder],
    framesPerSecond,
    camera,
    baseline: () => camera.baselineMeters,
  });
}

export const pictureFolderLayout: RecordingLayout = {
  name: 'folder of pictures',
  knownBy: `.jpg or .png files in it, in image/ or in image_left/, with ${CAMERA}`,
  async matches(path) {
    return pictureFolder(path) !== undefined;
  },
  open: openPictureFolder,
};
