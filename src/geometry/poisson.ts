/**
 * Depth -> gradient by forward differences and gradient -> depth by screened Poisson, both exact.
 * Neumann boundary: the forward difference across the last column (row) does not exist and is held at zero.
 */

/**
 * Orthonormal DCT-II matrix C, float64 [n, n] row-major: X = C x, x = C^T X.
 * C[k][i] = sqrt((k ? 2 : 1)/n) cos(pi (i + 1/2) k / n). Its rows are the eigenvectors of the Neumann Laplacian.
 */
export function dctMatrix(n: number): Float64Array {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`dctMatrix: n must be a positive integer, got ${n}`);
  const matrix = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const scale = Math.sqrt((k === 0 ? 1 : 2) / n);
    for (let i = 0; i < n; i++) matrix[k * n + i] = scale * Math.cos((Math.PI * (2 * i + 1) * k) / (2 * n));
  }
  return matrix;
}

/** Eigenvalues of D^T D (D = forward differences with Neumann boundary) for the DCT-II basis: 2 - 2 cos(pi k / n). */
export function neumannEigenvalues(n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, k) => 4 * Math.sin((Math.PI * k) / (2 * n)) ** 2);
}

/**
 * Forward differences, float32 [h, w, 2]: channel 0 u(v, x+1) - u(v, x), channel 1 u(v+1, x) - u(v, x);
 * zero across the last column and row.
 */
export function forwardDifferences(u: ArrayLike<number>, height: number, width: number): Float32Array {
  const gradient = new Float32Array(height * width * 2);
  for (let v = 0, i = 0; v < height; v++) {
    for (let x = 0; x < width; x++, i++) {
      if (x + 1 < width) gradient[2 * i] = u[i + 1] - u[i];
      if (v + 1 < height) gradient[2 * i + 1] = u[i + width] - u[i];
    }
  }
  return gradient;
}

/** The adjoint of forwardDifferences (minus the divergence), float64 [h, w]. Last-column and last-row entries of G are ignored. */
export function forwardDifferencesAdjoint(gradient: ArrayLike<number>, height: number, width: number): Float64Array {
  const result = new Float64Array(height * width);
  for (let v = 0, i = 0; v < height; v++) {
    for (let x = 0; x < width; x++, i++) {
      if (x + 1 < width) {
        result[i] -= gradient[2 * i];
        result[i + 1] += gradient[2 * i];
      }
      if (v + 1 < height) {
        result[i] -= gradient[2 * i + 1];
        result[i + width] += gradient[2 * i + 1];
      }
    }
  }
  return result;
}

/** out = left * x * right^T for left [h, h], x [h, w], right [w, w]; `transpose` uses left^T and right instead. */
function separable(
  left: Float64Array,
  right: Float64Array,
  x: Float64Array,
  h: number,
  w: number,
  transpose: boolean,
): Float64Array {
  const rows = new Float64Array(h * w);
  for (let k = 0; k < h; k++) {
    for (let i = 0; i < h; i++) {
      const a = transpose ? left[i * h + k] : left[k * h + i];
      for (let j = 0; j < w; j++) rows[k * w + j] += a * x[i * w + j];
    }
  }
  const out = new Float64Array(h * w);
  for (let k = 0; k < h; k++) {
    for (let j = 0; j < w; j++) {
      if (transpose) {
        const a = rows[k * w + j];
        for (let i = 0; i < w; i++) out[k * w + i] += a * right[j * w + i];
      } else {
        let sum = 0;
        for (let i = 0; i < w; i++) sum += right[j * w + i] * rows[k * w + i];
        out[k * w + j] = sum;
      }
    }
  }
  return out;
}

/**
 * argmin over u of lambda * ||u - u0||^2 + ||grad u - G||^2, solved exactly: (lambda + D^T D) u = lambda u0 + D^T G is
 * diagonal in the separable DCT-II basis. The map (u0, G) -> u is linear, so a tangent (du0, dG) maps through this same
 * function.
 * @param u0 [h, w]
 * @param gradient [h, w, 2] as from forwardDifferences
 * @param lambda > 0
 */
export function solveScreenedPoisson(
  u0: ArrayLike<number>,
  gradient: ArrayLike<number>,
  lambda: number,
  height: number,
  width: number,
): Float32Array {
  requireLambda(lambda);
  const rhs = forwardDifferencesAdjoint(gradient, height, width);
  for (let i = 0; i < rhs.length; i++) rhs[i] += lambda * u0[i];
  return Float32Array.from(applyInverse(rhs, lambda, height, width));
}

/**
 * Backward pass of solveScreenedPoisson: dL/du -> (dL/du0, dL/dG). The operator is symmetric, so with
 * s = (lambda + D^T D)^-1 dL/du it is dL/du0 = lambda s and dL/dG = D s.
 */
export function screenedPoissonGradient(
  upstream: ArrayLike<number>,
  lambda: number,
  height: number,
  width: number,
): { u0: Float32Array; gradient: Float32Array } {
  requireLambda(lambda);
  const s = applyInverse(Float64Array.from(upstream), lambda, height, width);
  return { u0: Float32Array.from(s, (value) => lambda * value), gradient: forwardDifferences(s, height, width) };
}

function applyInverse(rhs: Float64Array, lambda: number, height: number, width: number): Float64Array {
  const rowBasis = dctMatrix(height);
  const columnBasis = dctMatrix(width);
  const rowEigenvalues = neumannEigenvalues(height);
  const columnEigenvalues = neumannEigenvalues(width);
  const spectrum = separable(rowBasis, columnBasis, rhs, height, width, false);
  for (let k = 0; k < height; k++) {
    for (let j = 0; j < width; j++) spectrum[k * width + j] /= lambda + rowEigenvalues[k] + columnEigenvalues[j];
  }
  return separable(rowBasis, columnBasis, spectrum, height, width, true);
}

function requireLambda(lambda: number): void {
  if (!(lambda > 0)) throw new RangeError(`solveScreenedPoisson: lambda must be positive, got ${lambda}`);
}
