/**
 * A sequence of the TUM RGB-D benchmark: rgb.txt, depth.txt and groundtruth.txt name files and poses by time stamp, and are associated
 * by it as the benchmark's associate.py does.
 *
 * Source: Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM Systems", IROS 2012, and the benchmark's page on file formats.
 */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { rotationFromQuaternion } from '../../geometry/se3';
import { readCameraFile } from '../../media/cameraFile';
import { readDepthImage } from '../../media/depthImage';
import { FrameSourceError } from '../../media/frame';
import { parseNumbers, readText, recordingOf, type FrameFiles } from './frameFiles';
import type { RecordedCamera, Recording, RecordingLayout } from './recording';

/** Steps of the depth images per metre. */
const DEPTH_SCALE = 5000;
/** Largest difference in seconds between what belongs together, associate.py's default. */
const MAX_DIFFERENCE = 0.02;
const SIZE = { width: 640, height: 480 };

/** The page's colour cameras: fx, fy, cx, cy and plumb_bob. */
const CAMERAS: readonly { name: RegExp; k: readonly [number, number, number, number]; plumbBob: readonly number[] }[] =
  [
    {
      name: /freiburg1|fr1/,
      k: [517.3, 516.5, 318.6, 255.3],
      plumbBob: [0.2624, -0.9531, -0.0054, 0.0026, 1.1633],
    },
    {
      name: /freiburg2|fr2/,
      k: [520.9, 521.0, 325.1, 249.7],
      plumbBob: [0.2312, -0.7849, -0.0033, -0.0001, 0.9172],
    },
    // The images of the third camera are undistorted already.
    { name: /freiburg3|fr3/, k: [535.4, 539.2, 320.1, 247.6], plumbBob: [] },
  ];

interface Stamped {
  readonly stamp: number;
  readonly rest: string;
  readonly line: number;
}

async function readStamped(path: string, purpose: string): Promise<Stamped[]> {
  const lines = (await readText(path, purpose)).split('\n');
  const entries = lines.flatMap((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [time, ...rest] = line.trim().split(/[\s,]+/);
    const stamp = Number(time);
    if (!Number.isFinite(stamp) || rest.length === 0)
      throw new FrameSourceError(path, `line ${i + 1}: no time and value in "${line.trim().slice(0, 80)}"`);
    return [{ stamp, rest: rest.join(' '), line: i + 1 }];
  });
  return entries.sort((a, b) => a.stamp - b.stamp);
}

/**
 * Pairs of two lists sorted by time, closest pairs first, every entry used once.
 *
 * @returns for every entry of `first` the index in `second`, or undefined
 */
export function associate(
  first: readonly { readonly stamp: number }[],
  second: readonly { readonly stamp: number }[],
  maxDifference = MAX_DIFFERENCE,
): (number | undefined)[] {
  const candidates: { i: number; j: number; difference: number }[] = [];
  for (let i = 0, start = 0; i < first.length; i++) {
    while (start < second.length && second[start].stamp < first[i].stamp - maxDifference) start++;
    for (let j = start; j < second.length && second[j].stamp < first[i].stamp + maxDifference; j++) {
      candidates.push({ i, j, difference: Math.abs(first[i].stamp - second[j].stamp) });
    }
  }
  candidates.sort((a, b) => a.difference - b.difference);
  const partner: (number | undefined)[] = first.map(() => undefined);
  const taken = new Set<number>();
  for (const { i, j } of candidates) {
    if (partner[i] !== undefined || taken.has(j)) continue;
    partner[i] = j;
    taken.add(j);
  }
  return partner;
}

async function cameraOf(folder: string): Promise<RecordedCamera> {
  const own = join(folder, 'calib.yaml');
  if (existsSync(own)) return readCameraFile(own);
  const known = CAMERAS.find(({ name }) => name.test(basename(resolve(folder))));
  if (!known) {
    const names = 'freiburg1, freiburg2 or freiburg3';
    throw new FrameSourceError(folder, `its name has none of ${names}, which tell the camera; put a calib.yaml in it`);
  }
  const [fx, fy, cx, cy] = known.k;
  return { intrinsics: { ...SIZE, fx, fy, cx, cy }, distortion: { model: 'plumb_bob', coefficients: known.plumbBob } };
}

/** @param folder such as rgbd_dataset_freiburg1_desk */
export async function openTumRgbd(folder: string): Promise<Recording> {
  const camera = await cameraOf(folder);
  const colour = await readStamped(join(folder, 'rgb.txt'), 'it names the colour images');
  if (colour.length === 0) throw new FrameSourceError(join(folder, 'rgb.txt'), 'it names no image');
  const depth = await readStamped(join(folder, 'depth.txt'), 'it names the depth images');
  const posesPath = join(folder, 'groundtruth.txt');
  const truth = existsSync(posesPath) ? await readStamped(posesPath, 'it has the poses') : [];
  const depthOf = associate(colour, depth);
  // The motion capture runs at 100 Hz: every pose may serve one image only, as with associate.py, which loses none.
  const poseOf = associate(colour, truth);
  const list = colour.map(({ stamp, rest }, i): FrameFiles => {
    const d = depthOf[i];
    const p = poseOf[i];
    let pose: FrameFiles['pose'];
    if (p !== undefined) {
      const [x, y, z, qx, qy, qz, qw] = parseNumbers(posesPath, truth[p].line, truth[p].rest, 7);
      pose = { rotation: rotationFromQuaternion([qx, qy, qz, qw]), translation: Float64Array.of(x, y, z) };
    }
    return {
      stamp,
      image: join(folder, rest),
      depth:
        d === undefined
          ? undefined
          : { path: join(folder, depth[d].rest), read: (path) => readDepthImage(path, DEPTH_SCALE) },
      pose,
    };
  });
  return recordingOf(list, { name: basename(resolve(folder)), sources: [folder], camera });
}

export const tumRgbdLayout: RecordingLayout = {
  name: 'TUM RGB-D',
  knownBy: 'rgb.txt and depth.txt',
  async matches(path) {
    return ['rgb.txt', 'depth.txt'].every((name) => existsSync(join(path, name)));
  },
  open: openTumRgbd,
};
