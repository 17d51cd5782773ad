/**
 * Rigid transforms in SE(3). The 6-vector of this project is translation x y z, then axis-angle (radians); the
 * translation is the transform's own (NOT the se(3) exponential's V*rho).
 */

/** x -> rotation * x + translation. */
export interface Se3 {
  /** 3x3, row-major. */
  readonly rotation: Float64Array;
  /** metres, or the depth map's scale. */
  readonly translation: Float64Array;
}

/** Quaternion in ROS order. */
export type Quaternion = readonly [x: number, y: number, z: number, w: number];

/** Below this squared angle the closed forms lose digits to cancellation; the series are exact to double precision. */
const SERIES_BELOW = 1e-2;

/** sin(a)/a as a function of a^2. */
function sinc(a2: number): number {
  if (a2 > SERIES_BELOW) return Math.sin(Math.sqrt(a2)) / Math.sqrt(a2);
  return 1 - (a2 / 6) * (1 - (a2 / 20) * (1 - (a2 / 42) * (1 - (a2 / 72) * (1 - a2 / 110))));
}

/** (1 - cos a)/a^2 as a function of a^2. */
function versine(a2: number): number {
  if (a2 > SERIES_BELOW) return (1 - Math.cos(Math.sqrt(a2))) / a2;
  return 0.5 * (1 - (a2 / 12) * (1 - (a2 / 30) * (1 - (a2 / 56) * (1 - (a2 / 90) * (1 - a2 / 132)))));
}

/** (a - sin a)/a^3 as a function of a^2. */
function cubic(a2: number): number {
  if (a2 > SERIES_BELOW) {
    const a = Math.sqrt(a2);
    return (a - Math.sin(a)) / (a2 * a);
  }
  return (1 / 6) * (1 - (a2 / 20) * (1 - (a2 / 42) * (1 - (a2 / 72) * (1 - (a2 / 110) * (1 - a2 / 156)))));
}

export function identity(): Se3 {
  return { rotation: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), translation: new Float64Array(3) };
}

/** Rotation matrix (row-major 3x3) of an axis-angle vector by Rodrigues' formula. */
export function rotationFromAxisAngle(x: number, y: number, z: number): Float64Array {
  const a2 = x * x + y * y + z * z;
  const s = sinc(a2);
  const c = versine(a2);
  return Float64Array.of(
    1 - c * (y * y + z * z),
    c * x * y - s * z,
    c * x * z + s * y,
    c * x * y + s * z,
    1 - c * (x * x + z * z),
    c * y * z - s * x,
    c * x * z - s * y,
    c * y * z + s * x,
    1 - c * (x * x + y * y),
  );
}

/** Axis-angle of a rotation matrix, angle in [0, pi]. Goes through the quaternion, so it stays accurate at both ends. */
export function axisAngleFromRotation(rotation: ArrayLike<number>): [number, number, number] {
  const [x, y, z, w] = quaternionFromRotation(rotation);
  const sine = Math.hypot(x, y, z);
  // angle = 2 atan2(|v|, w); for |v| -> 0 the factor angle/|v| tends to 2/w.
  const factor = sine < 1e-9 ? 2 / w : (2 * Math.atan2(sine, w)) / sine;
  return [x * factor, y * factor, z * factor];
}

/** Unit quaternion with w >= 0 of a rotation matrix (Shepperd's method: divides by the largest component). */
export function quaternionFromRotation(r: ArrayLike<number>): [number, number, number, number] {
  const candidates = [1 + r[0] - r[4] - r[8], 1 - r[0] + r[4] - r[8], 1 - r[0] - r[4] + r[8], 1 + r[0] + r[4] + r[8]];
  const largest = candidates.indexOf(Math.max(...candidates));
  const d = candidates[largest];
  let q: [number, number, number, number];
  if (largest === 0) q = [d, r[1] + r[3], r[2] + r[6], r[7] - r[5]];
  else if (largest === 1) q = [r[1] + r[3], d, r[5] + r[7], r[2] - r[6]];
  else if (largest === 2) q = [r[2] + r[6], r[5] + r[7], d, r[3] - r[1]];
  else q = [r[7] - r[5], r[2] - r[6], r[3] - r[1], d];
  const scale = (q[3] < 0 ? -1 : 1) / Math.hypot(...q);
  return [q[0] * scale, q[1] * scale, q[2] * scale, q[3] * scale];
}

/** Rotation matrix of a quaternion (normalised first). Throws RangeError on the zero quaternion. */
export function rotationFromQuaternion([qx, qy, qz, qw]: Quaternion): Float64Array {
  const n = Math.hypot(qx, qy, qz, qw);
  if (!(n > 0)) throw new RangeError('rotationFromQuaternion: the zero quaternion is no rotation');
  const [x, y, z, w] = [qx / n, qy / n, qz / n, qw / n];
  return Float64Array.of(
    1 - 2 * (y * y + z * z),
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (x * y + w * z),
    1 - 2 * (x * x + z * z),
    2 * (y * z - w * x),
    2 * (x * z - w * y),
    2 * (y * z + w * x),
    1 - 2 * (x * x + y * y),
  );
}

/** Transform of a 6-vector: translation x y z, then axis-angle. */
export function fromVector6(vector: ArrayLike<number>): Se3 {
  if (vector.length !== 6) throw new RangeError(`fromVector6: expected 6 numbers, got ${vector.length}`);
  return {
    rotation: rotationFromAxisAngle(vector[3], vector[4], vector[5]),
    translation: Float64Array.of(vector[0], vector[1], vector[2]),
  };
}

/** 6-vector (translation, axis-angle with angle in [0, pi]) of a transform. */
export function toVector6(transform: Se3): Float64Array {
  return Float64Array.of(...transform.translation, ...axisAngleFromRotation(transform.rotation));
}

/** The transform of the 4x4 (or 3x4) row-major matrix. */
export function fromMatrix4(m: ArrayLike<number>): Se3 {
  return {
    rotation: Float64Array.of(m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10]),
    translation: Float64Array.of(m[3], m[7], m[11]),
  };
}

/** 4x4 row-major matrix of a transform. */
export function toMatrix4({ rotation: r, translation: t }: Se3): Float64Array {
  return Float64Array.of(r[0], r[1], r[2], t[0], r[3], r[4], r[5], t[1], r[6], r[7], r[8], t[2], 0, 0, 0, 1);
}

/** compose(a, b): first b, then a (the matrix product a * b). */
export function compose(a: Se3, b: Se3): Se3 {
  const rotation = new Float64Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      let sum = 0;
      for (let k = 0; k < 3; k++) sum += a.rotation[3 * i + k] * b.rotation[3 * k + j];
      rotation[3 * i + j] = sum;
    }
  }
  return {
    rotation,
    translation: Float64Array.from(transformPoint(a, b.translation[0], b.translation[1], b.translation[2])),
  };
}

type Vector3 = [number, number, number];

export function inverse({ rotation: r, translation: t }: Se3): Se3 {
  return {
    rotation: Float64Array.of(r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]),
    translation: Float64Array.of(
      -(r[0] * t[0] + r[3] * t[1] + r[6] * t[2]),
      -(r[1] * t[0] + r[4] * t[1] + r[7] * t[2]),
      -(r[2] * t[0] + r[5] * t[1] + r[8] * t[2]),
    ),
  };
}

/** rotation * (x, y, z) + translation. */
export function transformPoint({ rotation: r, translation: t }: Se3, x: number, y: number, z: number): Vector3 {
  return [
    r[0] * x + r[1] * y + r[2] * z + t[0],
    r[3] * x + r[4] * y + r[5] * z + t[1],
    r[6] * x + r[7] * y + r[8] * z + t[2],
  ];
}

/**
 * Right Jacobian of SO(3): Exp(w + dw) = Exp(w) Exp(Jr(w) dw) to first order. 3x3 row-major.
 * Jr = I - (1 - cos a)/a^2 [w]x + (a - sin a)/a^3 [w]x^2 (Sola, "A micro Lie theory", eq. 143).
 */
export function rightJacobian(x: number, y: number, z: number): Float64Array {
  const a2 = x * x + y * y + z * z;
  const b = versine(a2);
  const c = cubic(a2);
  return Float64Array.of(
    1 - c * (y * y + z * z),
    b * z + c * x * y,
    -b * y + c * x * z,
    -b * z + c * x * y,
    1 - c * (x * x + z * z),
    b * x + c * y * z,
    b * y + c * x * z,
    -b * x + c * y * z,
    1 - c * (x * x + y * y),
  );
}
