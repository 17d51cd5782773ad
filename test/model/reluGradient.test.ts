import * as tf from '@tensorflow/tfjs-node-gpu';
import '../../src/model/reluGradient';

test("ReLU's gradient passes what comes in above 0 and nothing below or at it", () => {
  const x = tf.tensor([-2, -0, 0, 1e-6, 3, 7]);
  const dy = tf.tensor([1, 2, 3, 4, 5, -6]);
  expect([
    ...tf
      .grad((y) => tf.relu(y))(x, dy)
      .dataSync(),
  ]).toEqual([0, 0, 0, 4, 5, -6]);
});

test('through layers and through relu6 it agrees with finite differences', () => {
  const layer = tf.layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu', inputShape: [6, 6, 2] });
  const f = (x: tf.Tensor): tf.Scalar =>
    tf.sum(tf.square(tf.relu6(tf.mul(layer.apply(x) as tf.Tensor, 4)))) as tf.Scalar;
  const x = tf.randomUniform([1, 6, 6, 2], -1, 1, 'float32', 7);
  const gradient = tf.grad(f)(x).dataSync();
  const values = x.dataSync();
  for (const i of [0, 17, 40, 71]) {
    const at = (step: number): number =>
      f(
        tf.tensor(
          Float32Array.from(values, (v, j) => (j === i ? v + step : v)),
          x.shape,
        ),
      ).dataSync()[0];
    expect(gradient[i]).toBeCloseTo((at(1e-2) - at(-1e-2)) / 2e-2, 0);
  }
});
