/** A dataset folder with ground-truth depth: image/*.jpg, depth/*.png of the same names, calib.yaml. */
import { stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { readCameraFile, type CameraFile } from '../../media/cameraFile';
import { KITTI_DEPTH_SCALE, readDepthImage } from '../../media/depthImage';
import { listPictures, readPicture } from '../../media/imageFolder';

export interface DepthFrame {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** rgb8 [height, width, 3] */
  readonly image: Uint8Array;
  /** Metres [height, width]; 0 where there is none. */
  readonly depth: Float32Array;
}

export interface DepthDataset {
  readonly folder: string;
  readonly camera: CameraFile;
  /** Frames that have both an image and depth. */
  readonly count: number;
  /** Read one at a time, in order. */
  frames(): AsyncIterable<DepthFrame>;
}

function stem(path: string): string {
  return basename(path, extname(path));
}

/** @throws Error naming the folder or file that is missing or does not fit */
export async function openDepthDataset(folder: string): Promise<DepthDataset> {
  for (const part of ['image', 'depth']) {
    const found = await stat(join(folder, part)).catch(() => undefined);
    if (!found?.isDirectory()) {
      throw new Error(`${folder}: no folder ${part}/ in it; a dataset has image/, depth/ (16-bit png) and calib.yaml`);
    }
  }
  const camera = await readCameraFile(join(folder, 'calib.yaml'));
  const stepsPerMeter = camera.depthScalePerMeter ?? KITTI_DEPTH_SCALE;
  const images = new Map((await listPictures(join(folder, 'image'))).map((path) => [stem(path), path]));
  const depths = (await listPictures(join(folder, 'depth'))).filter((path) => images.has(stem(path)));
  if (depths.length === 0) throw new Error(`${folder}: no picture in image/ has one of the same name in depth/`);

  async function* frames(): AsyncGenerator<DepthFrame> {
    for (const path of depths) {
      const name = stem(path);
      const imagePath = images.get(name) ?? '';
      const picture = await readPicture(imagePath);
      const truth = await readDepthImage(path, stepsPerMeter);
      if (picture.width !== truth.width || picture.height !== truth.height) {
        const sizes = `${truth.width}x${truth.height}, ${imagePath} ${picture.width}x${picture.height}`;
        throw new Error(`${path}: is ${sizes}; both must have one size`);
      }
      yield { name, width: truth.width, height: truth.height, image: picture.data, depth: truth.depth };
    }
  }

  return { folder, camera, count: depths.length, frames };
}
