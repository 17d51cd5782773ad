/**
 * Direct image alignment: the camera motion between two frames from the depth map of the later one, by Gauss-Newton on grey
 * levels, coarse to fine. It refines what the pose head proposes; the ONNX graph holds the same arithmetic
 * (model/onnx/alignment.ts), and a test compares the two.
 *
 * Inverse compositional form (Baker & Matthews 2004): the Jacobian is that of the target, whose depth is known, so it and the
 * normal matrix are made once per level.
 */

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

/** Central differences per pixel, zero on the border. */
function slopes({ target, height, width }: AlignmentLevel): { gx: Float32Array; gy: Float32Array } {
  const gx = new Float32Array(height * width);
  const gy = new Float32Array(height * width);
  for (let v = 1; v < height - 1; v++) {
    for (let i = v * width + 1; i < v * width + width - 1; i++) {
      gx[i] = (target[i + 1] - target[i - 1]) / 2;
      gy[i] = (target[i + width] - target[i - width]) / 2;
    }
  }
  return { gx, gy };
}

/** Inverse of a symmetric positive 6x6 matrix by Newton-Schulz on the matrix scaled to a unit diagonal. */
export function invertNormalMatrix(h: Float64Array): Float64Array {
  const scale = Float64Array.from({ length: 6 }, (_, i) => 1 / Math.sqrt(h[7 * i] * (1 + DAMPING) + DIAGONAL_FLOOR));
  const a = new Float64Array(36);
  for (let i = 0; i < 6; i++) {
    for (let j = 0; j < 6; j++) {
      a[6 * i + j] = i === j ? 1 : h[6 * i + j] * scale[i] * scale[j];
    }
  }
  // The eigenvalues of a lie in (0, 6): X0 = I / 6 converges.
  let x: Float64Array = Float64Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? 1 / 6 : 0));
  for (let k = 0; k < INVERSE_ITERATIONS; k++) {
    const ax = multiply6(a, x);
    const correction = ax.map((value, i) => (i % 7 === 0 ? 2 : 0) - value);
    x = multiply6(x, correction);
  }
  return x.map((value, i) => value * scale[Math.floor(i / 6)] * scale[i % 6]);
}

function multiply6(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(36);
  for (let i = 0; i < 6; i++) {
    for (let k = 0; k < 6; k++) {
      const value = a[6 * i + k];
      for (let j = 0; j < 6; j++) out[6 * i + j] += value * b[6 * k + j];
    }
  }
  return out;
}

/** exp of a small motion (v, w) to second order in w: 3x4 row-major [R | t]. */
function smallMotion(d: ArrayLike<number>): Float64Array {
  const [x, y, z, a, b, c] = Array.from(d);
  return Float64Array.of(
    1 - (b * b + c * c) / 2,
    -c + (a * b) / 2,
    b + (a * c) / 2,
    x,
    c + (a * b) / 2,
    1 - (a * a + c * c) / 2,
    -a + (b * c) / 2,
    y,
    -b + (a * c) / 2,
    a + (b * c) / 2,
    1 - (a * a + b * b) / 2,
    z,
  );
}

/** [R | t] of the product p * q of two 3x4 motions. */
function compose(p: Float64Array, q: Float64Array): Float64Array {
  const out = new Float64Array(12);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 4; j++) {
      let sum = j === 3 ? p[4 * i + 3] : 0;
      for (let k = 0; k < 3; k++) sum += p[4 * i + k] * q[4 * k + j];
      out[4 * i + j] = sum;
    }
  }
  return out;
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

/** Grey level of the source where the motion m puts target pixel i at (x, y, z), less the target's; NaN outside the source. */
function residualAt(level: AlignmentLevel, m: Float64Array, x: number, y: number, z: number, i: number): number {
  const { height, width, source, target, fx, fy, cx, cy } = level;
  const qz = m[8] * x + m[9] * y + m[10] * z + m[11];
  const safeZ = Math.max(qz, MIN_DEPTH);
  const px = (fx * (m[0] * x + m[1] * y + m[2] * z + m[3])) / safeZ + cx;
  const py = (fy * (m[4] * x + m[5] * y + m[6] * z + m[7])) / safeZ + cy;
  if (!(qz >= MIN_DEPTH && px >= 0 && px <= width - 1 && py >= 0 && py <= height - 1)) return NaN;
  const x0 = Math.min(width - 2, Math.floor(px));
  const y0 = Math.min(height - 2, Math.floor(py));
  const [a, b, s] = [px - x0, py - y0, y0 * width + x0];
  const top = source[s] + a * (source[s + 1] - source[s]);
  const bottom = source[s + width] + a * (source[s + width + 1] - source[s + width]);
  return top + b * (bottom - top) - target[i];
}

/**
 * How badly a motion explains a pair of images: mean of r^2 / (r^2 + RESIDUAL_SCALE^2), below 1. A pixel that leaves the source counts
 * as without motion, so that a motion is not good for having nothing to compare.
 *
 * @param motion pose of the target camera in the source camera's frame: translation, axis-angle
 */
export function alignmentCost(motion: ArrayLike<number>, level: AlignmentLevel): number {
  const { height, width, target, source, logDisparity, fx, fy, cx, cy } = level;
  const m = smallMotion(motion);
  let sum = 0;
  for (let v = 0, i = 0; v < height; v++) {
    for (let u = 0; u < width; u++, i++) {
      const z = Math.exp(-logDisparity[i]);
      const moved = residualAt(level, m, ((u - cx) / fx) * z, ((v - cy) / fy) * z, z, i);
      const squared = (Number.isNaN(moved) ? source[i] - target[i] : moved) ** 2;
      sum += squared / (squared + RESIDUAL_SCALE ** 2);
    }
  }
  return sum / (height * width);
}

/** One level's refinement of the motion m. */
function refine(level: AlignmentLevel, start: Float64Array): Float64Array {
  const { height, width, logDisparity, fx, fy, cx, cy } = level;
  const n = height * width;
  const { gx, gy } = slopes(level);
  const points = new Float32Array(3 * n);
  const jacobian = new Float32Array(6 * n);
  for (let v = 0, i = 0; v < height; v++) {
    for (let u = 0; u < width; u++, i++) {
      const z = Math.exp(-logDisparity[i]);
      const x = ((u - cx) / fx) * z;
      const y = ((v - cy) / fy) * z;
      points.set([x, y, z], 3 * i);
      const a = (gx[i] * fx) / z;
      const b = (gy[i] * fy) / z;
      const c = -(a * x + b * y) / z;
      jacobian.set([a, b, c, c * y - b * z, a * z - c * x, b * x - a * y], 6 * i);
    }
  }
  const weights = new Float32Array(n);
  let m = start;
  for (const steps of level.iterations) {
    let inverse: Float64Array = new Float64Array(36);
    for (let k = 0; k < steps; k++) {
      const gradient = new Float64Array(6);
      let weightSum = 1;
      weights.fill(0);
      for (let i = 0; i < n; i++) {
        const [x, y, z] = [points[3 * i], points[3 * i + 1], points[3 * i + 2]];
        const residual = residualAt(level, m, x, y, z, i);
        if (Number.isNaN(residual)) continue;
        const weight = 1 / (1 + (residual / RESIDUAL_SCALE) ** 2);
        weights[i] = weight;
        weightSum += weight;
        for (let r = 0; r < 6; r++) gradient[r] += weight * residual * jacobian[6 * i + r];
      }
      if (k === 0) inverse = invertNormalMatrix(normalMatrix(jacobian, weights, weightSum));
      const step = new Float64Array(6);
      for (let r = 0; r < 6; r++) for (let c = 0; c < 6; c++) step[r] -= (inverse[6 * r + c] * gradient[c]) / weightSum;
      m = compose(m, smallMotion(step));
    }
  }
  return m;
}

/** J^T W J / sum of weights, 6x6. */
function normalMatrix(jacobian: Float32Array, weights: Float32Array, weightSum: number): Float64Array {
  const h = new Float64Array(36);
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i];
    if (weight === 0) continue;
    for (let r = 0; r < 6; r++) {
      const scaled = weight * jacobian[6 * i + r];
      for (let c = 0; c < 6; c++) h[6 * r + c] += scaled * jacobian[6 * i + c];
    }
  }
  return h.map((value) => value / weightSum);
}

/**
 * @param initial pose of the target camera in the source camera's frame: translation, axis-angle
 * @param levels coarse to fine
 * @returns the refined pose, as `initial`; `initial` itself where the refinement went astray (MAX_CHANGE)
 */
export function alignPose(initial: ArrayLike<number>, levels: readonly AlignmentLevel[]): Float64Array {
  let m = smallMotion(initial);
  for (const level of levels) m = refine(level, m);
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
  map: ArrayLike<number>,
  height: number,
  width: number,
  channels: number,
  side: number,
): Float32Array {
  const columns = width / side;
  const out = new Float32Array((height / side) * columns);
  const share = 1 / (side * side * channels);
  for (let v = 0, i = 0; v < height; v++) {
    const row = Math.floor(v / side) * columns;
    for (let u = 0; u < width; u++) {
      const o = row + Math.floor(u / side);
      for (let c = 0; c < channels; c++, i++) out[o] += map[i] * share;
    }
  }
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
