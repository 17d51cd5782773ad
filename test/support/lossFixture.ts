import * as tf from '@tensorflow/tfjs-node-gpu';
import type { TrainingBatch, TrainingOutputs } from '../../src/training/losses/loss';

/** A batch of grey images with nothing in it but what the changes say. */
export function plainBatch(
  size: number,
  height: number,
  width: number,
  changes: Partial<TrainingBatch> = {},
): TrainingBatch {
  const image = new Float32Array(size * height * width * 3).fill(0.5);
  const intrinsics = Array.from({ length: size }, () => ({
    width,
    height,
    fx: width,
    fy: width,
    cx: width / 2 - 0.5,
    cy: height / 2 - 0.5,
  }));
  return { size, height, width, intrinsics, target: image, previous: image, networkImages: image, ...changes };
}

/** The outputs of a network whose fused depth [b,h,w,1] in metres is given. */
export function depthOutputs(depth: tf.Tensor, changes: Partial<TrainingOutputs> = {}): TrainingOutputs {
  return logDisparityOutputs(tf.neg(tf.log(depth)), changes);
}

/** The outputs of a network whose fused log-disparity [b,h,w,1] is given. */
export function logDisparityOutputs(logDisparity: tf.Tensor, changes: Partial<TrainingOutputs> = {}): TrainingOutputs {
  return { logDisparity: logDisparity as tf.Tensor4D, fused: logDisparity as tf.Tensor4D, ...changes };
}
