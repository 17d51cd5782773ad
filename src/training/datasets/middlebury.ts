/**
 * A scene of the Middlebury 2014 stereo data sets, one rectified pair with the left image's disparity:
 *
 *   Motorcycle-perfect/im0.png, im1.png, calib.txt, disp0.pfm       as the scenes are unpacked
 *   trainingQ/Motorcycle/im0.png, im1.png, calib.txt, disp0GT.pfm   evaluation set 3
 *   motorcycle_left.png, motorcycle_right.png, motorcycle_disp.npz  as scikit-image ships one scene, at a quarter of its size
 *
 * The cameras' principal points lie doffs pixels apart: Z = baseline * f / (d + doffs). Right images are moved by doffs, so that a pair
 * has one set of intrinsics; what comes in from outside belongs to points behind infinity.
 *
 * Source: Scharstein et al., "High-resolution stereo datasets with subpixel-accurate ground truth", GCPR 2014, and the data set's page.
 */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Intrinsics } from '../../geometry/camera';
import { NO_DISTORTION } from '../../geometry/lens';
import { readNpzMatrix, readPfm, type FloatMap } from '../../media/floatMap';
import { FrameSourceError } from '../../media/frame';
import { readPicture } from '../../media/imageFolder';
import { readText } from './frameFiles';
import type { RecordedFrame, Recording, RecordingLayout } from './recording';

const CALIBRATION = 'calib.txt';
const MILLIMETERS_PER_METER = 1000;
/** Disparity of the left image; scenes without it have the pair only. */
const DISPARITIES = ['disp0.pfm', 'disp0GT.pfm'];
/** Of skimage.data.stereo_motorcycle, by its doc string. */
const MOTORCYCLE = { fx: 994.978, fy: 994.978, cx: 311.193, cy: 254.877, doffs: 31.086, baseline: 193.001 / 1000 };

interface Scene {
  readonly left: string;
  readonly right: string;
  readonly disparity?: { readonly path: string; read(path: string): Promise<FloatMap> };
  readonly focal: Pick<Intrinsics, 'fx' | 'fy' | 'cx' | 'cy'>;
  /** Pixels by which the right camera's cx is the greater. */
  readonly doffs: number;
  /** Metres. */
  readonly baseline: number;
}

function isOfficial(folder: string): boolean {
  return ['im0.png', 'im1.png', CALIBRATION].every((name) => existsSync(join(folder, name)));
}

function isScikit(folder: string): boolean {
  return existsSync(join(folder, 'motorcycle_left.png')) && existsSync(join(folder, 'motorcycle_right.png'));
}

/** cam0=[f 0 cx; 0 f cy; 0 0 1], doffs and baseline (mm) of calib.txt. */
async function readCalibration(path: string): Promise<Pick<Scene, 'focal' | 'doffs' | 'baseline'>> {
  const text = await readText(path, 'it has the intrinsics');
  const line = (name: string): string => {
    const found = new RegExp(`^${name}=(.*)$`, 'm').exec(text);
    if (!found) throw new FrameSourceError(path, `the line "${name}=..." is not there`);
    return found[1].trim();
  };
  const numbers = (name: string, count: number): number[] => {
    const values = line(name)
      .replace(/[[\];]/g, ' ')
      .trim()
      .split(/\s+/)
      .map(Number);
    if (values.length !== count || !values.every(Number.isFinite))
      throw new FrameSourceError(path, `${name}= needs ${count} number(s), it is "${line(name)}"`);
    return values;
  };
  const [fx, , cx, , fy, cy] = numbers('cam0', 9);
  const [[doffs], [baseline]] = [numbers('doffs', 1), numbers('baseline', 1)];
  return { focal: { fx, fy, cx, cy }, doffs, baseline: baseline / MILLIMETERS_PER_METER };
}

async function officialScene(folder: string): Promise<Scene> {
  const disparity = DISPARITIES.map((name) => join(folder, name)).find((path) => existsSync(path));
  return {
    left: join(folder, 'im0.png'),
    right: join(folder, 'im1.png'),
    disparity: disparity === undefined ? undefined : { path: disparity, read: readPfm },
    ...(await readCalibration(join(folder, CALIBRATION))),
  };
}

function scikitScene(folder: string): Scene {
  const { doffs, baseline, ...focal } = MOTORCYCLE;
  const disparity = join(folder, 'motorcycle_disp.npz');
  return {
    left: join(folder, 'motorcycle_left.png'),
    right: join(folder, 'motorcycle_right.png'),
    disparity: existsSync(disparity) ? { path: disparity, read: readNpzMatrix } : undefined,
    focal,
    doffs,
    baseline,
  };
}

/** Column u of the result is column u + shift of rgb8 `image`, linear between columns; the border column is repeated. */
function movedLeft(image: Uint8Array, width: number, height: number, shift: number): Uint8Array {
  const out = new Uint8Array(image.length);
  for (let u = 0; u < width; u++) {
    const from = Math.min(width - 1, Math.max(0, u + shift));
    const low = Math.min(width - 2, Math.floor(from));
    const share = from - low;
    for (let v = 0; v < height; v++) {
      for (let c = 0; c < 3; c++) {
        const i = 3 * (v * width + low) + c;
        out[3 * (v * width + u) + c] = Math.round((1 - share) * image[i] + share * image[i + 3]);
      }
    }
  }
  return out;
}

async function readScene(scene: Scene, camera: Intrinsics): Promise<RecordedFrame> {
  const { disparity, doffs, baseline, focal } = scene;
  const [left, right, map] = await Promise.all([
    readPicture(scene.left),
    readPicture(scene.right),
    disparity?.read(disparity.path),
  ]);
  const { width, height } = camera;
  for (const [path, found] of [
    [scene.right, right],
    [disparity?.path ?? '', map],
  ] as const) {
    if (found && (found.width !== width || found.height !== height)) {
      const sizes = `${found.width}x${found.height}, the left image is ${width}x${height}`;
      throw new FrameSourceError(path, `is ${sizes}`);
    }
  }
  const far = focal.fx * baseline;
  return {
    stamp: 0,
    image: left.data,
    right: movedLeft(right.data, width, height, doffs),
    // Unknown disparities are infinite.
    depth: map?.values.map((d) => (Number.isFinite(d) && d + doffs > 0 ? far / (d + doffs) : 0)),
  };
}

/** @param folder of one scene */
export async function openMiddlebury(folder: string): Promise<Recording> {
  const scene = isOfficial(folder) ? await officialScene(folder) : scikitScene(folder);
  const { width, height } = await readPicture(scene.left);
  const intrinsics: Intrinsics = { width, height, ...scene.focal };
  return {
    name: `middlebury_${basename(resolve(folder))}`,
    sources: [folder],
    framesPerSecond: 1,
    frameCount: 1,
    camera: { intrinsics, distortion: NO_DISTORTION },
    baseline: scene.baseline,
    unordered: true,
    async *frames() {
      yield await readScene(scene, intrinsics);
    },
    close: async () => {},
  };
}

export const middleburyLayout: RecordingLayout = {
  name: 'Middlebury 2014',
  knownBy: `im0.png, im1.png and ${CALIBRATION} (the folder of a scene), or motorcycle_left.png and motorcycle_right.png`,
  async matches(path) {
    return isOfficial(path) || isScikit(path);
  },
  open: openMiddlebury,
};
