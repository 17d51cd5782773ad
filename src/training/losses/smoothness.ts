import * as tf from '@tensorflow/tfjs-node-gpu';
import { required, type LossTerm, type TrainingBatch } from './loss';

const ofBatches = new WeakMap<TrainingBatch, Float32Array>();

/** exp(-10 mean_rgb |forward difference|) of the target per axis, [b,h,w,2]: 1 on even surfaces, small on edges. */
function evenness(batch: TrainingBatch): Float32Array {
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
  return weights;
}

/**
 * Mean over pixels and axes of weight * sum over channels of |forward difference|, with its gradient in the same pass.
 *
 * @param map [b,h,w,c]  @param weights per axis [b,h,w,2]
 */
function weightedVariation(map: tf.Tensor4D, weights: Float32Array): tf.Scalar {
  const operation = tf.customGrad((input) => {
    const [, height, width, channels] = map.shape;
    const values = (input as tf.Tensor).dataSync<'float32'>();
    const gradient = new Float32Array(values.length);
    const below = width * channels;
    let sum = 0;
    for (let pixel = 0, i = 0; 2 * pixel < weights.length; pixel++) {
      const right = (pixel + 1) % width === 0 ? 0 : weights[2 * pixel];
      const down = Math.floor(pixel / width) % height === height - 1 ? 0 : weights[2 * pixel + 1];
      for (let c = 0; c < channels; c++, i++) {
        if (right > 0) {
          const change = values[i + channels] - values[i];
          const pull = change > 0 ? right : change < 0 ? -right : 0;
          sum += right * Math.abs(change); // NaN stays NaN: the run is to end
          gradient[i + channels] += pull;
          gradient[i] -= pull;
        }
        if (down > 0) {
          const change = values[i + below] - values[i];
          const pull = change > 0 ? down : change < 0 ? -down : 0;
          sum += down * Math.abs(change);
          gradient[i + below] += pull;
          gradient[i] -= pull;
        }
      }
    }
    const share = 1 / weights.length;
    return {
      value: tf.scalar(sum * share),
      gradFunc: (dy: tf.Tensor) => tf.mul(tf.tensor(gradient, map.shape), tf.mul(dy, share)),
    };
  });
  return operation(map) as tf.Scalar;
}

/** First-order edge-aware smoothness of d / mean(d), d = 1/Z (Monodepth2, Godard et al. 2019). */
export const smoothness: LossTerm = {
  name: 'smoothness',
  description: 'edge-aware first-order smoothness of mean-normalised disparity (Monodepth2)',
  needs: 'nothing',
  compute({ fused }, batch) {
    const disparity = tf.exp(fused) as tf.Tensor4D;
    const normalised = tf.div(disparity, tf.mean(disparity, [1, 2, 3], true)) as tf.Tensor4D;
    return { value: weightedVariation(normalised, evenness(batch)) };
  },
};

/**
 * Edge-aware smoothness of the estimated gradient itself, the second order of depth: a plane costs (almost) nothing, unlike under
 * first-order smoothness, which pulls a road upright.
 */
export const gradientSmoothness: LossTerm = {
  name: 'gradient_smoothness',
  description: 'edge-aware first differences of G: second-order smoothness, planes are free',
  needs: 'nothing',
  compute({ gradient }, batch) {
    const head = required(gradient, 'gradient_smoothness', 'a network with a gradient head');
    return { value: weightedVariation(head, evenness(batch)) };
  },
};
