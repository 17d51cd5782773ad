import * as tf from '@tensorflow/tfjs-node-gpu';
import type { TrainingBatch, TrainingOutputs } from '../../../src/training/losses/loss';
import { photometricErrorInto } from '../../../src/training/losses/photometricKernel';
import { sampleAlongRows } from '../../../src/training/losses/rowSampling';
import {
  leftRightConsistency,
  leftRightPhotometric,
  logDisparityOfStereo,
  stereoFromDepth,
  stereoSmoothness,
} from '../../../src/training/losses/stereo';
import { appearanceError } from '../../../src/training/losses/structuralSimilarity';
import { expectGradients, noise, noiseTensor } from '../../support/gradientCheck';
import { depthOutputs, logDisparityOutputs, plainBatch } from '../../support/lossFixture';

const height = 8;
const width = 32;
const shiftPixels = 4;

/** A smooth pattern along the columns, read `offset` pixels further to the right. */
function pattern(offset: number): Float32Array {
  return Float32Array.from({ length: height * width * 3 }, (_, i) => {
    const [c, u, v] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 0.5 + 0.4 * Math.sin(0.35 * (u + offset) + 0.3 * v + c);
  });
}

/** A wall: what is at column u of the left image is at u - 4 of the right one. */
function wall(changes: Partial<TrainingBatch> = {}): TrainingBatch {
  const stereo = { right: pattern(shiftPixels), baseline: Float32Array.of(0.5) };
  return plainBatch(1, height, width, { target: pattern(0), stereo, ...changes });
}

function pair(left: number, right: number): tf.Tensor4D {
  return tf.concat([tf.fill([1, height, width, 1], left), tf.fill([1, height, width, 1], right)], 3) as tf.Tensor4D;
}

function outputs(stereoDisparities: tf.Tensor4D[]): TrainingOutputs {
  return depthOutputs(tf.ones([1, height, width, 1]), { stereoDisparities });
}

test('sampling along rows interpolates, clamps at the border and is differentiable in both inputs', () => {
  const row = tf.tensor4d([0, 10, 20, 40], [1, 1, 4, 1]);
  const shifts = tf.tensor4d([0.5, -5, 0.25, 3], [1, 1, 4, 1]);
  expect([...sampleAlongRows(row, shifts).dataSync()]).toEqual([5, 0, 25, 40]);
  const weight = noiseTensor(3, [2, 3, 6, 2], -1, 1);
  const f = (source: tf.Tensor, shift: tf.Tensor): tf.Scalar =>
    tf.sum(tf.mul(sampleAlongRows(source as tf.Tensor4D, shift as tf.Tensor4D), weight)) as tf.Scalar;
  // Shifts inside one column, so that no difference crosses a kink.
  const shift = tf.add(noiseTensor(2, [2, 3, 6, 1], 0.1, 0.9), tf.tensor4d([-2, 0, 1, -1, 0, -9], [1, 1, 6, 1]));
  expectGradients(f, [noiseTensor(1, [2, 3, 6, 2], -1, 1), shift]);
});

test('the appearance error equals the fused kernel’s', () => {
  const [a, b] = [noise(4, 6 * 7 * 3, 0, 1), noise(5, 6 * 7 * 3, 0, 1)];
  const kernel = new Float32Array(6 * 7);
  photometricErrorInto(a, b, 6, 7, kernel);
  const ssimShare = (map: Float32Array): number => {
    let sum = 0;
    for (let v = 1; v < 5; v++) for (let u = 1; u < 6; u++) sum += map[v * 7 + u];
    return sum / 20;
  };
  const inner = (rgb: Float32Array): number[] => {
    const kept: number[] = [];
    rgb.forEach((x, i) => {
      const [u, v] = [Math.floor(i / 3) % 7, Math.floor(i / 21)];
      if (u > 0 && u < 6 && v > 0 && v < 5) kept.push(x);
    });
    return kept;
  };
  const l1 = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
    Array.from(x).reduce((sum, value, i) => sum + Math.abs(value - y[i]), 0) / x.length;
  const mine = appearanceError(tf.tensor4d(a, [1, 6, 7, 3]), tf.tensor4d(b, [1, 6, 7, 3])).dataSync()[0];
  // The kernel leaves the outer ring out of L1 too.
  expect(mine - 0.15 * l1(a, b)).toBeCloseTo(ssimShare(kernel) - 0.15 * l1(inner(a), inner(b)), 5);
});

test('the appearance error’s gradient agrees with finite differences', () => {
  const f = (a: tf.Tensor, b: tf.Tensor): tf.Scalar => appearanceError(a as tf.Tensor4D, b as tf.Tensor4D);
  const inputs = [noiseTensor(6, [1, 5, 6, 3], 0.1, 0.9), noiseTensor(7, [1, 5, 6, 3], 0.1, 0.9)];
  expectGradients(f, inputs, { step: 5e-4 });
});

test('left-right photometric error is smallest at the true disparity, in the right direction', () => {
  const errorAt = (pixels: number): number =>
    leftRightPhotometric.compute(outputs([pair(pixels / width, pixels / width)]), wall()).value.dataSync()[0];
  const errors = [-4, 0, 2, 3, 4, 5, 6].map(errorAt);
  expect(errors.indexOf(Math.min(...errors))).toBe(4);
  expect(errors[4]).toBeLessThan(0.3 * errors[1]);
  const { scalars } = leftRightPhotometric.compute(outputs([pair(4 / width, 0)]), wall());
  const turned = leftRightPhotometric.compute(outputs([pair(0, 4 / width)]), wall());
  expect(scalars!.left_error).toBeLessThan(turned.scalars!.left_error);
});

test('left-right consistency is zero for a wall and the difference for disagreeing sides', () => {
  const value = (left: number, right: number): number =>
    leftRightConsistency.compute(outputs([pair(left, right)]), wall()).value.dataSync()[0];
  expect(value(0.125, 0.125)).toBeCloseTo(0, 6);
  expect(value(0.1, 0.15)).toBeCloseTo(2 * 0.05, 5);
});

test('left-right consistency compares with the pixel that matches', () => {
  // A ramp: d_right(u - d_left(u) w) must be d_left(u).
  const slope = 0.01;
  const left = tf.tensor4d(
    Float32Array.from({ length: height * width }, (_, i) => 0.05 + (slope / width) * (i % width)),
    [1, height, width, 1],
  );
  // u_r = u - w d_l, so d_r(u_r) = 0.05 + slope / w * u with u = (u_r + 0.05 w) / (1 - slope).
  const right = tf.tensor4d(
    Float32Array.from(
      { length: height * width },
      (_, i) => 0.05 + ((slope / width) * ((i % width) + 0.05 * width)) / (1 - slope),
    ),
    [1, height, width, 1],
  );
  const value = leftRightConsistency.compute(outputs([tf.concat([left, right], 3) as tf.Tensor4D]), wall()).value;
  const swapped = leftRightConsistency.compute(outputs([tf.concat([right, left], 3) as tf.Tensor4D]), wall()).value;
  expect(value.dataSync()[0]).toBeLessThan(0.3 * swapped.dataSync()[0]);
});

test('stereo smoothness: zero on a wall, by hand on a ramp before an even picture', () => {
  const grey = new Float32Array(height * width * 3).fill(0.5);
  const batch = wall({ target: grey, stereo: { right: grey, baseline: Float32Array.of(0.5) } });
  const value = (maps: tf.Tensor4D[]): number => stereoSmoothness.compute(outputs(maps), batch).value.dataSync()[0];
  expect(value([pair(0.1, 0.1)])).toBe(0);
  const ramp = tf.tile(tf.reshape(tf.mul(tf.range(0, width), 0.01), [1, 1, width, 1]), [
    1,
    height,
    1,
    2,
  ]) as tf.Tensor4D;
  const single = (2 * 0.01 * (width - 1)) / width; // two images, the last column has no difference
  expect(value([ramp])).toBeCloseTo(single, 5);
  const half = tf.slice(ramp, [0, 0, 0, 0], [1, height / 2, width / 2, 2]);
  expect(value([ramp, half])).toBeCloseTo(single + (0.5 * (2 * 0.01 * (width / 2 - 1))) / (width / 2), 5);
});

test('stereo from depth is smallest at Z = fx baseline / disparity and has the right gradient', () => {
  const batch = wall();
  const trueDepth = (width * 0.5) / shiftPixels; // fx = width in the plain batch
  const errors = [0.5, 0.8, 1, 1.25, 2].map((factor) => {
    const depth = tf.fill([1, height, width, 1], trueDepth * factor);
    return stereoFromDepth.compute(depthOutputs(depth), batch).value.dataSync()[0];
  });
  expect(errors[2]).toBeLessThan(1e-5);
  expect(Math.min(errors[0], errors[1], errors[3], errors[4])).toBeGreaterThan(0.05);
  let insideShare = 0;
  const f = (u: tf.Tensor): tf.Scalar => {
    const { value, scalars } = stereoFromDepth.compute(logDisparityOutputs(u), batch);
    insideShare = scalars!.inside_share;
    return value;
  };
  const u = tf.add(noiseTensor(10, [1, height, width, 1], 0.05, 0.15), -Math.log(trueDepth));
  expectGradients(f, [u], { step: 2e-3, tolerance: 0.03, branch: () => insideShare });
});

test('a disparity in widths becomes the log-disparity of the depth it means', () => {
  const batch = wall();
  const u = logDisparityOfStereo(tf.fill([1, 1, 1, 1], shiftPixels / width), { ...batch, stereo: batch.stereo! });
  expect(Math.exp(-u.dataSync()[0])).toBeCloseTo((width * 0.5) / shiftPixels, 4);
});
