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
