/** A batch's jittered images as the networks take them. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { TrainingBatch } from '../losses/loss';

/** @param frame 0 previous, 1 target, 2 next; @returns rgb in 0..1, [b,h,w,3] */
export function networkFrame({ size, height, width, networkImages }: TrainingBatch, frame: 0 | 1 | 2): tf.Tensor4D {
  const length = size * height * width * 3;
  return tf.tensor4d(networkImages.subarray(frame * length, (frame + 1) * length), [size, height, width, 3]);
}
