import * as tf from '@tensorflow/tfjs-node-gpu';
import { forwardDifferences } from '../../model/differences';
import { required, type LossTerm, type TrainingBatch } from './loss';

const ofBatches = new WeakMap<TrainingBatch, Float32Array>();

/** exp(-10 mean_rgb |forward difference|) of the target per axis, [b,h,w,2]: 1 on even surfaces, small on edges. */
function evenness(batch: TrainingBatch): tf.Tensor4D {
  const { size, height, width, target } = batch;
  let weights = ofBatches.get(batch);
  if (!weights) {
    weights = new Float32Array(2 * size * height * width);
    const row = 3 * width;
    const change = (i: number, next: number): number =>
      Math.abs(target[next] - target[i]) +
      Math.abs(target[next + 1] - target[i + 1]) +
      Math.abs(target[next + 2] - target[i + 2]);
    for (let line = 0, o = 0, i = 0; line < size * height; line++) {
      const last = line % height === height - 1;
      for (let u = 0; u < width; u++, i += 3, o += 2) {
        weights[o] = u + 1 < width ? Math.exp((-10 / 3) * change(i, i + 3)) : 1;
        weights[o + 1] = last ? 1 : Math.exp((-10 / 3) * change(i, i + row));
      }
    }
    ofBatches.set(batch, weights);
  }
  return tf.tensor4d(weights, [size, height, width, 2]);
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
