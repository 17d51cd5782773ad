import * as tf from '@tensorflow/tfjs-node-gpu';
import { ch001Gradient, edgeFilter } from '../../../src/training/losses/ch001Gradient';
import type { TrainingBatch, TrainingOutputs } from '../../../src/training/losses/loss';
import { explainedPhotometric, maskRegulariser, secondOrderSmoothness } from '../../../src/training/losses/sfmlearner';
import { expectGradients, noiseTensor } from '../../support/gradientCheck';

const height = 16;
const width = 24;
const intrinsics = { width, height, fx: 16, fy: 16, cx: 11.5, cy: 7.5 };

/** A smooth picture: finite differences need one without kinks. */
function picture(phase: number): Float32Array {
  return Float32Array.from({ length: height * width * 3 }, (_, i) => {
    const [c, u, v] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 0.5 + 0.3 * Math.sin(0.25 * u + 0.2 * v + phase + c);
  });
}

function batchOf(target: Float32Array, previous: Float32Array, next: Float32Array): TrainingBatch {
  return { size: 1, height, width, intrinsics: [intrinsics], target, previous, next, networkImages: target };
}

const still = tf.zeros([1, 6]) as tf.Tensor2D;
const scales = [0, 1, 2, 3];

function pyramid(value: (scale: number, h: number, w: number) => tf.Tensor): tf.Tensor4D[] {
  return scales.map((s) => value(s, height >> s, width >> s) as tf.Tensor4D);
}

// Depth 1 and a centred camera: a still view falls exactly on the pixels, and none is lost to rounding at the border.
const flat = pyramid((_, h, w) => tf.ones([1, h, w, 1]));

function outputs(changes: Partial<TrainingOutputs> = {}): TrainingOutputs {
  const logDisparity = tf.fill([1, height, width, 1], Math.log(0.2)) as tf.Tensor4D;
  return {
    logDisparity,
    fused: logDisparity,
    disparities: flat,
    poseFromPrevious: still,
    poseToNext: still,
    ...changes,
  };
}

test('the explained photometric error is zero for a still scene and the grey level difference otherwise', () => {
  const a = picture(0);
  const same = explainedPhotometric.compute(outputs(), batchOf(a, a, a));
  expect(same.value.dataSync()[0]).toBeCloseTo(0, 6);
  const brighter = a.map((x) => x + 0.1);
  const { value, scalars } = explainedPhotometric.compute(outputs(), batchOf(a, brighter, brighter));
  expect(value.dataSync()[0]).toBeCloseTo(4 * 2 * 0.1, 4); // 4 scales, 2 sources
  expect(scalars!.unmasked_error).toBeCloseTo(0.1, 5);
  expect(scalars!.mean_mask).toBe(1);
});

test('a closing mask lowers the masked error and not the one logged without it; its regulariser rises', () => {
  const a = picture(0);
  const batch = batchOf(
    a,
    a.map((x) => x + 0.1),
    a.map((x) => x + 0.1),
  );
  const figures = [3, -3].map((logit) => {
    const explainability = pyramid((_, h, w) => tf.fill([1, h, w, 2], logit));
    const { value, scalars } = explainedPhotometric.compute(outputs({ explainability }), batch);
    const regulariser = maskRegulariser.compute(outputs({ explainability }), batch).value.dataSync()[0];
    return { masked: value.dataSync()[0], unmasked: scalars!.unmasked_error, mask: scalars!.mean_mask, regulariser };
  });
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  [3, -3].forEach((logit, i) => {
    expect(figures[i].masked).toBeCloseTo(4 * 2 * 0.1 * sigmoid(logit), 4);
    expect(figures[i].unmasked).toBeCloseTo(0.1, 5);
    expect(figures[i].mask).toBeCloseTo(sigmoid(logit), 5);
    expect(figures[i].regulariser).toBeCloseTo(-4 * 2 * Math.log(sigmoid(logit)), 4);
  });
});

test('the mask of the previous frame weighs the previous frame', () => {
  const a = picture(0);
  const explainability = pyramid((_, h, w) => tf.concat([tf.fill([1, h, w, 1], -20), tf.fill([1, h, w, 1], 20)], 3));
  const brighter = a.map((x) => x + 0.1);
  const errorOf = (previous: Float32Array, next: Float32Array): number =>
    explainedPhotometric.compute(outputs({ explainability }), batchOf(a, previous, next)).value.dataSync()[0];
  expect(errorOf(brighter, a)).toBeCloseTo(0, 4);
  expect(errorOf(a, brighter)).toBeCloseTo(0.4, 4);
});

test('gradients of the explained photometric error agree with finite differences', () => {
  const batch = batchOf(picture(0), picture(0.7), picture(-0.7));
  const inputs = [
    tf.tensor2d([0.05, -0.04, 0.12, 0.011, -0.013, 0.02], [1, 6]),
    tf.tensor2d([0.06, 0.03, 0.1, -0.012, 0.014, 0.017], [1, 6]),
    noiseTensor(1, [1, height, width, 1], 0.18, 0.22),
    noiseTensor(2, [1, height >> 1, width >> 1, 1], 0.18, 0.22),
    noiseTensor(3, [1, height, width, 2], -1, 1),
    noiseTensor(4, [1, height >> 1, width >> 1, 2], -1, 1),
  ];
  let validShare = 0;
  const branch = (): number => validShare;
  const value = (...[p, n, d0, d1, e0, e1]: tf.Tensor[]): tf.Scalar => {
    const changes = { disparities: [d0, d1], explainability: [e0, e1], poseFromPrevious: p, poseToNext: n };
    const result = explainedPhotometric.compute(outputs(changes as Partial<TrainingOutputs>), batch);
    validShare = result.scalars!.valid_share;
    return result.value;
  };
  // Poses reach every pixel, a disparity one: each kind is compared with its own largest derivative.
  expectGradients((p, n) => value(p, n, ...inputs.slice(2)), inputs.slice(0, 2), {
    step: 5e-5,
    tolerance: 0.03,
    branch,
  });
  const everySeventh = (_: number, i: number): boolean => i % 7 === 0;
  const ofDisparity = (d0: tf.Tensor, d1: tf.Tensor): tf.Scalar =>
    value(inputs[0], inputs[1], d0, d1, inputs[4], inputs[5]);
  expectGradients(ofDisparity, inputs.slice(2, 4), { step: 2e-3, tolerance: 0.05, kept: everySeventh, branch });
  const ofMask = (e0: tf.Tensor, e1: tf.Tensor): tf.Scalar => value(...inputs.slice(0, 4), e0, e1);
  expectGradients(ofMask, inputs.slice(4), { step: 0.1, tolerance: 0.03, kept: everySeventh });
});

test('second-order smoothness leaves planes of disparity alone, weighs scales by 2^-s, and has the right gradient', () => {
  const batch = batchOf(picture(0), picture(0), picture(0));
  const smoothness = (...disparities: tf.Tensor[]): tf.Scalar =>
    secondOrderSmoothness.compute(outputs({ disparities: disparities as tf.Tensor4D[] }), batch).value;
  const plane = tf.tensor4d([1, 2, 3, 3, 4, 5, 5, 6, 7], [1, 3, 3, 1]);
  expect(smoothness(plane, plane).dataSync()[0]).toBeCloseTo(0, 6);
  // One raised corner: |d2u| 1 of 3, |d2v| 1 of 3, mixed 1 of 4 twice.
  const bump = tf.tensor4d([1, 0, 0, 0, 0, 0, 0, 0, 0], [1, 3, 3, 1]);
  const single = 1 / 3 + 1 / 3 + 2 / 4;
  expect(smoothness(bump).dataSync()[0]).toBeCloseTo(single, 5);
  expect(smoothness(plane, bump).dataSync()[0]).toBeCloseTo(single / 2, 5);
  expectGradients(smoothness, [noiseTensor(7, [2, 5, 6, 1], 0, 1), noiseTensor(8, [2, 3, 4, 1], 0, 1)], { step: 2e-4 });
});

test('a network with one scale gets the pyramid of its fused disparity', () => {
  const batch = batchOf(picture(0), picture(0), picture(0));
  const map = noiseTensor(9, [1, 24, 32, 1], -2, -1) as tf.Tensor4D;
  const disparity = tf.exp(map) as tf.Tensor4D;
  const own = [1, 2, 4, 8].map((side) => tf.avgPool(disparity, side, side, 'valid'));
  const [fallback, explicit] = [undefined, own].map(
    (disparities) => secondOrderSmoothness.compute(outputs({ fused: map, disparities }), batch).value.dataSync()[0],
  );
  expect(fallback).toBeCloseTo(explicit, 6);
});

describe('CH-001 equation (1) as printed', () => {
  const batch: TrainingBatch = { ...batchOf(picture(0), picture(0), picture(0)), size: 2 };
  const depthMap = tf.tensor4d([1, 2, 4, 7], [1, 2, 2, 1]);
  const logOf = (depth: tf.Tensor): tf.Tensor4D => tf.neg(tf.log(depth)) as tf.Tensor4D;

  test('the edge filter is map(u+1) - map(u-1) with the border repeated', () => {
    const map = tf.tensor4d([1, 2, 4, 8, 10, 20, 40, 80], [1, 2, 4, 1]);
    const [du, dv] = tf.split(edgeFilter(map), 2, 3).map((x) => [...x.dataSync()]);
    expect(du).toEqual([1, 3, 6, 4, 10, 30, 60, 40]);
    expect(dv).toEqual([9, 18, 36, 72, 9, 18, 36, 72]);
  });

  test('is a product, summed over pixels: by hand', () => {
    // Differences of the 2x2 map: x 1, 1, 3, 3; y 3, 5, 3, 5. With G = 0 both residuals are the differences themselves.
    const phi = (x: number): number => Math.sqrt(x * x + 1e-4);
    const expected = phi(1) * phi(3) + phi(1) * phi(5) + phi(3) * phi(3) + phi(3) * phi(5);
    const gradient = tf.zeros([1, 2, 2, 2]) as tf.Tensor4D;
    const { value, scalars } = ch001Gradient.compute(outputs({ logDisparity: logOf(depthMap), gradient }), {
      ...batch,
      size: 1,
    });
    expect(value.dataSync()[0]).toBeCloseTo(expected, 3);
    expect(scalars!.depth_gradient_x).toBeCloseTo(2, 5);
    expect(scalars!.depth_gradient_y).toBeCloseTo(4, 5);
    expect(scalars!.mean_depth).toBeCloseTo(3.5, 5);
  });

  test('its pull on one axis vanishes where the other fits (H3), and the log shows it', () => {
    const depth = noiseTensor(11, [2, 4, 5, 1], 2, 3);
    const truth = edgeFilter(depth as tf.Tensor4D);
    const off = tf.add(truth, tf.tensor1d([0.5, 0])) as tf.Tensor4D;
    const pullOf = (gradient: tf.Tensor4D): Record<string, number> =>
      ch001Gradient.compute(outputs({ logDisparity: logOf(depth), gradient }), batch).scalars!;
    expect(pullOf(off).pull_x).toBeCloseTo(0.01, 3);
    expect(pullOf(tf.add(truth, 0.5) as tf.Tensor4D).pull_x).toBeCloseTo(0.5, 2);
    const floor = ch001Gradient.compute(outputs({ logDisparity: logOf(depth), gradient: truth }), batch).value;
    expect(floor.dataSync()[0]).toBeCloseTo(4 * 5 * 1e-4, 4); // phi(0)^2 per pixel, mean over the two samples
  });

  test('its gradient agrees with finite differences', () => {
    const f = (u: tf.Tensor, g: tf.Tensor): tf.Scalar =>
      ch001Gradient.compute(outputs({ logDisparity: u as tf.Tensor4D, gradient: g as tf.Tensor4D }), batch).value;
    expectGradients(f, [noiseTensor(12, [2, 4, 5, 1], -1.5, -0.5), noiseTensor(13, [2, 4, 5, 2], -1, 1)], {
      step: 2e-3,
    });
  });
});

test('a missing output is an error that says what to do', () => {
  const batch = batchOf(picture(0), picture(0), picture(0));
  expect(() => maskRegulariser.compute(outputs(), batch)).toThrow(/mask_regulariser.*explainability mask/);
  expect(() => ch001Gradient.compute(outputs(), batch)).toThrow(/ch001_gradient.*gradient head/);
  expect(() => explainedPhotometric.compute(outputs({ poseToNext: undefined }), batch)).toThrow(/later frame/);
});
