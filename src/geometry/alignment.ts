/**
 * Direct image alignment: the camera motion between two frames from the depth map of the later one, by Gauss-Newton on grey
 * levels, coarse to fine. It refines what the pose head proposes; the ONNX graph holds the same arithmetic
 * (model/onnx/alignment.ts), and a test compares the two.
 *
 * Inverse compositional form (Baker & Matthews 2004): the Jacobian is that of the target, whose depth is known, so it and the
 * normal matrix are made once per level. The loops over pixels are in native/alignment.cc.
 */
import { native, type LevelArguments } from '../native';

/** Focal lengths and principal point in pixels. */
export interface PinholeParameters {
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

/** One level of the pyramid: arrays [height, width], intrinsics for images of this size with pixel centres at integers. */
export interface AlignmentLevel extends PinholeParameters {
  height: number;
  width: number;
  /** Grey levels 0..1 of the later frame, whose depth is known, and of the earlier one. */
  target: Float32Array;
  source: Float32Array;
  logDisparity: Float32Array;
  /** Steps in groups; at the start of a group the normal matrix is made anew with the weights of that moment. */
  iterations: readonly number[];
}

/** Grey-level difference at which a pixel's weight has fallen to a half: moving cars, occlusions and glare have more. */
export const RESIDUAL_SCALE = 0.06;
/** Relative damping of the normal matrix. */
export const DAMPING = 1e-4;
/** Absolute damping after scaling to a unit diagonal by the mean square Jacobian. */
export const DIAGONAL_FLOOR = 1e-8;
/** Newton-Schulz iterations for the inverse of the scaled normal matrix: enough for condition numbers up to 1e5. */
export const INVERSE_ITERATIONS = 28;
/** A refinement farther than this from its start (depth map's unit, radians) is taken for a failure, and the start kept. */
export const MAX_CHANGE = { translation: 2, rotation: 0.15 } as const;
/** Depth in the source below which a point counts as behind the camera. */
export const MIN_DEPTH = 0.05;

/** As native/kernels.h lists them. */
const CONSTANTS = Float64Array.of(RESIDUAL_SCALE, MIN_DEPTH, DAMPING, DIAGONAL_FLOOR, INVERSE_ITERATIONS);

function levelArguments(level: AlignmentLevel): LevelArguments {
  const { height, width, fx, fy, cx, cy, target, source, logDisparity } = level;
  return [height, width, Float32Array.of(fx, fy, cx, cy), target, source, logDisparity, CONSTANTS];
}

/** Inverse of a symmetric positive 6x6 matrix by Newton-Schulz on the matrix scaled to a unit diagonal. */
export function invertNormalMatrix(h: Float64Array): Float64Array {
  const inverse = new Float64Array(36);
  native.invertNormalMatrix(CONSTANTS, h, inverse);
  return inverse;
}

/** exp of a small motion (v, w) to second order in w: 3x4 row-major [R | t]. */
function smallMotion(d: ArrayLike<number>): Float64Array {
  const motion = new Float64Array(12);
  native.smallMotion(Float64Array.from(d), motion);
  return motion;
}

/** Axis-angle of a rotation of at most about 0.5 rad: vee(R - R^T) / 2 * asin(s) / s, s = sin(angle), by its series. */
function smallAxisAngle(m: Float64Array): [number, number, number] {
  const a = (m[9] - m[6]) / 2;
  const b = (m[2] - m[8]) / 2;
  const c = (m[4] - m[1]) / 2;
  const s2 = a * a + b * b + c * c;
  const factor = 1 + s2 / 6 + (3 * s2 * s2) / 40;
  return [a * factor, b * factor, c * factor];
}

/**
 * How badly a motion explains a pair of images: mean of r^2 / (r^2 + RESIDUAL_SCALE^2), below 1. A pixel that leaves the source counts
 * as without motion, so that a motion is not good for having nothing to compare.
 *
 * @param motion pose of the target camera in the source camera's frame: translation, axis-angle
 */
export function alignmentCost(motion: ArrayLike<number>, level: AlignmentLevel): number {
  return native.alignmentCost(...levelArguments(level), smallMotion(motion));
}

/**
 * @param initial pose of the target camera in the source camera's frame: translation, axis-angle
 * @param levels coarse to fine
 * @returns the refined pose, as `initial`; `initial` itself where the refinement went astray (MAX_CHANGE)
 */
export function alignPose(initial: ArrayLike<number>, levels: readonly AlignmentLevel[]): Float64Array {
  const m = smallMotion(initial);
  // Per group: residuals r by bilinear sampling and weights 1 / (1 + (r / RESIDUAL_SCALE)^2) in every step, J^T W J inverted in the first.
  for (const level of levels) native.refineMotion(...levelArguments(level), Int32Array.from(level.iterations), m);
  const refined = Float64Array.of(m[3], m[7], m[11], ...smallAxisAngle(m));
  const change = (from: number): number => Math.hypot(...[0, 1, 2].map((i) => refined[from + i] - initial[from + i]));
  const plausible = change(0) < MAX_CHANGE.translation && change(3) < MAX_CHANGE.rotation;
  return plausible ? refined : Float64Array.from(initial);
}

/** Images are aligned at half the network's size; this many pixels across make one. */
export const ALIGNMENT_SHRINK = 2;
/**
 * Gauss-Newton steps at a quarter, then at half of the network's size; each group begins with a normal matrix of its own. Coarser
 * levels lose the road's faint texture and with it the forward motion (docs/decisions.md).
 */
export const ALIGNMENT_ITERATIONS = {
  /** At an eighth, where nothing proposes a motion: a quarter-size image alone reaches too short a way from rest. */
  fromRest: [4, 4],
  coarse: [4, 4],
  fine: [4, 4],
} as const;

/** Mean over blocks of `side` x `side` pixels; channels are averaged too: [h,w,channels] -> [h/side,w/side]. */
export function blockMeans(
  map: Float32Array,
  height: number,
  width: number,
  channels: number,
  side: number,
): Float32Array {
  const out = new Float32Array((height / side) * (width / side));
  native.blockMeans(height, width, channels, side, map, out);
  return out;
}

/**
 * The levels from grey images and log-disparity at half the network's size.
 *
 * @param fromRest begin with a level more, for a start from no motion
 */
export function alignmentLevels(
  fine: Omit<AlignmentLevel, 'iterations' | keyof PinholeParameters>,
  networkIntrinsics: PinholeParameters,
  fromRest = false,
): AlignmentLevel[] {
  type Maps = typeof fine;
  const halved = ({ height, width, target, source, logDisparity }: Maps): Maps => {
    const halve = (map: Float32Array): Float32Array => blockMeans(map, height, width, 1, 2);
    const maps = { target: halve(target), source: halve(source), logDisparity: halve(logDisparity) };
    return { height: height / 2, width: width / 2, ...maps };
  };
  const shrunk = (by: number): PinholeParameters => ({
    fx: networkIntrinsics.fx / by,
    fy: networkIntrinsics.fy / by,
    cx: (networkIntrinsics.cx + 0.5) / by - 0.5,
    cy: (networkIntrinsics.cy + 0.5) / by - 0.5,
  });
  const coarse = halved(fine);
  const levels: AlignmentLevel[] = [
    { ...coarse, ...shrunk(2 * ALIGNMENT_SHRINK), iterations: ALIGNMENT_ITERATIONS.coarse },
    { ...fine, ...shrunk(ALIGNMENT_SHRINK), iterations: ALIGNMENT_ITERATIONS.fine },
  ];
  if (!fromRest) return levels;
  return [{ ...halved(coarse), ...shrunk(4 * ALIGNMENT_SHRINK), iterations: ALIGNMENT_ITERATIONS.fromRest }, ...levels];
}
