import * as tf from '@tensorflow/tfjs-node-gpu';
import {
  affineInvariant,
  affineInvariantError,
  gradientMatching,
  gradientMatchingError,
  normaliseAffine,
} from '../../../src/training/losses/affineInvariant';
import { featureAlignment, teacherDisparity } from '../../../src/training/losses/teacher';
import { expectGradients, noise, noiseTensor } from '../../support/gradientCheck';
import { depthOutputs, logDisparityOutputs, plainBatch } from '../../support/lossFixture';

const shape = [2, 9, 10, 1];
const estimate = noiseTensor(1, shape, 0.2, 2) as tf.Tensor4D;
const truth = noiseTensor(2, shape, 0.2, 2) as tf.Tensor4D;
const valid = tf.tensor4d(
  noise(3, 180, 0, 1).map((x) => (x < 0.7 ? 1 : 0)),
  shape as [number, number, number, number],
);
const errors = { affineInvariantError, gradientMatchingError };

test('normalising by hand: median 3, mean absolute deviation 8/5, the invalid pixel left out', () => {
  const map = tf.tensor4d([1, 2, 3, 5, 6, 1000], [1, 2, 3, 1]);
  const mask = tf.tensor4d([1, 1, 1, 1, 1, 0], [1, 2, 3, 1]);
  const expected = [-2, -1, 0, 2, 3].map((x) => x / (8 / 5));
  [...normaliseAffine(map, mask).dataSync()].forEach((x, i) => expect(x).toBeCloseTo([...expected, 0][i], 5));
});

test.each(Object.keys(errors) as (keyof typeof errors)[])('%s is unchanged under s d + t with s > 0', (name) => {
  const error = errors[name];
  const plain = error(estimate, truth, valid).dataSync()[0];
  expect(plain).toBeGreaterThan(0.1);
  for (const [s, t] of [
    [3, 0],
    [0.01, 5],
    [20, -7],
  ]) {
    const moved = tf.add(tf.mul(estimate, s), t) as tf.Tensor4D;
    expect(Math.abs(error(moved, truth, valid).dataSync()[0] - plain)).toBeLessThan(2e-4 * plain);
    const movedTruth = tf.add(tf.mul(truth, s), t) as tf.Tensor4D;
    expect(Math.abs(error(estimate, movedTruth, valid).dataSync()[0] - plain)).toBeLessThan(2e-4 * plain);
  }
  expect(error(tf.neg(estimate), truth, valid).dataSync()[0]).not.toBeCloseTo(plain, 2);
  expect(error(tf.add(tf.mul(truth, 2), 1) as tf.Tensor4D, truth, valid).dataSync()[0]).toBeLessThan(1e-5);
});

test.each(Object.keys(errors) as (keyof typeof errors)[])(
  'the gradient of %s agrees with finite differences',
  (name) => {
    // The kinks of |.| are dense here: a small step, and values far enough from the median not to change places.
    const f = (x: tf.Tensor): tf.Scalar => errors[name](x as tf.Tensor4D, truth, valid);
    expectGradients(f, [estimate], { step: 1e-3, tolerance: 0.05 });
    // Normalising alone, against weights that are no difference of anything: shift and scale take part fully.
    const weight = noiseTensor(4, shape, -1, 1);
    const g = (x: tf.Tensor): tf.Scalar =>
      tf.sum(tf.mul(normaliseAffine(x as tf.Tensor4D, valid), weight)) as tf.Scalar;
    expectGradients(g, [estimate], { step: 1e-3, tolerance: 0.01 });
  },
);

test('gradient matching by hand: differences count where both neighbours are valid', () => {
  // Truth flat in the normalised sense is impossible, so both are given and the residual R is worked out: R = 0 but for one pixel.
  const base = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const truthRow = tf.tensor4d(base, [1, 1, 9, 1]);
  const moved = tf.tensor4d([0, 1, 2.5, 3, 4, 5, 6, 7, 8], [1, 1, 9, 1]); // median 4; deviation 19.5 / 9 against 20 / 9
  const all = tf.ones([1, 1, 9, 1]) as tf.Tensor4D;
  const residual = base.map((x, i) => ((i === 2 ? 2.5 : x) - 4) / (19.5 / 9) - (x - 4) / (20 / 9));
  const differences = (step: number, mask: number[]): number => {
    const kept = residual.filter((_, i) => i % step === 0);
    const keptMask = mask.filter((_, i) => i % step === 0);
    let sum = 0;
    for (let i = 1; i < kept.length; i++) sum += Math.abs(kept[i] - kept[i - 1]) * keptMask[i] * keptMask[i - 1];
    return sum / keptMask.reduce((a, b) => a + b, 0);
  };
  const ones = base.map(() => 1);
  const expected = [1, 2, 4, 8].reduce((sum, step) => sum + differences(step, ones), 0);
  expect(gradientMatchingError(moved, truthRow, all).dataSync()[0]).toBeCloseTo(expected, 5);
});

test('a hole in the truth hides the differences to it', () => {
  const mask = tf.tensor4d([1, 0, 1, 0, 1, 0, 1, 0], [1, 1, 8, 1]);
  const values = noiseTensor(5, [1, 1, 8, 1], 0, 1) as tf.Tensor4D;
  const other = noiseTensor(6, [1, 1, 8, 1], 0, 1) as tf.Tensor4D;
  const spoilt = tf.where(tf.equal(mask, 1), values, tf.fill([1, 1, 8, 1], 1e3)) as tf.Tensor4D;
  const plain = gradientMatchingError(values, other, mask).dataSync()[0];
  expect(gradientMatchingError(spoilt, other, mask).dataSync()[0]).toBeCloseTo(plain, 6);
});

test('a flat or empty map gives finite numbers', () => {
  const flat = tf.ones([1, 4, 4, 1]) as tf.Tensor4D;
  for (const mask of [flat, tf.zerosLike(flat)]) {
    const gradient = tf.grad((x) => affineInvariantError(x as tf.Tensor4D, flat, mask))(flat);
    expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true);
    expect(affineInvariantError(flat, flat, mask).dataSync()[0]).toBe(0);
  }
});

test('the terms compare disparities with measured depth up to scale and shift of disparity', () => {
  const depth = noise(7, 90, 1, 6);
  depth[3] = 0;
  const disparity = depth.map((z) => (z > 0 ? 0.3 * (1 / z) + 0.2 : 1));
  const right = logDisparityOutputs(tf.log(tf.tensor4d(disparity, [1, 9, 10, 1])));
  const batch = plainBatch(1, 9, 10, { depth });
  for (const term of [affineInvariant, gradientMatching]) {
    expect(term.compute(right, batch).value.dataSync()[0]).toBeLessThan(1e-4);
    const wrong = depthOutputs(noiseTensor(8, [1, 9, 10, 1], 1, 6));
    expect(term.compute(wrong, batch).value.dataSync()[0]).toBeGreaterThan(0.1);
  }
});

test('the teacher’s disparity: any scale and shift, and under CutMix one for each part', () => {
  const disparity = noise(9, 90, 0.2, 2);
  const pasted = Uint8Array.from({ length: 90 }, (_, i) => (i % 10 < 4 ? 1 : 0));
  // The student's own answer has another scale and shift in the pasted part.
  const student = disparity.map((d, i) => (pasted[i] ? 2 * d + 0.1 : 0.4 * d + 1));
  const outputs = logDisparityOutputs(tf.log(tf.tensor4d(student, [1, 9, 10, 1])));
  const value = (teacher: { disparity: Float32Array; pasted?: Uint8Array }): number =>
    teacherDisparity.compute(outputs, plainBatch(1, 9, 10, { teacher })).value.dataSync()[0];
  expect(value({ disparity, pasted })).toBeLessThan(1e-4);
  expect(value({ disparity })).toBeGreaterThan(0.1);
  const whole = plainBatch(1, 9, 10, { teacher: { disparity: student } });
  expect(teacherDisparity.compute(outputs, whole).value.dataSync()[0]).toBeLessThan(1e-5);
});

test('the teacher term’s gradient agrees with finite differences', () => {
  const teacher = {
    disparity: noise(10, 90, 0.2, 2),
    pasted: Uint8Array.from({ length: 90 }, (_, i) => (i % 10 < 4 ? 1 : 0)),
  };
  const batch = plainBatch(1, 9, 10, { teacher });
  const f = (u: tf.Tensor): tf.Scalar => teacherDisparity.compute(logDisparityOutputs(u), batch).value;
  expectGradients(f, [noiseTensor(11, [1, 9, 10, 1], -1, 1)], { step: 1e-3, tolerance: 0.05 });
});

describe('feature alignment', () => {
  const frozenFeatures = tf.tensor4d([1, 0, 0, 1, 1, 0], [1, 1, 3, 2]);
  const batch = plainBatch(1, 1, 3, { teacher: { disparity: new Float32Array(3) } });
  const depth = tf.ones([1, 1, 3, 1]);
  const compute = (features: tf.Tensor): { value: tf.Scalar; scalars?: Record<string, number> } =>
    featureAlignment.compute(depthOutputs(depth, { features: features as tf.Tensor4D, frozenFeatures }), batch);

  test('by hand: aligned pixels above .85 are left alone, whatever their length', () => {
    // cosines: 1 (skipped, three times as long), 0, -1 -> mean of 1 and 2
    const { value, scalars } = compute(tf.tensor4d([3, 0, 2, 0, -1, 0], [1, 1, 3, 2]));
    expect(value.dataSync()[0]).toBeCloseTo(1.5, 5);
    expect(scalars!.mean_cosine).toBeCloseTo(0, 5);
    expect(scalars!.apart_share).toBeCloseTo(2 / 3, 5);
    expect(compute(frozenFeatures).value.dataSync()[0]).toBe(0);
  });

  test('its gradient agrees with finite differences', () => {
    expectGradients((x) => compute(x).value, [tf.tensor4d([0.3, 0.8, 0.9, 0.4, -0.5, 0.7], [1, 1, 3, 2])], {
      step: 1e-3,
    });
  });

  test('a network without a frozen encoder is an error that says how to get one', () => {
    expect(() => featureAlignment.compute(depthOutputs(depth), batch)).toThrow(
      /"feature_alignment".*frozen_encoder: true/,
    );
  });
});
