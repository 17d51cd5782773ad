/** A batch's frames as the networks take them. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { TrainingBatch } from '../losses/loss';

/** @param frame 0 previous, 1 target, 2 next; @returns rgb in 0..1, [b,h,w,3] */
export function networkFrame({ size, height, width, networkImages }: TrainingBatch, frame: 0 | 1 | 2): tf.Tensor4D {
  const length = size * height * width * 3;
  return tf.tensor4d(networkImages.subarray(frame * length, (frame + 1) * length), [size, height, width, 3]);
}

/** A network whose pose head compares a feature map of two frames. */
interface PairwisePose {
  encodeForPose(images: tf.Tensor4D): tf.Tensor4D;
  estimatePose(previous: tf.Tensor4D, current: tf.Tensor4D): tf.Tensor2D;
}

/**
 * @param current the targets' `encodeForPose`; the neighbours go through no more of the encoder than that
 * @returns poses [b,6] from the previous frame, then [b,6] to the next one where the batch has it, of one pass of the pose head
 */
export function neighbourPoses(network: PairwisePose, batch: TrainingBatch, current: tf.Tensor4D): tf.Tensor2D {
  const previous = network.encodeForPose(networkFrame(batch, 0));
  if (!batch.next) return network.estimatePose(previous, current);
  const next = network.encodeForPose(networkFrame(batch, 2));
  return network.estimatePose(tf.concat([previous, current]), tf.concat([current, next]));
}
