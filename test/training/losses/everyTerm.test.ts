/**
 * Every term that a recipe can name, by its name, on one scene with all that a batch can carry: its gradient in each output of the network
 * that it pulls at, against finite differences. Values by hand and special cases are in the files beside this one.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { UNLABELLED } from '../../../src/media/labelImage';
import { lossTerms } from '../../../src/training/losses';
import type { TrainingBatch, TrainingOutputs } from '../../../src/training/losses/loss';
import { expectGradients, noise, noiseTensor } from '../../support/gradientCheck';
import { plainBatch } from '../../support/lossFixture';

const [height, width] = [16, 24];
const pixels = height * width;
const classes = 3;

/** A smooth picture: finite differences need one without kinks. */
function picture(phase: number): Float32Array {
  return Float32Array.from({ length: 3 * pixels }, (_, i) => {
    const [c, u, v] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 0.5 + 0.2 * Math.sin(0.25 * u + 0.2 * v + phase + c) + 0.15 * Math.cos(0.3 * v - 0.2 * u * (c + 1) + phase);
  });
}

const map = (seed: number, channels: number, low: number, high: number, scale = 0): tf.Tensor4D =>
  noiseTensor(seed, [1, height >> scale, width >> scale, channels], low, high) as tf.Tensor4D;

const batch: TrainingBatch = plainBatch(1, height, width, {
  target: picture(0),
  previous: picture(0.7),
  next: picture(-0.7),
  // Far apart and uneven, so that few absolute values change sign within a step.
  truth: { logDisparity: noise(1, pixels, -6, -2), pose: Float32Array.of(1, -1, 2, 0.5, -0.5, 0.4) },
  stereo: { right: picture(0.5), baseline: Float32Array.of(0.5) },
  depth: noise(2, pixels, 1, 6).map((z, i) => (i % 4 === 0 ? 0 : z)),
  teacher: { disparity: noise(3, pixels, 0.2, 2) },
  normals: Float32Array.from({ length: 3 * pixels }, (_, i) => [0.6, 0, -0.8][i % 3]),
  labels: Uint8Array.from({ length: pixels }, (_, i) => (i % 5 === 0 ? UNLABELLED : i % classes)),
  motion: { speed: Float32Array.of(10), sincePrevious: Float32Array.of(0.1), untilNext: Float32Array.of(0.1) },
});

/** What a network may say of the scene, an entry of a list or of `aligned` by itself. */
const estimates = {
  logDisparity: map(10, 1, -1.8, -1.2),
  fused: map(11, 1, -1.8, -1.2),
  gradient: map(12, 2, -1, 1),
  poseFromPrevious: tf.tensor2d([0.05, -0.04, 0.12, 0.011, -0.013, 0.02], [1, 6]),
  poseToNext: tf.tensor2d([0.06, 0.03, 0.1, -0.012, 0.014, 0.017], [1, 6]),
  alignedFromPrevious: tf.tensor2d([0.07, -0.03, 0.14, 0.015, -0.017, 0.026], [1, 6]),
  alignedToNext: tf.tensor2d([0.04, 0.04, 0.08, -0.016, 0.019, 0.013], [1, 6]),
  disparity0: map(13, 1, 0.18, 0.22),
  disparity1: map(14, 1, 0.18, 0.22, 1),
  explainability0: map(15, 2, -1, 1),
  explainability1: map(16, 2, -1, 1, 1),
  stereoDisparity0: map(17, 2, 0.04, 0.055),
  stereoDisparity1: map(18, 2, 0.07, 0.09, 1),
  features: map(19, 6, -1, 1, 3),
  frozenFeatures: map(20, 6, -1, 1, 3),
  normals: map(21, 3, 0.2, 1),
  semanticLogits: map(22, classes, -1, 1),
} satisfies Record<string, tf.Tensor>;
type Estimate = keyof typeof estimates;

function outputsOf(of: Record<Estimate, tf.Tensor>): TrainingOutputs {
  return {
    ...(of as unknown as TrainingOutputs),
    aligned: {
      poseFromPrevious: of.alignedFromPrevious as tf.Tensor2D,
      poseToNext: of.alignedToNext as tf.Tensor2D,
      // The gradient at refined poses leaves the depth's scale out, which differences do not.
      refined: false,
    },
    disparities: [of.disparity0, of.disparity1] as tf.Tensor4D[],
    explainability: [of.explainability0, of.explainability1] as tf.Tensor4D[],
    stereoDisparities: [of.stereoDisparity0, of.stereoDisparity1] as tf.Tensor4D[],
  };
}

interface Check {
  /** The outputs whose derivatives are of one size, and are therefore compared with the largest of them. */
  of: Estimate[];
  /** Small enough for the term's kinks, large enough for 32-bit numbers. */
  step?: number;
  tolerance?: number;
  /** A figure of the term that jumps where its choice of pixels does. */
  branch?: string;
}

const poses: Estimate[] = ['poseFromPrevious', 'poseToNext'];
const alignedPoses: Estimate[] = ['alignedFromPrevious', 'alignedToNext'];
const photometric: Check[] = [
  { of: ['fused'], step: 2e-3, tolerance: 0.05, branch: 'kept_share' },
  { of: alignedPoses, step: 2e-4, tolerance: 0.05, branch: 'kept_share' },
];

const checks: Record<string, Check[]> = {
  photometric,
  photometric_half: photometric,
  photometric_quarter: photometric,
  // The other side's gradient goes through constant copies, which finite differences do not know: terms.test.ts.
  gradient_consistency: [{ of: ['logDisparity'], step: 5e-3, tolerance: 0.03 }],
  smoothness: [{ of: ['fused'], step: 1e-3 }],
  gradient_smoothness: [{ of: ['gradient'], step: 2e-3 }],
  depth_truth: [{ of: ['logDisparity', 'fused'] }],
  gradient_truth: [{ of: ['gradient'] }, { of: ['fused'] }],
  pose_truth: [{ of: ['poseFromPrevious'] }],
  pose_alignment: [{ of: poses, step: 1e-3 }],
  explained_photometric: [
    { of: poses, step: 5e-5, tolerance: 0.05, branch: 'valid_share' },
    { of: ['disparity0', 'disparity1'], step: 2e-3, tolerance: 0.05, branch: 'valid_share' },
    { of: ['explainability0', 'explainability1'], step: 0.1, tolerance: 0.03 },
  ],
  mask_regulariser: [{ of: ['explainability0', 'explainability1'] }],
  second_order_smoothness: [{ of: ['disparity0', 'disparity1'], step: 2e-5, tolerance: 0.05 }],
  ch001_gradient: [
    { of: ['logDisparity'], step: 2e-3 },
    { of: ['gradient'], step: 2e-3 },
  ],
  berhu_inverse_depth: [{ of: ['fused'], step: 2e-3 }],
  depth_mse: [{ of: ['fused'] }],
  scale_invariant_log: [{ of: ['fused'] }],
  left_right_photometric: [{ of: ['stereoDisparity0', 'stereoDisparity1'], step: 2e-4, tolerance: 0.05 }],
  left_right_consistency: [{ of: ['stereoDisparity0', 'stereoDisparity1'], step: 1e-5, tolerance: 0.05 }],
  stereo_smoothness: [{ of: ['stereoDisparity0', 'stereoDisparity1'], step: 5e-6, tolerance: 0.05 }],
  stereo_from_depth: [{ of: ['fused'], step: 2e-3, tolerance: 0.05, branch: 'inside_share' }],
  affine_invariant: [{ of: ['fused'], step: 1e-3, tolerance: 0.05 }],
  gradient_matching: [{ of: ['fused'], step: 1e-3, tolerance: 0.05 }],
  teacher_disparity: [{ of: ['fused'], step: 1e-3, tolerance: 0.05 }],
  feature_alignment: [{ of: ['features'], step: 2e-3, branch: 'apart_share' }],
  normal_truth: [{ of: ['normals'] }],
  depth_normals: [{ of: ['fused'], step: 1e-3, tolerance: 0.05 }],
  semantic_cross_entropy: [{ of: ['semanticLogits'] }],
  velocity: [{ of: poses, step: 1e-3 }],
};

test('no term of the registry is left out', () => {
  expect(Object.keys(checks).sort()).toEqual([...lossTerms.keys()].sort());
});

/** Of the numbers of a map every eleventh is moved. */
const EVERY = 11;

test.each(Object.entries(checks))('the gradient of %s agrees with finite differences', (name, ofTerm) => {
  const term = lossTerms.get(name)!;
  for (const { of, branch, ...options } of ofTerm) {
    let figure = 0;
    const value = (...moved: tf.Tensor[]): tf.Scalar => {
      const changed = Object.fromEntries(of.map((estimate, i) => [estimate, moved[i]]));
      const result = term.compute(outputsOf({ ...estimates, ...changed }), batch);
      figure = branch === undefined ? 0 : result.scalars![branch];
      return result.value;
    };
    const inputs = of.map((estimate) => estimates[estimate] as tf.Tensor);
    const kept = (input: number, i: number): boolean => inputs[input].size < 100 || i % EVERY === 0;
    expectGradients(value, inputs, { ...options, kept, branch: () => figure });
  }
});
