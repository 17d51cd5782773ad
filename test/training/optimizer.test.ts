import * as tf from '@tensorflow/tfjs-node-gpu';
import { defaultAdam, FlatAdam } from '../../src/training/optimizer';

/** A loss with gradients of very different sizes. */
function quadratic(x: tf.Variable): () => tf.Scalar {
  return () => tf.sum(tf.mul(tf.square(tf.sub(x, 0.3)), tf.tensor1d([1, 100, 0.01, 5]))) as tf.Scalar;
}

function fresh(name: string): tf.Variable {
  return tf.variable(tf.tensor1d([1, -2, 3, -4]), true, name);
}

test('makes the same steps as tf.train.adam', () => {
  const ours = fresh('adam/ours');
  const theirs = fresh('adam/theirs');
  const adam = new FlatAdam(new Map([['x', ours]]), { ...defaultAdam, clipNorm: Infinity });
  const reference = tf.train.adam(0.05, 0.9, 0.999, 1e-8);
  for (let step = 0; step < 25; step++) {
    const { grads } = tf.variableGrads(quadratic(ours), [ours]);
    adam.apply(grads, () => 0.05);
    reference.minimize(quadratic(theirs), false, [theirs]);
  }
  const expected = theirs.dataSync();
  ours
    .dataSync()
    .forEach((x, i) => expect(Math.abs(x - expected[i])).toBeLessThan(2e-4 * Math.abs(expected[i]) + 1e-4));
});

test('a gradient that is not finite changes nothing and is reported', () => {
  const x = fresh('adam/nan');
  const adam = new FlatAdam(new Map([['x', x]]));
  const norm = adam.apply({ [x.name]: tf.tensor1d([1, NaN, 0, 0]) }, () => 0.1);
  expect(norm).toBeNaN();
  expect(Array.from(x.dataSync())).toEqual([1, -2, 3, -4]);
  expect(adam.step).toBe(0);
});

test('clips the global norm, leaves frozen variables, averages weights', () => {
  const x = fresh('adam/clip');
  const adam = new FlatAdam(new Map([['x', x]]), { ...defaultAdam, clipNorm: 1, emaDecay: 0.5 });
  expect(adam.apply({ [x.name]: tf.tensor1d([3, 4, 0, 0]) }, () => 0)).toBeCloseTo(5, 5);
  expect(Array.from(x.dataSync())).toEqual([1, -2, 3, -4]);
  adam.apply({ [x.name]: tf.tensor1d([3, 4, 0, 0]) }, () => 0.1);
  const [slot] = adam.slots;
  expect(slot.weights[0]).toBeLessThan(1);
  expect(slot.average[0]).toBeGreaterThan(slot.weights[0]);
  expect(slot.average[0]).toBeLessThan(1);
});

test('weight decay joins the gradient of kernels alone: two steps by hand', () => {
  const [kernel, bias, depthwise] = ['kernel', 'bias', 'depthwise'].map((name) =>
    tf.variable(tf.tensor1d([2]), true, `adam/decay/${name}`),
  );
  const adam = new FlatAdam(
    new Map([
      ['conv/kernel', kernel],
      ['conv/bias', bias],
      ['conv/depthwise_kernel', depthwise],
    ]),
    { ...defaultAdam, beta1: 0.5, beta2: 0.75, epsilon: 0, clipNorm: 1, weightDecay: 0.1 },
  );
  const gradients = (): Record<string, tf.Tensor> => ({
    [kernel.name]: tf.tensor1d([0.3]),
    [bias.name]: tf.tensor1d([0.3]),
  });
  // 0.3 + 0.1 * 2 = 0.5; the first step of Adam has the length of the rate whatever the gradient.
  expect(adam.apply(gradients(), () => 0.1)).toBeCloseTo(0.3 * Math.SQRT2, 6);
  expect(kernel.dataSync()[0]).toBeCloseTo(1.9, 6);
  adam.apply({ [kernel.name]: tf.tensor1d([-0.3]), [bias.name]: tf.tensor1d([-0.3]) }, () => 0.1);
  // Gradient -0.3 + 0.1 * 1.9 = -0.11: m = 0.5 * 0.25 - 0.5 * 0.11 = 0.07, v = 0.75 * 0.0625 + 0.25 * 0.0121 = 0.0499, corrected by 0.75
  // and 0.4375: 0.0933333 / sqrt(0.1140571) = 0.2763614.
  expect(kernel.dataSync()[0]).toBeCloseTo(1.9 - 0.1 * 0.2763614, 6);
  // Without decay: m = 0.5 * 0.15 - 0.5 * 0.3 = -0.075, v = 0.75 * 0.0225 + 0.25 * 0.09 = 0.039375: -0.1 / sqrt(0.09) = -1/3.
  expect(bias.dataSync()[0]).toBeCloseTo(1.9 + 0.1 / 3, 6);
  // No loss reaches it, so nothing pulls it.
  expect(depthwise.dataSync()[0]).toBe(2);
});
