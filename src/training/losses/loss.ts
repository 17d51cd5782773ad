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
  /** The right camera of a rectified pair whose left image is the target. */
  stereo?: {
    /** rgb [b,h,w,3] in 0..1 */
    right: Float32Array;
    /** Distance of the two cameras in metres, per sample. */
    baseline: Float32Array;
  };
  /** Measured depth along Z in metres [b,h,w], 0 where nothing was measured (LiDAR, depth camera). */
  depth?: Float32Array;
  /** What a frozen teacher says of the target before it was perturbed for the student. */
  teacher?: {
    /** Pseudo-labels: disparity [b,h,w] up to scale and shift. */
    disparity: Float32Array;
    /** [b,h,w]: 1 where CutMix pasted the next sample (the first into the last), whose labels have a scale and shift of their own. */
    pasted?: Uint8Array;
  };
  /** Unit surface normals towards the camera [b,h,w,3] in its optical frame, zeros where unknown. */
  normals?: Float32Array;
  /** Class index per pixel [b,h,w], UNLABELLED where nobody said. */
  labels?: Uint8Array;
  /** The camera's own motion, by odometry. */
  motion?: {
    /** m/s, per sample. */
    speed: Float32Array;
    /** Seconds from the previous frame to the target, and from the target to the next, per sample. */
    sincePrevious: Float32Array;
    untilNext?: Float32Array;
  };
}

/** The network's differentiable outputs for the target frames. Which of the optional ones there are depends on the network. */
export interface TrainingOutputs {
  /** u0 = ln(1/Z) of the depth head, [b,h,w,1]. */
  logDisparity: tf.Tensor4D;
  /** Gradient head: forward differences of log-disparity (du, dv) per pixel, [b,h,w,2]. */
  gradient?: tf.Tensor4D;
  /** Screened-Poisson fusion of both, [b,h,w,1]; of a network without a gradient head the same as logDisparity. */
  fused: tf.Tensor4D;
  /** logDisparity as the network makes it, [b,h/s,w/s,1], where it is enlarged linearly to the image's size afterwards. */
  coarse?: tf.Tensor4D;
  /** Pose of the target in the previous camera's frame, [b,6]. */
  poseFromPrevious?: tf.Tensor2D;
  /** Pose of the next camera in the target's frame, [b,6]; absent where the batch has no later frame. */
  poseToNext?: tf.Tensor2D;
  /**
   * The poses the photometric losses use: refined by direct alignment on the step's own depth, as constants, or the same as above
   * (recipe: align_poses); absent where there is no next frame.
   */
  aligned?: {
    poseFromPrevious: tf.Tensor2D;
    poseToNext: tf.Tensor2D;
    /** Whether they were refined: then their translations scale with the step's own depth, and no loss may pull at its scale. */
    refined: boolean;
  };
  /** Disparity 1/Z at falling sizes, [b,h/2^s,w/2^s,1] for s = 0, 1, .. */
  disparities?: tf.Tensor4D[];
  /** Logit of the explainability of the previous and the next frame per scale, [b,h/2^s,w/2^s,2]. */
  explainability?: tf.Tensor4D[];
  /** Disparity of the left (channel 0) and the right image (1) in widths of the image, [b,h/2^s,w/2^s,2] for s = 0, 1, .. */
  stereoDisparities?: tf.Tensor4D[];
  /** Encoder map [b,fh,fw,fc] to be aligned with a frozen encoder's of the images before they were perturbed, which is a constant. */
  features?: tf.Tensor4D;
  frozenFeatures?: tf.Tensor4D;
  /** Surface normal head, any length, [b,h,w,3]. */
  normals?: tf.Tensor4D;
  /** Semantic head: logit per class, [b,h,w,classes]. */
  semanticLogits?: tf.Tensor4D;
}

export interface LossResult {
  value: tf.Scalar;
  /** Named figures worth a curve. */
  scalars?: Record<string, number>;
  /** Named pictures of the first sample worth looking at, [h,w] each. */
  maps?: Record<string, Float32Array>;
}

/** A part of the batch that not every data set has. */
export type LossNeed = 'next' | 'truth' | 'stereo' | 'depth' | 'teacher' | 'normals' | 'labels' | 'motion';

export interface LossTerm {
  readonly name: string;
  /** One line: what it is and which paper it comes from. */
  readonly description: string;
  /** What the batch must carry. A term whose needs a batch does not meet is left out of that step. */
  readonly needs: LossNeed | 'nothing';
  /** @throws Error naming the term and what is missing when the network has no output the term is about */
  compute(outputs: TrainingOutputs, batch: TrainingBatch): LossResult;
}

export function meetsNeeds(term: Pick<LossTerm, 'needs'>, batch: TrainingBatch): boolean {
  return term.needs === 'nothing' || batch[term.needs] !== undefined;
}

/**
 * The part, or an error that says which term misses it.
 *
 * @param what e.g. 'a gradient head' or 'a batch with depth'
 */
export function required<Part>(part: Part | undefined, term: string, what: string): Part {
  if (part === undefined)
    throw new Error(`the loss "${term}" needs ${what}; leave it out of the recipe or change the network or data`);
  return part;
}
