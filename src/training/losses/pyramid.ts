/** Images and disparities at falling sizes: scale s is 2^s times smaller. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { TrainingOutputs } from './loss';

/** Scales of SfMLearner, monodepth and MiDaS. */
export const SCALES = 4;

/** [b,h,w,c] shrunk by 2^scale by the mean of the pixels covered. */
export function shrink(map: tf.Tensor4D, scale: number): tf.Tensor4D {
  return scale === 0 ? map : tf.avgPool(map, 2 ** scale, 2 ** scale, 'valid');
}

/** The network's own disparity pyramid; of a network with one scale its disparity, shrunk. */
export function disparityPyramid({ disparities, fused }: TrainingOutputs): tf.Tensor4D[] {
  if (disparities) return disparities;
  const finest = tf.exp(fused) as tf.Tensor4D;
  return Array.from({ length: SCALES }, (_, scale) => shrink(finest, scale));
}
