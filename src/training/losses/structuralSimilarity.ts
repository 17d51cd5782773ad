import * as tf from '@tensorflow/tfjs-node-gpu';
import { absolute } from './reductions';

const C1 = 0.01 ** 2;
const C2 = 0.03 ** 2;
const SSIM_SHARE = 0.85;

/** 3x3 mean without padding: [b,h,w,c] -> [b,h-2,w-2,c]. */
function windowMean(x: tf.Tensor): tf.Tensor4D {
  return tf.avgPool(x as tf.Tensor4D, 3, 1, 'valid');
}

/** (1 - SSIM) / 2 in 0..1 per pixel and channel over 3x3 windows (Wang et al. 2004): [b,h,w,c] -> [b,h-2,w-2,c]. */
export function dissimilarity(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
  const [ma, mb] = [windowMean(a), windowMean(b)];
  const varianceA = tf.sub(windowMean(tf.square(a)), tf.square(ma));
  const varianceB = tf.sub(windowMean(tf.square(b)), tf.square(mb));
  const covariance = tf.sub(windowMean(tf.mul(a, b)), tf.mul(ma, mb));
  const upper = tf.mul(tf.add(tf.mul(tf.mul(ma, mb), 2), C1), tf.add(tf.mul(covariance, 2), C2));
  const lower = tf.mul(tf.add(tf.add(tf.square(ma), tf.square(mb)), C1), tf.add(tf.add(varianceA, varianceB), C2));
  return tf.clipByValue(tf.div(tf.sub(1, tf.div(upper, lower)), 2), 0, 1) as tf.Tensor4D;
}

/**
 * 0.85 mean (1 - SSIM) / 2 + 0.15 mean |a - b| of two rgb images [b,h,w,3] (Godard et al. 2017, eq. 2), as tensor operations:
 * differentiable in both. The fused kernel of photometric.ts is faster, and knows one warped side only.
 */
export function appearanceError(a: tf.Tensor4D, b: tf.Tensor4D): tf.Scalar {
  const structure = tf.mul(tf.mean(dissimilarity(a, b)), SSIM_SHARE);
  const colour = tf.mul(tf.mean(absolute(tf.sub(a, b))), 1 - SSIM_SHARE);
  return tf.add(structure, colour) as tf.Scalar;
}
