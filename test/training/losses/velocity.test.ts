/** Batches in which only some samples have a speed, or a neighbour in time: NaN where nobody knows. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { batchOf } from '../../../src/adaptation/adaptedNetwork';
import type { TrainingBatch } from '../../../src/training/losses/loss';
import { velocity } from '../../../src/training/losses/velocity';
import { logDisparityOutputs, plainBatch } from '../../support/lossFixture';

const [height, width] = [2, 4];
type Motion = NonNullable<TrainingBatch['motion']>;

const numbers = (...values: number[]): Float32Array => Float32Array.from(values);
/** A sample per length of its way ahead. */
const poses = (...metres: number[]): tf.Tensor2D => tf.tensor2d(metres.map((way) => [0, 0, way, 0, 0, 0]));

function lossOf(poseFromPrevious: tf.Tensor2D, poseToNext: tf.Tensor2D | undefined, motion: Motion): tf.Scalar {
  const batch = plainBatch(motion.speed.length, height, width, { motion });
  const map = tf.zeros([batch.size, height, width, 1]);
  return velocity.compute(logDisparityOutputs(map, { poseFromPrevious, poseToNext }), batch).value;
}

function lossAndGradients(
  poseFromPrevious: tf.Tensor2D,
  poseToNext: tf.Tensor2D | undefined,
  motion: Motion,
): { value: number; gradients: number[][][] } {
  const given = poseToNext ? [poseFromPrevious, poseToNext] : [poseFromPrevious];
  const { value, grads } = tf.valueAndGrads((from, to) =>
    lossOf(from as tf.Tensor2D, to as tf.Tensor2D | undefined, motion),
  )(given);
  return { value: value.dataSync()[0], gradients: grads.map((one) => one.arraySync() as number[][]) };
}

test('is the mean over the motions whose speed and time are known, and pulls at no other sample', () => {
  const motion = {
    speed: numbers(10, NaN, 4),
    sincePrevious: numbers(0.1, 0.1, 0.1),
    untilNext: numbers(0.1, 0.1, NaN),
  };
  const { value, gradients } = lossAndGradients(poses(1.2, 5, 0.1), poses(0.9, 7, 3), motion);
  expect(value).toBeCloseTo((0.2 + 0.3 + 0.1) / 3, 5);
  const pulls = gradients.map((rows) => rows.map((row) => row[2]));
  expect(pulls[0]).toEqual([expect.closeTo(1 / 3, 5), 0, expect.closeTo(-1 / 3, 5)]);
  expect(pulls[1]).toEqual([expect.closeTo(-1 / 3, 5), 0, 0]);
});

test('the motion to the next frame counts alone where the one before is not known', () => {
  const motion = { speed: numbers(10, 10), sincePrevious: numbers(NaN, NaN), untilNext: numbers(0.1, 0.2) };
  const value = (from: tf.Tensor2D, to: tf.Tensor2D): tf.Scalar => lossOf(from, to, motion);
  expect(value(poses(8, 8), poses(1.5, 1.25)).dataSync()[0]).toBeCloseTo((0.5 + 0.75) / 2, 5);
  const pull = tf.grad((to) => value(poses(8, 8), to as tf.Tensor2D))(poses(1.5, 1.25));
  expect((pull.arraySync() as number[][]).map((row) => row[2])).toEqual([
    expect.closeTo(0.5, 5),
    expect.closeTo(-0.5, 5),
  ]);
});

test('is nothing, with a gradient of nothing, where no sample has a speed', () => {
  const motion = { speed: numbers(NaN, NaN), sincePrevious: numbers(0.1, 0.1) };
  const { value, gradients } = lossAndGradients(poses(1, 2), undefined, motion);
  expect(value).toBe(0);
  expect(gradients[0].flat()).toEqual(Array(12).fill(0));
});

test('a pose head that stands still has a finite gradient', () => {
  const { value, gradients } = lossAndGradients(poses(0, 1), undefined, {
    speed: numbers(10, NaN),
    sincePrevious: numbers(0.1, 0.1),
  });
  expect(value).toBeCloseTo(1, 4);
  expect(gradients[0].flat().every(Number.isFinite)).toBe(true);
});

test("an adaptation's batch keeps the speed of each triplet, and has none where no triplet has one", () => {
  const image = new Uint8Array(3 * height * width);
  const intrinsics = { width, height, fx: 4, fy: 4, cx: 1.5, cy: 0.5 };
  const triplet = { images: [image, image, image] as const, intrinsics, stamp: 0 };
  const driven = { ...triplet, motion: { speed: 8, sincePrevious: 0.1, untilNext: 0.25 } };
  const { motion } = batchOf([triplet, driven]);
  expect(motion).toEqual({
    speed: numbers(NaN, 8),
    sincePrevious: numbers(NaN, 0.1),
    untilNext: numbers(NaN, 0.25),
  });
  expect(batchOf([triplet, triplet]).motion).toBeUndefined();
});
