/** What a loss term may look at, and what it gives back. A term is one file here and one line in index.ts. */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import type { Intrinsics } from '../../geometry/camera';

/** Frames and truth of one training step; pixels rgb in 0..1, before colour jitter (the losses see the camera's own colours). */
export interface TrainingBatch {
  size: number;
  height: number;
  width: number;
  /** Per sample, for images of `height` x `width`. */
  intrinsics: Intrinsics[];
  /** The frame whose depth is estimated, [b,h,w,3]. */
  target: Float32Array;
  /** Earlier and later frame, [b,h,w,3] each; a batch with depth truth may have only the earlier one. */
  previous: Float32Array;
  next?: Float32Array;
  /** What the network sees: colour-jittered copies of previous, target, next (in this order), [f*b,h,w,3]. */
  networkImages: Float32Array;
  /** Exact log-disparity [b,h,w] of the target. */
  truth?: {
    logDisparity: Float32Array;
    /** Pose of the target camera in the previous camera's optical frame, [b,6]. */
    pose: Float32Array;
  };
}

/** The network's differentiable outputs for the target frames. */
export interface TrainingOutputs {
  /** u0 = ln(1/Z) of the depth head, [b,h,w,1]. */
  logDisparity: tf.Tensor4D;
  /** Gradient head: forward differences of log-disparity (du, dv) per pixel, [b,h,w,2]. */
  gradient: tf.Tensor4D;
  /** Screened-Poisson fusion of both, [b,h,w,1]. */
  fused: tf.Tensor4D;
  /** Pose of the target in the previous camera's frame, [b,6]. */
  poseFromPrevious: tf.Tensor2D;
  /** Pose of the next camera in the target's frame, [b,6]; absent where the batch has no later frame. */
  poseToNext?: tf.Tensor2D;
  /** The same poses refined by direct alignment on the step's own depth, as constants; absent where there is no next frame. */
  aligned?: { poseFromPrevious: tf.Tensor2D; poseToNext: tf.Tensor2D };
}

export interface LossResult {
  value: tf.Scalar;
  /** Named figures worth a curve. */
  scalars?: Record<string, number>;
  /** Named pictures of the first sample worth looking at, [h,w] each. */
  maps?: Record<string, Float32Array>;
}

export interface LossTerm {
  readonly name: string;
  /** One line: what it is and which paper it comes from. */
  readonly description: string;
  /** What the batch must carry. A term whose needs a batch does not meet is left out of that step. */
  readonly needs: 'next' | 'truth' | 'nothing';
  compute(outputs: TrainingOutputs, batch: TrainingBatch): LossResult;
}
