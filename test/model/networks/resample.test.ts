import * as tf from '@tensorflow/tfjs-node-gpu';
import { interleavedConvolution, resizeMap, unpool, UpConvolution } from '../../../src/model/networks/resample';
import { expectGradients, noiseTensor } from '../../support/gradientCheck';

test('unpooling by hand: zeros, and averages of the two (in the corner, four) nearest', () => {
  const map = tf.tensor4d([1, 3, 5, 11], [1, 2, 2, 1]);
  const zeros = [1, 0, 3, 0, 0, 0, 0, 0, 5, 0, 11, 0, 0, 0, 0, 0];
  expect([...unpool(map, 'zeros').dataSync()]).toEqual(zeros);
  const average = [1, 2, 3, 3, 3, 5, 7, 7, 5, 8, 11, 11, 5, 8, 11, 11];
  expect([...unpool(map, 'average').dataSync()]).toEqual(average);
});

test('up-projection: zero-unpooling + 5x5 equals the four interleaved convolutions to 1e-5', () => {
  for (const [h, w] of [
    [5, 7],
    [1, 1],
    [2, 8],
  ]) {
    const map = noiseTensor(1, [2, h, w, 3], -1, 1) as tf.Tensor4D;
    const kernel = noiseTensor(2, [5, 5, 3, 4], -1, 1) as tf.Tensor4D;
    const plain = tf.conv2d(unpool(map, 'zeros'), kernel, 1, 'same');
    const fast = interleavedConvolution(map, kernel);
    expect(fast.shape).toEqual([2, 2 * h, 2 * w, 4]);
    expect(tf.max(tf.abs(plain)).dataSync()[0]).toBeGreaterThan(1);
    expect(tf.max(tf.abs(tf.sub(plain, fast))).dataSync()[0]).toBeLessThan(1e-5);
  }
});

test.each(['zeros', 'average'] as const)(
  'gradients of the up-convolution with %s agree with finite differences',
  (filling) => {
    const layer = new UpConvolution(`up_${filling}`, 2, filling);
    layer.apply(tf.zeros([1, 2, 3, 2]));
    const weight = noiseTensor(3, [1, 4, 6, 2], -1, 1);
    const f = (x: tf.Tensor): tf.Scalar => tf.sum(tf.mul(layer.apply(x) as tf.Tensor, weight)) as tf.Scalar;
    layer.setWeights([noiseTensor(4, [5, 5, 2, 2], -1, 1), tf.tensor1d([0.3, -0.2])]);
    expectGradients(f, [noiseTensor(5, [1, 2, 3, 2], -1, 1)], { step: 0.1 });
    const { grads } = tf.variableGrads(() => f(noiseTensor(5, [1, 2, 3, 2], -1, 1)));
    expect(Object.values(grads).every((g) => tf.max(tf.abs(g)).dataSync()[0] > 0)).toBe(true);
    expect(Object.keys(grads)).toHaveLength(2);
  },
);

test('resizing keeps a plane (away from the border), and its gradient agrees with finite differences', () => {
  const plane = tf.tensor4d(
    Float32Array.from({ length: 20 }, (_, i) => (i % 5) + 10 * Math.floor(i / 5)),
    [1, 4, 5, 1],
  );
  const big = resizeMap(plane, 8, 10).dataSync();
  expect(big[3 * 10 + 4]).toBeCloseTo(1.75 + 10 * 1.25, 5); // (4 + .5) / 2 - .5 and (3 + .5) / 2 - .5
  const weight = noiseTensor(6, [2, 6, 9, 1], -1, 1);
  const f = (x: tf.Tensor): tf.Scalar => tf.sum(tf.mul(resizeMap(x as tf.Tensor4D, 6, 9), weight)) as tf.Scalar;
  expectGradients(f, [noiseTensor(7, [2, 3, 4, 1], -1, 1)], { step: 0.1 });
});
