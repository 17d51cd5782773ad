import * as tf from '@tensorflow/tfjs-node-gpu';
import { forwardDifferences, forwardDifferencesAdjoint } from '../../src/geometry/poisson';
import { fuse } from '../../src/model/fusion';

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

const [height, width] = [10, 14];
const u0 = tf.randomNormal([2, height, width, 1], -2, 0.5, 'float32', 1) as tf.Tensor4D;
const gradient = tf.randomNormal([2, height, width, 2], 0, 0.3, 'float32', 2) as tf.Tensor4D;

test.each([0.01, 0.1, 2])('the fused map solves the normal equations (lambda %d)', (lambda) => {
  const fused = fuse(u0, gradient, lambda);
  expect(fused.shape).toEqual([2, height, width, 1]);
  for (const image of [0, 1]) {
    const plane = (x: tf.Tensor4D): Float32Array => x.slice([image, 0, 0, 0], [1, -1, -1, -1]).dataSync<'float32'>();
    const [u, start, target] = [fused, u0, gradient].map(plane);
    const misfit = forwardDifferences(u, height, width).map((value, i) => value - target[i]);
    const pull = forwardDifferencesAdjoint(misfit, height, width);
    pull.forEach((value, i) => expect(Math.abs(value + lambda * (u[i] - start[i]))).toBeLessThan(1e-4));
  }
});

test('a consistent pair is left alone', () => {
  const exact = forwardDifferences(u0.dataSync().subarray(0, height * width), height, width);
  const first = u0.slice([0, 0, 0, 0], [1, -1, -1, -1]);
  const fused = fuse(first, tf.tensor4d(exact, [1, height, width, 2]), 0.1);
  expect(fused.sub(first).abs().max().dataSync()[0]).toBeLessThan(1e-4);
});

test('its gradient is that of finite differences', () => {
  const weights = tf.randomNormal(u0.shape, 0, 1, 'float32', 3);
  const loss = (u: tf.Tensor, g: tf.Tensor): tf.Scalar =>
    fuse(u as tf.Tensor4D, g as tf.Tensor4D, 0.1)
      .mul(weights)
      .sum() as tf.Scalar;
  const [du, dg] = tf.grads(loss as never)([u0, gradient]) as tf.Tensor[];
  const direction = [
    tf.randomNormal(u0.shape, 0, 1, 'float32', 4),
    tf.randomNormal(gradient.shape, 0, 1, 'float32', 5),
  ];
  const at = (step: number): number =>
    loss(u0.add(direction[0].mul(step)), gradient.add(direction[1].mul(step))).dataSync()[0];
  const numeric = (at(0.5) - at(-0.5)) / 1; // the map is linear: a long step is exact and keeps float32 noise small
  const analytic = du.mul(direction[0]).sum().add(dg.mul(direction[1]).sum()).dataSync()[0];
  expect(Math.abs(analytic - numeric)).toBeLessThan(1e-3 * Math.max(1, Math.abs(numeric)));
});

test('it equals a dense solve of the normal equations', () => {
  const [h, w, lambda] = [3, 4, 0.3];
  const n = h * w;
  const start = tf.randomNormal([1, h, w, 1], 0, 1, 'float32', 6) as tf.Tensor4D;
  const target = tf.randomNormal([1, h, w, 2], 0, 1, 'float32', 7) as tf.Tensor4D;
  const [u, g] = [start.dataSync(), target.dataSync()];
  // lambda I + D^T D and lambda u0 + D^T G, edge by edge, independently of the operators under test.
  const matrix = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? lambda : 0)));
  const right = Array.from(u, (value) => lambda * value);
  const edge = (from: number, to: number, difference: number): void => {
    matrix[from][from]++;
    matrix[to][to]++;
    matrix[from][to]--;
    matrix[to][from]--;
    right[from] -= difference;
    right[to] += difference;
  };
  for (let i = 0; i < n; i++) {
    if (i % w < w - 1) edge(i, i + 1, g[2 * i]);
    if (i + w < n) edge(i, i + w, g[2 * i + 1]);
  }
  const expected = solveDense(matrix, right);
  const fused = fuse(start, target, lambda).dataSync();
  expected.forEach((value, i) => expect(Math.abs(fused[i] - value)).toBeLessThan(1e-5));
});

test('a wrong offset in u0 is kept and a wrong shape is corrected by G as lambda becomes small', () => {
  const truth = tf.randomNormal([1, height, width, 1], 0, 1, 'float32', 8);
  const start = tf.randomNormal([1, height, width, 1], 2, 1, 'float32', 9) as tf.Tensor4D;
  const exact = forwardDifferences(truth.dataSync(), height, width);
  const fused = fuse(start, tf.tensor4d(exact, [1, height, width, 2]), 1e-4);
  expect(fused.mean().sub(start.mean()).abs().dataSync()[0]).toBeLessThan(5e-3);
  const misfit = fused.sub(fused.mean()).sub(truth.sub(truth.mean()));
  expect(misfit.abs().max().dataSync()[0]).toBeLessThan(1e-2);
});
