/** J C J' of row-major matrices, size x size: a covariance carried through a Jacobian. Exactly symmetric. */
export function congruent(jacobian: Float64Array, covariance: Float64Array, size = 6): Float64Array {
  const half = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let k = 0; k < size; k++) {
      const factor = jacobian[size * i + k];
      if (factor !== 0) for (let j = 0; j < size; j++) half[size * i + j] += factor * covariance[size * k + j];
    }
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += half[size * i + k] * jacobian[size * j + k];
      out[size * i + j] = out[size * j + i] = sum;
    }
  return out;
}

/** -[x y z]x, row-major 3x3: a small rotation of a vector is this times the rotation. */
export function minusCross(x: number, y: number, z: number): readonly number[] {
  return [0, z, -y, -z, 0, x, y, -x, 0];
}
