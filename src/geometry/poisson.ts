/**
 * Forward differences of a map, their adjoint, and the basis and eigenvalues in which src/model/fusion.ts solves the screened Poisson equation.
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
