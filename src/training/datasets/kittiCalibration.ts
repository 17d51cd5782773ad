/**
 * KITTI's calibration files and cameras. All images of the sync drives and of the odometry benchmark are rectified: one rotation, cameras
 * that differ by a shift along x.
 *
 * Source: Geiger et al., "Vision meets Robotics: The KITTI Dataset", IJRR 2013, sections 3 and 4.
 */
import { compose, type Se3 } from '../../geometry/se3';
import { FrameSourceError } from '../../media/frame';
import { readText } from './frameFiles';

/** Lines `NAME: numbers`; what is not numbers (dates) is left out. */
export type KittiCalibration = ReadonlyMap<string, readonly number[]>;

export async function readCalibration(path: string, purpose: string): Promise<KittiCalibration> {
  const entries = new Map<string, number[]>();
  for (const line of (await readText(path, purpose)).split('\n')) {
    const colon = line.indexOf(':');
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    if (colon > 0 && numbers.every(Number.isFinite)) entries.set(line.slice(0, colon).trim(), numbers);
  }
  return entries;
}

/** @throws FrameSourceError naming the file and the entry that is missing or has another length */
export function calibrationEntry(
  path: string,
  calibration: KittiCalibration,
  name: string,
  length: number,
): readonly number[] {
  const numbers = calibration.get(name);
  if (numbers?.length !== length) {
    const found = numbers ? `has ${numbers.length} numbers` : 'is not there';
    throw new FrameSourceError(path, `the line "${name}: <${length} numbers>" ${found}`);
  }
  return numbers;
}

/** A rectified camera out of its 3x4 projection matrix P = K [I | shift]. */
export interface RectifiedCamera {
  readonly fx: number;
  readonly fy: number;
  readonly cx: number;
  readonly cy: number;
  /** Takes points from the reference camera's (0) rectified frame to this camera's, metres. */
  readonly fromReference: Se3;
}

/** @param p 3x4, row-major */
export function rectifiedCamera(p: readonly number[]): RectifiedCamera {
  const [fx, , cx, tx, , fy, cy, ty, , , , tz] = p;
  return {
    fx,
    fy,
    cx,
    cy,
    fromReference: {
      rotation: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1),
      translation: Float64Array.of((tx - cx * tz) / fx, (ty - cy * tz) / fy, tz),
    },
  };
}

/** Distance along x between a left and a right camera, metres. */
export function baselineBetween(left: RectifiedCamera, right: RectifiedCamera): number {
  return left.fromReference.translation[0] - right.fromReference.translation[0];
}

/** The transform to the camera's frame of one that goes to the reference camera's. */
export function toCamera(camera: RectifiedCamera, toReference: Se3): Se3 {
  return compose(camera.fromReference, toReference);
}
