import {
  dctMatrix,
  forwardDifferences,
  forwardDifferencesAdjoint,
  screenedPoissonGradient,
  solveScreenedPoisson,
} from '../../src/geometry/poisson';

/** Deterministic values in -1..1. */
function values(count: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);

/** Solves A x = b by Gaussian elimination with partial pivoting. */
function solveDense(matrix: number[][], rhs: number[]): number[] {
  const n = rhs.length;
  const a = matrix.map((row, i) => [...row, rhs[i]]);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i][k]) > Math.abs(a[pivot][k])) pivot = i;
    [a[k], a[pivot]] = [a[pivot], a[k]];
    for (let i = k + 1; i < n; i++) {
      const factor = a[i][k] / a[k][k];
      for (let j = k; j <= n; j++) a[i][j] -= factor * a[k][j];
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    x[i] = (a[i][n] - dot(a[i].slice(i + 1, n), x.slice(i + 1))) / a[i][i];
  }
  return x;
}

describe('screened Poisson', () => {
  test.each([1, 2, 5, 32])('dctMatrix(%d) is orthonormal', (n) => {
    const c = dctMatrix(n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const product = dot(c.subarray(i * n, i * n + n), c.subarray(j * n, j * n + n));
        expect(Math.abs(product - (i === j ? 1 : 0))).toBeLessThan(1e-12);
      }
    }
  });

  test('forward differences and their adjoint satisfy <Du, G> = <u, D*G>', () => {
    const [h, w] = [5, 7];
    const u = values(h * w, 1);
    const g = values(h * w * 2, 2);
    expect(dot(forwardDifferences(u, h, w), g)).toBeCloseTo(dot(u, forwardDifferencesAdjoint(g, h, w)), 5);
  });

  test('forward differences of a plane are constant, and zero across the last column and row', () => {
    const [h, w] = [4, 6];
    const plane = Float32Array.from({ length: h * w }, (_, i) => 0.5 * (i % w) - 0.25 * Math.floor(i / w));
    const g = forwardDifferences(plane, h, w);
    for (let i = 0; i < h * w; i++) {
      expect(g[2 * i]).toBe(i % w === w - 1 ? 0 : 0.5);
      expect(g[2 * i + 1]).toBe(Math.floor(i / w) === h - 1 ? 0 : -0.25);
    }
  });

  test.each([1e-3, 0.1, 1, 30])('with G = grad u the solution is u itself for lambda %d', (lambda) => {
    const [h, w] = [32, 48];
    const u = Float32Array.from(values(h * w, 3));
    const solved = solveScreenedPoisson(u, forwardDifferences(u, h, w), lambda, h, w);
    for (let i = 0; i < u.length; i++) expect(Math.abs(solved[i] - u[i])).toBeLessThan(1e-5);
  });

  test('a wrong offset in u0 is kept and a wrong shape is corrected by G as lambda goes to zero', () => {
    const [h, w] = [16, 24];
    const truth = values(h * w, 4);
    const noisy = values(h * w, 5);
    const solved = solveScreenedPoisson(noisy, forwardDifferences(truth, h, w), 1e-7, h, w);
    const mean = (a: ArrayLike<number>): number => dot(a, new Float64Array(a.length).fill(1)) / a.length;
    const [offset, truthMean] = [mean(noisy), mean(truth)];
    expect(mean(solved)).toBeCloseTo(offset, 5);
    for (let i = 0; i < truth.length; i++) {
      expect(Math.abs(solved[i] - offset - (truth[i] - truthMean))).toBeLessThan(1e-4);
    }
  });

  test('the DCT solution equals a dense solve of the normal equations', () => {
    const [h, w, lambda] = [3, 4, 0.3];
    const n = h * w;
    const u0 = values(n, 6);
    const g = values(2 * n, 7);
    const adjoint = forwardDifferencesAdjoint(g, h, w);
    const matrix = Array.from({ length: n }, (_, i) => {
      // Row i of lambda I + D^T D, built by edges, independently of the operators under test.
      const row = new Array<number>(n).fill(0);
      row[i] = lambda;
      const [v, x] = [Math.floor(i / w), i % w];
      for (const [vv, xx] of [
        [v - 1, x],
        [v + 1, x],
        [v, x - 1],
        [v, x + 1],
      ]) {
        if (vv < 0 || xx < 0 || vv >= h || xx >= w) continue;
        row[i] += 1;
        row[vv * w + xx] -= 1;
      }
      return row;
    });
    const expected = solveDense(
      matrix,
      Array.from(u0, (value, i) => lambda * value + adjoint[i]),
    );
    const solved = solveScreenedPoisson(u0, g, lambda, h, w);
    for (let i = 0; i < n; i++) expect(Math.abs(solved[i] - expected[i])).toBeLessThan(1e-6);
  });

  test('the backward pass equals finite differences', () => {
    const [h, w, lambda] = [4, 5, 0.2];
    const n = h * w;
    const u0 = values(n, 8);
    const g = values(2 * n, 9);
    const upstream = values(n, 10);
    const loss = (a: Float64Array, b: Float64Array): number => dot(solveScreenedPoisson(a, b, lambda, h, w), upstream);
    const gradient = screenedPoissonGradient(upstream, lambda, h, w);
    // The map is linear, so a step of 1 has no truncation error and float32 output costs only 1e-6.
    for (const [input, analytic, which] of [
      [u0, gradient.u0, 0],
      [g, gradient.gradient, 1],
    ] as const) {
      for (let i = 0; i < input.length; i++) {
        const moved = Float64Array.from(input);
        moved[i] += 1;
        const difference = which === 0 ? loss(moved, g) - loss(u0, g) : loss(u0, moved) - loss(u0, g);
        expect(Math.abs(analytic[i] - difference)).toBeLessThan(1e-5);
      }
    }
  });

  test('a lambda that is not positive is refused', () => {
    expect(() => solveScreenedPoisson([0], [0, 0], 0, 1, 1)).toThrow(/lambda must be positive, got 0/);
  });
});
