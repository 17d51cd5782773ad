import * as tf from '@tensorflow/tfjs-node-gpu';
import { forwardDifferences } from './differences';
import { required, type LossTerm, type TrainingBatch } from './loss';

/** exp(-mean_rgb |forward difference|) of the target per axis, [b,h,w,2]: 1 on even surfaces, small on edges. */
function evenness(batch: TrainingBatch): tf.Tensor4D {
  const { size, height, width, target } = batch;
  return tf.tidy(() => {
    const image = tf.tensor4d(target, [size, height, width, 3]);
    const channels = tf.split(image, 3, 3).map((c) => tf.abs(forwardDifferences(c as tf.Tensor4D)));
    return tf.exp(tf.mul(tf.addN(channels), (-1 / 3) * 10)) as tf.Tensor4D;
  });
}

/** First-order edge-aware smoothness of d / mean(d), d = 1/Z (Monodepth2, Godard et al. 2019). */
export const smoothness: LossTerm = {
  name: 'smoothness',
  description: 'edge-aware first-order smoothness of mean-normalised disparity (Monodepth2)',
  needs: 'nothing',
  compute({ fused }, batch) {
    const disparity = tf.exp(fused) as tf.Tensor4D;
    const normalised = tf.div(disparity, tf.mean(disparity, [1, 2, 3], true)) as tf.Tensor4D;
    const value = tf.mean(tf.mul(tf.abs(forwardDifferences(normalised)), evenness(batch))) as tf.Scalar;
    return { value };
  },
};

/**
 * Edge-aware smoothness of the estimated gradient itself, the second order of depth: a plane costs (almost) nothing, unlike under
 * first-order smoothness, which pulls a road upright (method.md 2, H5).
 */
export const gradientSmoothness: LossTerm = {
  name: 'gradient_smoothness',
  description: 'edge-aware first differences of G: second-order smoothness, planes are free',
  needs: 'nothing',
  compute({ gradient }, batch) {
    const weight = evenness(batch);
    const head = required(gradient, 'gradient_smoothness', 'a network with a gradient head');
    const [gu, gv] = tf.split(head, 2, 3) as tf.Tensor4D[];
    const second = tf.add(tf.abs(forwardDifferences(gu)), tf.abs(forwardDifferences(gv)));
    return { value: tf.mean(tf.mul(second, weight)) as tf.Scalar };
  },
};
