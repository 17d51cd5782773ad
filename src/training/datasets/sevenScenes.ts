/**
 * A sequence of Microsoft 7-Scenes: seq-01/frame-000000.color.png, frame-000000.depth.png (millimetres, 0 and 65535 where there is none)
 * and frame-000000.pose.txt (4x4, camera to world).
 *
 * Source: Shotton et al., "Scene Coordinate Regression Forests for Camera Relocalization in RGB-D Images", CVPR 2013, and the data set's
 * page, which gives one set of intrinsics for all. Colour and depth are not registered: they lie a few pixels apart.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Intrinsics } from '../../geometry/camera';
import { NO_DISTORTION } from '../../geometry/lens';
import { fromMatrix4 } from '../../geometry/se3';
import { readDepthImage } from '../../media/depthImage';
import { FrameSourceError } from '../../media/frame';
import { listPictures } from '../../media/imageFolder';
import { parseNumbers, readText, recordingOf, type FrameFiles } from './frameFiles';
import type { Recording, RecordingLayout } from './recording';

const CAMERA: Intrinsics = { width: 640, height: 480, fx: 585, fy: 585, cx: 320, cy: 240 };
const FRAMES_PER_SECOND = 30;
const DEPTH_SCALE = 1000;
const NO_DEPTH = 65535;
const COLOUR = /^frame-(\d+)\.color\.(png|jpg)$/;

/** @param folder such as redkitchen/seq-01 */
export async function openSevenScenes(folder: string): Promise<Recording> {
  const images = (await listPictures(folder)).filter((path) => COLOUR.test(basename(path)));
  const list: FrameFiles[] = [];
  for (const image of images) {
    const number = COLOUR.exec(basename(image))?.[1] ?? '';
    const depthPath = join(folder, `frame-${number}.depth.png`);
    const posePath = join(folder, `frame-${number}.pose.txt`);
    let pose: FrameFiles['pose'];
    if (existsSync(posePath)) {
      const matrix = parseNumbers(posePath, 1, await readText(posePath, 'it has the pose'), 16);
      pose = fromMatrix4(matrix);
    }
    list.push({
      stamp: Number(number) / FRAMES_PER_SECOND,
      image,
      depth: existsSync(depthPath)
        ? { path: depthPath, read: (path) => readDepthImage(path, DEPTH_SCALE, NO_DEPTH) }
        : undefined,
      pose,
    });
  }
  if (list.length === 0) throw new FrameSourceError(folder, 'no frame-XXXXXX.color.png in it');
  const absolute = resolve(folder);
  return recordingOf(list, {
    name: `${basename(dirname(absolute))}_${basename(absolute)}`,
    sources: [folder],
    framesPerSecond: FRAMES_PER_SECOND,
    camera: { intrinsics: CAMERA, distortion: NO_DISTORTION },
  });
}

export const sevenScenesLayout: RecordingLayout = {
  name: '7-Scenes',
  knownBy: 'frame-XXXXXX.color.png (the folder seq-XX of a scene)',
  async matches(path) {
    return statSync(path).isDirectory() && readdirSync(path).some((name) => COLOUR.test(name));
  },
  open: openSevenScenes,
};
