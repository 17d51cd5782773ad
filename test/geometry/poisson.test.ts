import { dctMatrix, forwardDifferences, forwardDifferencesAdjoint } from '../../src/geometry/poisson';

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

describe('differences and their basis', () => {
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
});
