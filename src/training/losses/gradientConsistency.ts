import * as tf from '@tensorflow/tfjs-node-gpu';
import { forwardDifferences, stopGradient } from '../../model/differences';
import { required, type LossTerm } from './loss';

/** phi(x) = sqrt(x^2 + 1e-4) of CH-001. */
export function charbonnier(x: tf.Tensor4D): tf.Tensor4D {
  return tf.sqrt(tf.add(tf.square(x), 1e-4)) as tf.Tensor4D;
}

/**
 * CH-001's mutual conversion in its healthy form: a sum over the axes in place of the product, a mean in place of
 * the sum over pixels, forward differences of log-disparity, and each side pulled towards a constant copy of the other, so that
 * "both zero" is no common optimum.
 */
export const gradientConsistency: LossTerm = {
  name: 'gradient_consistency',
  description:
    'phi(grad u - sg(G)) + phi(sg(grad fused) - G), sum over axes, mean over pixels (CH-001 eq. 1, healthy form)',
  needs: 'nothing',
  compute({ logDisparity, gradient: head, fused }) {
    const gradient = required(head, 'gradient_consistency', 'a network with a gradient head');
    const depthSide = charbonnier(tf.sub(forwardDifferences(logDisparity), stopGradient(gradient)));
    const gradientSide = charbonnier(tf.sub(forwardDifferences(stopGradient(fused)), gradient));
    const value = tf.mul(tf.add(tf.mean(depthSide), tf.mean(gradientSide)), 2) as tf.Scalar; // mean over both axes -> sum over axes
    return { value };
  },
};
