import * as tf from '@tensorflow/tfjs-node-gpu';
import type { LossTerm } from '../../../src/training/losses/loss';
import {
  berHu,
  berHuInverseDepth,
  depthSquaredError,
  scaleInvariantLog,
} from '../../../src/training/losses/measuredDepth';
import { expectGradients, noise, noiseTensor } from '../../support/gradientCheck';
import { depthOutputs, logDisparityOutputs, plainBatch } from '../../support/lossFixture';

const terms = [berHuInverseDepth, depthSquaredError, scaleInvariantLog];

/** Loss of a depth map of one row against a measured one. */
function value(term: LossTerm, estimate: number[], measured: number[]): number {
  const batch = plainBatch(1, 1, measured.length, { depth: Float32Array.from(measured) });
  return term.compute(depthOutputs(tf.tensor4d(estimate, [1, 1, estimate.length, 1])), batch).value.dataSync()[0];
}

test.each(terms)('$name is zero at the truth and does not see what was not measured', (term) => {
  expect(value(term, [2, 3, 50, 9], [2, 3, 0, NaN])).toBeCloseTo(0, 6);
  expect(value(term, [2, 4, 50, 9], [2, 3, 0, NaN])).toBeCloseTo(value(term, [2, 4, 1, 3], [2, 3, 0, Infinity]), 6);
  expect(value(term, [2, 4, 50], [2, 3, 0])).toBeCloseTo(value(term, [2, 4], [2, 3]), 6);
});

test.each(terms)('$name of an image without any measurement is zero, and so is its gradient', (term) => {
  const batch = plainBatch(1, 2, 3, { depth: new Float32Array(6) });
  const gradient = tf.grad((u) => term.compute(logDisparityOutputs(u), batch).value)(
    noiseTensor(1, [1, 2, 3, 1], -2, 0),
  );
  expect([...gradient.dataSync()].every((g) => g === 0)).toBe(true);
});

test('by hand: berHu', () => {
  // Largest valid residual 5, so delta = 1: 0.5 -> 0.5; -1 -> 1; 3 -> (9 + 1) / 2 = 5; 5 -> 13; the 100 is not valid.
  const residual = tf.tensor4d([0.5, -1, 3, 5, 100], [1, 1, 5, 1]);
  const valid = tf.tensor4d([1, 1, 1, 1, 0], [1, 1, 5, 1]);
  expect(berHu(residual, valid).dataSync()[0]).toBeCloseTo((0.5 + 1 + 5 + 13) / 4, 5);
  // Inverse depths .5, 1 against .25, 1: residuals .25, 0; delta .05; (.0625 + .0025) / .1 = .65, mean .325.
  expect(value(berHuInverseDepth, [2, 1], [4, 1])).toBeCloseTo(0.325, 5);
});

test('by hand: mean squared error and the scale-invariant log error', () => {
  expect(value(depthSquaredError, [3, 5, 8], [2, 7, 0])).toBeCloseTo((1 + 4) / 2, 4);
  const [a, b] = [Math.log(3 / 2), Math.log(5 / 7)];
  expect(value(scaleInvariantLog, [3, 5, 8], [2, 7, 0])).toBeCloseTo((a * a + b * b) / 2 - 0.5 * ((a + b) / 2) ** 2, 5);
});

test('the log error forgives half of a wrong scale', () => {
  const truth = [2, 3, 5, 8];
  const doubled = truth.map((z) => 2 * z);
  expect(value(scaleInvariantLog, doubled, truth)).toBeCloseTo(0.5 * Math.log(2) ** 2, 5);
});

test('the log error is the mean over images that were measured', () => {
  const depth = Float32Array.of(2, 3, 0, 0);
  const estimate = tf.tensor4d([4, 3, 9, 9], [2, 1, 2, 1]);
  const both = scaleInvariantLog.compute(depthOutputs(estimate), plainBatch(2, 1, 2, { depth })).value.dataSync()[0];
  expect(both).toBeCloseTo(value(scaleInvariantLog, [4, 3], [2, 3]), 6);
});

test.each(terms)('the gradient of $name agrees with finite differences', (term) => {
  const depth = noise(3, 24, 1, 6);
  for (let i = 0; i < 24; i += 4) depth[i] = 0;
  const u = noiseTensor(4, [2, 3, 4, 1], -1.5, -0.3);
  const batch = plainBatch(2, 3, 4, { depth });
  // berHu's delta is a constant of the step by definition, but moves with the largest residual.
  const residuals = [...u.dataSync()].map((x, i) => (depth[i] > 0 ? Math.abs(Math.exp(x) - 1 / depth[i]) : 0));
  const largest = residuals.indexOf(Math.max(...residuals));
  const kept = (_: number, i: number): boolean => term !== berHuInverseDepth || i !== largest;
  expectGradients((x) => term.compute(logDisparityOutputs(x), batch).value, [u], { step: 2e-3, kept });
});
