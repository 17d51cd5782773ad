/**
 * The ground in a depth map: a plane a . p = 1 (p: points in the optical frame, units of the map) below the horizon, so that the camera's height above it
 * is 1 / |a| units. Its known height in metres then gives the map's scale.
 *
 * Depth errors are relative, and on the plane a . p - 1 is the relative error itself: least squares over it, weighted by Tukey's biweight, need no further
 * scaling. Iteration begins with the level plane through the median of the nearest rows, where most of the picture of a vehicle's camera is road.
 */
import type { Intrinsics } from '../geometry/camera';
import { upperMedian } from '../geometry/statistics';

export interface GroundPlaneOptions {
  /** Share of the width that is looked at, about the middle. */
  readonly width: number;
  /** Least angle of a ray below the horizon, tangent: farther ground is too flat to say anything. */
  readonly leastSlope: number;
  /** Greatest angle between the plane's normal and the camera's vertical axis, radians. */
  readonly greatestTilt: number;
  /** Relative residual up to which a pixel belongs to the plane. */
  readonly inlier: number;
  /** Least share of pixels that belong to it. */
  readonly leastInliers: number;
  /** Every so-manyth row and column. */
  readonly stride: number;
}

export const defaultGroundPlane: GroundPlaneOptions = {
  width: 0.6,
  leastSlope: 0.08,
  greatestTilt: 0.35,
  inlier: 0.1,
  leastInliers: 0.4,
  stride: 3,
};

export interface GroundPlane {
  /** Of the camera above the ground, units of the depth map. */
  readonly height: number;
  /** Downwards, unit length, optical frame. */
  readonly normal: readonly [number, number, number];
  /** Share of the pixels looked at. */
  readonly inliers: number;
  /** Standard deviation of the inliers' relative residuals. */
  readonly spread: number;
}

const ITERATIONS = 8;
const LEAST_POINTS = 50;

/**
 * @param depth [height][width] along Z, not finite where it is invalid
 * @returns undefined where no plane is found that is under the camera and that enough of the picture belongs to
 */
export function fitGroundPlane(
  depth: Float32Array,
  { width, height, fx, fy, cx, cy }: Intrinsics,
  options: Partial<GroundPlaneOptions> = {},
): GroundPlane | undefined {
  const chosen = { ...defaultGroundPlane, ...options };
  const points: number[] = [];
  const near: number[] = [];
  const left = Math.round((width * (1 - chosen.width)) / 2);
  const top = Math.ceil(cy + chosen.leastSlope * fy);
  for (let v = top; v < height; v += chosen.stride)
    for (let u = left; u < width - left; u += chosen.stride) {
      const z = depth[v * width + u];
      if (!(z > 0) || z === Infinity) continue;
      const y = (z * (v - cy)) / fy;
      points.push((z * (u - cx)) / fx, y, z);
      if (v > height - (height - top) / 3) near.push(y);
    }
  if (near.length < LEAST_POINTS) return undefined;
  let a: [number, number, number] | undefined = [0, 1 / upperMedian(near), 0];
  for (let i = 0; i < ITERATIONS && a; i++) a = solve(points, a, chosen.inlier * (i < ITERATIONS / 2 ? 3 : 2));
  if (!a) return undefined;
  const length = Math.hypot(...a);
  const normal = a.map((value) => value / length) as [number, number, number];
  if (!(Math.acos(Math.min(1, normal[1])) <= chosen.greatestTilt)) return undefined;
  let [count, squares] = [0, 0];
  for (let i = 0; i < points.length; i += 3) {
    const error = a[0] * points[i] + a[1] * points[i + 1] + a[2] * points[i + 2] - 1;
    if (Math.abs(error) > chosen.inlier) continue;
    count++;
    squares += error * error;
  }
  const inliers = (3 * count) / points.length;
  if (inliers < chosen.leastInliers) return undefined;
  return { height: 1 / length, normal, inliers, spread: Math.sqrt(squares / count) };
}

/** One step of iteratively reweighted least squares over a . p = 1; undefined where the points lie in a line. */
function solve(
  points: readonly number[],
  [ax, ay, az]: readonly [number, number, number],
  cut: number,
): [number, number, number] | undefined {
  let [xx, xy, xz, yy, yz, zz, bx, by, bz] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < points.length; i += 3) {
    const [x, y, z] = [points[i], points[i + 1], points[i + 2]];
    const t = (ax * x + ay * y + az * z - 1) / cut;
    if (!(Math.abs(t) < 1)) continue;
    const w = (1 - t * t) ** 2;
    xx += w * x * x;
    xy += w * x * y;
    xz += w * x * z;
    yy += w * y * y;
    yz += w * y * z;
    zz += w * z * z;
    bx += w * x;
    by += w * y;
    bz += w * z;
  }
  const [c0, c1, c2] = [yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy];
  const determinant = xx * c0 + xy * c1 + xz * c2;
  if (!(Math.abs(determinant) > 1e-9 * xx * yy * zz)) return undefined;
  const [c3, c4, c5] = [xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy];
  return [
    (c0 * bx + c1 * by + c2 * bz) / determinant,
    (c1 * bx + c3 * by + c4 * bz) / determinant,
    (c2 * bx + c4 * by + c5 * bz) / determinant,
  ];
}
