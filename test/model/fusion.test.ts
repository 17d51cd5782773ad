import * as tf from '@tensorflow/tfjs-node-gpu';
import { forwardDifferences, forwardDifferencesAdjoint } from '../../src/geometry/poisson';
import { fuse } from '../../src/model/fusion';

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
