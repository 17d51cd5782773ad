/**
 * Losses against measured depth: only pixels that were measured count. The published run of CNN-residual compared with unmeasured
 * zeros too, and got absolute relative errors of 1e4 to 1e6.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { required, type LossTerm, type TrainingBatch } from './loss';
import { absolute, maskedMean, positiveAsValid } from './reductions';

/** berHu's threshold as a share of the largest residual (Laina et al. 2016, Kuznietsov et al. 2017). */
const BERHU_SHARE = 0.2;
/** Weight of the mean residual in Eigen's scale-invariant error: 1 would not see the scale at all. */
const SCALE_INVARIANCE = 0.5;

function measuredDepth(batch: TrainingBatch, term: string): { values: tf.Tensor4D; valid: tf.Tensor4D } {
  const depth = required(batch.depth, term, 'a batch with measured depth');
  return positiveAsValid(depth, [batch.size, batch.height, batch.width, 1]);
}

/** A stand-in depth of 1 m where nothing was measured, so that its logarithm and reciprocal stay finite under the mask. */
function filled(values: tf.Tensor4D, valid: tf.Tensor4D): tf.Tensor4D {
  return tf.add(values, tf.sub(1, valid)) as tf.Tensor4D;
}

/**
 * |x| up to delta, (x^2 + delta^2) / (2 delta) above, delta = 0.2 of the largest |x| among valid pixels; mean over valid pixels.
 * Delta is a constant of the step: no gradient flows through it.
 *
 * @param residual [b,h,w,1]  @param valid [b,h,w,1], 0 or 1
 */
export function berHu(residual: tf.Tensor4D, valid: tf.Tensor4D): tf.Scalar {
  const size = absolute(residual);
  const delta = BERHU_SHARE * tf.max(tf.mul(size, valid)).dataSync()[0];
  if (delta === 0) return maskedMean(size, valid);
  const quadratic = tf.div(tf.add(tf.square(residual), delta * delta), 2 * delta);
  const above = tf.step(tf.sub(size, delta)); // a comparison has no gradient in tfjs, a step has
  return maskedMean(tf.add(tf.mul(size, tf.sub(1, above)), tf.mul(quadratic, above)) as tf.Tensor4D, valid);
}

/** Kuznietsov et al. 2017, eq. (2): berHu on inverse depth where LiDAR has a return. */
export const berHuInverseDepth: LossTerm = {
  name: 'berhu_inverse_depth',
  description: 'berHu of inverse depth where depth was measured, delta = 0.2 of the largest residual (Kuznietsov)',
  needs: 'depth',
  compute({ fused }, batch) {
    const { values, valid } = measuredDepth(batch, berHuInverseDepth.name);
    const residual = tf.sub(tf.exp(fused), tf.div(1, filled(values, valid))) as tf.Tensor4D;
    return { value: berHu(residual, valid), scalars: { measured_share: tf.mean(valid).dataSync()[0] } };
  },
};

/** Mean squared error of depth in m^2 over measured pixels (the loss of the CNN-residual report). */
export const depthSquaredError: LossTerm = {
  name: 'depth_mse',
  description: 'mean squared error of depth in metres where depth was measured (CNN-residual on NYU Depth V2)',
  needs: 'depth',
  compute({ fused }, batch) {
    const { values, valid } = measuredDepth(batch, depthSquaredError.name);
    const residual = tf.sub(tf.exp(tf.neg(fused)), values) as tf.Tensor4D;
    return { value: maskedMean(tf.square(residual), valid) };
  },
};

/**
 * mean d^2 - 0.5 (mean d)^2 per image with d = ln D - ln D*, over measured pixels, mean over the images that have any (Eigen et al.
 * 2014, eq. 4).
 */
export const scaleInvariantLog: LossTerm = {
  name: 'scale_invariant_log',
  description: 'mean d^2 - 0.5 (mean d)^2 of the log depth error where depth was measured (Eigen)',
  needs: 'depth',
  compute({ fused }, batch) {
    const { values, valid } = measuredDepth(batch, scaleInvariantLog.name);
    const difference = tf.mul(tf.neg(tf.add(fused, tf.log(filled(values, valid)))), valid);
    const count = tf.sum(valid, [1, 2, 3]);
    const images = Math.max(1, tf.sum(tf.sign(count)).dataSync()[0]);
    const safeCount = tf.maximum(count, 1);
    const meanSquare = tf.div(tf.sum(tf.square(difference), [1, 2, 3]), safeCount);
    const mean = tf.div(tf.sum(difference, [1, 2, 3]), safeCount);
    const perImage = tf.sub(meanSquare, tf.mul(tf.square(mean), SCALE_INVARIANCE));
    return { value: tf.div(tf.sum(perImage), images) as tf.Scalar };
  },
};
