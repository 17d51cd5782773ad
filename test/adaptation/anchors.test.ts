import * as tf from '@tensorflow/tfjs-node-gpu';
import { batchOf } from '../../src/adaptation/adaptedNetwork';
import { anchorTerms } from '../../src/adaptation/anchors';
import type { Triplet } from '../../src/adaptation/frame';
import { unmaskedError } from '../../src/adaptation/measure';
import type { TrainingOutputs } from '../../src/training/losses/loss';

const [height, width] = [16, 32];
const pixels = height * width;

function triplet(shift: number, motion?: Triplet['motion']): Triplet {
  const image = (frame: number): Uint8Array =>
    Uint8Array.from({ length: 3 * pixels }, (_, i) => 128 + 60 * Math.sin((Math.floor(i / 3) % width) + frame * shift));
  const intrinsics = { width, height, fx: 30, fy: 30, cx: 15.5, cy: 7.5 };
  return { images: [image(-1), image(0), image(1)], intrinsics, stamp: 0, motion };
}

/** A wall at one log-disparity per sample, with the translation ahead that alignment found. */
function outputs(levels: number[], way: number): TrainingOutputs {
  const map = (channels: number): tf.Tensor4D =>
    tf.tile(tf.tensor4d(levels, [levels.length, 1, 1, 1]), [1, height, width, channels]);
  const poses = tf.tensor2d(levels.map(() => [0, 0, way, 0, 0, 0]));
  const aligned = { poseFromPrevious: poses, poseToNext: poses, refined: true };
  return { logDisparity: map(1), fused: map(1), gradient: tf.zeros([levels.length, height, width, 2]), aligned };
}

function valueOf(name: string, levels: number[], metric: boolean, held = 0, speed?: number): number {
  const motion = speed === undefined ? undefined : { speed, sincePrevious: 0.1, untilNext: 0.1 };
  const answers = levels.map(() => ({ logDisparity: new Float32Array(pixels).fill(-2), mean: -2 }));
  const term = anchorTerms(answers, held, metric).find((one) => one.name === name)!;
  const batch = batchOf(levels.map(() => triplet(1, motion)));
  return tf.tidy(() => term.compute(outputs(levels, 1.2), batch).value.dataSync()[0]);
}

test('the scale anchor holds the mean of the batch and nothing else', () => {
  expect(valueOf('scale_anchor', [-2, -2], false)).toBeCloseTo(0);
  expect(valueOf('scale_anchor', [-1.5, -2.5], false)).toBeCloseTo(0);
  expect(valueOf('scale_anchor', [-1.8, -1.8], false)).toBeCloseTo(0.04);
});

test('with a speed it pulls to the scale at which the way is the driven one', () => {
  // 10 m/s for a tenth of a second; the alignment found 1.2 m: depth is 1.2 times too large.
  expect(valueOf('scale_anchor', [-1.8, -1.8], true, 0, 10)).toBeCloseTo(Math.log(1.2) ** 2, 4);
  expect(valueOf('scale_anchor', [-1.8, -1.8], true, 0, 12)).toBeCloseTo(0, 5);
  // A standing car says nothing, and a slip no more than its bound.
  expect(valueOf('scale_anchor', [-1.8, -1.8], true, 0, 0.1)).toBeCloseTo(0.04);
  expect(valueOf('scale_anchor', [-1.8, -1.8], true, 0, 3)).toBeCloseTo(0.3 ** 2, 4);
});

test('the reference is held to on the source samples, which come last', () => {
  expect(valueOf('reference_depth', [-1, -2], false, 1)).toBeCloseTo(0);
  expect(valueOf('reference_depth', [-2, -1], false, 1)).toBeGreaterThan(1.8);
  expect(valueOf('reference_depth', [-1, -1], false, 0)).toBe(0);
});

test('a depth that moves everything out of the picture wins nothing', () => {
  const batch = batchOf([triplet(1)]);
  const still = new Float32Array(6);
  const away = Float32Array.of(1e4, 0, 0, 0, 0, 0);
  const map = new Float32Array(pixels).fill(-2);
  const rest = unmaskedError(batch, map, [still, still]);
  expect(rest.error).toBeGreaterThan(0.01);
  expect(rest.error).toBeCloseTo(rest.unwarped, 6);
  expect(unmaskedError(batch, map, [away, away])).toEqual({ error: rest.unwarped, unwarped: rest.unwarped });
  const same = batchOf([triplet(0)]);
  expect(unmaskedError(same, map, [still, still]).error).toBeCloseTo(0, 5);
});
