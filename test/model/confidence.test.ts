import * as tf from '@tensorflow/tfjs-node-gpu';
import { forwardDifferences } from '../../src/geometry/poisson';
import { confidence, confidenceSharpness } from '../../src/model/confidence';

const [height, width] = [12, 17];
const u = tf.randomNormal([1, height, width, 1], -2, 0.5, 'float32', 4) as tf.Tensor4D;
const exact = forwardDifferences(u.dataSync(), height, width);

test('is one everywhere when the gradient is that of the depth, whatever the last column and row say', () => {
  const gradient = tf.buffer([1, height, width, 2], 'float32', exact.slice());
  for (let v = 0; v < height; v++) gradient.set(9, 0, v, width - 1, 0);
  for (let x = 0; x < width; x++) gradient.set(9, 0, height - 1, x, 1);
  const values = confidence(u, gradient.toTensor() as tf.Tensor4D);
  expect(values.shape).toEqual([1, height, width, 1]);
  expect(values.min().dataSync()[0]).toBeCloseTo(1, 4);
});

test('falls by the mean disagreement of both axes', () => {
  const gradient = tf.tensor4d(exact, [1, height, width, 2]).add([0.01, -0.03]) as tf.Tensor4D;
  const values = confidence(u, gradient).arraySync()[0];
  expect(values[5][5][0]).toBeCloseTo(Math.exp(-confidenceSharpness * 0.04), 4);
  // In the corner a 3x3 window is left; its last column and its last row count 6 of 9 pixels each.
  expect(values[height - 1][width - 1][0]).toBeCloseTo(Math.exp((-confidenceSharpness * 0.04 * 6) / 9), 4);
});
