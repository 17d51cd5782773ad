/**
 * MiDaS (Ranftl et al. 2020): disparities are compared after each has lost its own shift and scale, so that truths of unknown scale and
 * shift, and a teacher's, can be mixed.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { required, type LossTerm, type TrainingBatch } from './loss';
import { SCALES } from './pyramid';
import { absolute, maskedMean, positiveAsValid, total } from './reductions';

/** Below this mean absolute deviation a map is flat and has no scale to divide by. */
const MIN_SCALE = 1e-6;

/** Shift and scale of one map: median, mean absolute deviation from it, and which of the values are the median's. */
function shiftAndScale(
  values: Float32Array,
  valid: ArrayLike<number>,
): { shift: number; scale: number; count: number; middle: number[] } {
  const order = [...values.keys()].filter((i) => valid[i] > 0).sort((a, b) => values[a] - values[b]);
  const count = order.length;
  if (count === 0) return { shift: 0, scale: MIN_SCALE, count, middle: [] };
  const middle = count % 2 === 1 ? [order[count >> 1]] : [order[count / 2 - 1], order[count / 2]];
  const shift = middle.reduce((sum, i) => sum + values[i], 0) / middle.length;
  const scale = order.reduce((sum, i) => sum + Math.abs(values[i] - shift), 0) / count;
  return { shift, scale, count, middle };
}

/**
 * (d - t) / s per image with t = median d, s = mean |d - t| over valid pixels (MiDaS eq. 5 and 6); 0 where invalid. Differentiable
 * through t and s.
 *
 * @param disparity [b,h,w,1]  @param valid [b,h,w,1], 0 or 1
 */
export function normaliseAffine(disparity: tf.Tensor4D, valid: tf.Tensor4D): tf.Tensor4D {
  const [size, height, width] = disparity.shape;
  const pixels = height * width;
  const mask = valid.dataSync<'float32'>();
  const operation = tf.customGrad((input) => {
    const all = (input as tf.Tensor).dataSync<'float32'>();
    const out = new Float32Array(size * pixels);
    const parts = Array.from({ length: size }, (_, b) => {
      const kept = mask.subarray(b * pixels, (b + 1) * pixels);
      const part = shiftAndScale(all.subarray(b * pixels, (b + 1) * pixels), kept);
      const scale = Math.max(part.scale, MIN_SCALE);
      for (let i = 0; i < pixels; i++)
        if (kept[i] > 0) out[b * pixels + i] = (all[b * pixels + i] - part.shift) / scale;
      return { ...part, scale, flat: part.scale < MIN_SCALE };
    });
    const gradFunc = (dy: tf.Tensor): tf.Tensor => {
      const pull = dy.dataSync<'float32'>();
      const gradient = new Float32Array(size * pixels);
      parts.forEach(({ scale, flat, count, middle }, b) => {
        let sum = 0;
        let alongScale = 0;
        for (let i = b * pixels; i < (b + 1) * pixels; i++) {
          if (mask[i] === 0) continue;
          sum += pull[i];
          alongScale += pull[i] * out[i];
        }
        for (let i = b * pixels; i < (b + 1) * pixels; i++) {
          if (mask[i] === 0) continue;
          // ds/dd_i = sign(d_i - t) / count: the signs of all pixels cancel in ds/dt.
          gradient[i] = (pull[i] - (flat ? 0 : (alongScale * Math.sign(out[i])) / count)) / scale;
        }
        for (const i of middle) gradient[b * pixels + i] -= sum / (scale * middle.length);
      });
      return tf.tensor(gradient, disparity.shape);
    };
    return { value: tf.tensor4d(out, disparity.shape), gradFunc };
  });
  return operation(disparity) as tf.Tensor4D;
}

/** Mean over valid pixels of |d^ - d*^|, both normalised. */
export function affineInvariantError(estimate: tf.Tensor4D, truth: tf.Tensor4D, valid: tf.Tensor4D): tf.Scalar {
  return maskedMean(absolute(tf.sub(normaliseAffine(estimate, valid), normaliseAffine(truth, valid))), valid);
}

/** Every 2^scale-th pixel, as pooling over windows of one pixel, because tf.stridedSlice has no gradient. */
function subsample(map: tf.Tensor4D, scale: number): tf.Tensor4D {
  return tf.avgPool(map, 1, 2 ** scale, 'valid');
}

/**
 * Sum over 4 scales of mean |first differences of R| along columns and rows, R = d^ - d*^; a difference counts where both its pixels
 * are valid, and the mean is over the scale's valid pixels (MiDaS eq. 11).
 */
export function gradientMatchingError(estimate: tf.Tensor4D, truth: tf.Tensor4D, valid: tf.Tensor4D): tf.Scalar {
  const residual = tf.sub(normaliseAffine(estimate, valid), normaliseAffine(truth, valid)) as tf.Tensor4D;
  const parts: tf.Scalar[] = [];
  for (let scale = 0; scale < SCALES; scale++) {
    const [r, m] = [subsample(residual, scale), subsample(valid, scale)];
    const [b, h, w] = r.shape;
    const count = Math.max(1, tf.sum(m).dataSync()[0]);
    for (const [rows, columns] of [
      [0, 1],
      [1, 0],
    ]) {
      if (h <= rows || w <= columns) continue;
      const here = (map: tf.Tensor4D): tf.Tensor4D => tf.slice(map, [0, 0, 0, 0], [b, h - rows, w - columns, 1]);
      const there = (map: tf.Tensor4D): tf.Tensor4D =>
        tf.slice(map, [0, rows, columns, 0], [b, h - rows, w - columns, 1]);
      const both = tf.mul(here(m), there(m));
      parts.push(tf.div(tf.sum(tf.mul(absolute(tf.sub(there(r), here(r))), both)), count) as tf.Scalar);
    }
  }
  return total(parts);
}

/** Truth disparity of a batch, measured depth first, and where it is valid. */
function truthDisparity(batch: TrainingBatch, term: string): { values: tf.Tensor4D; valid: tf.Tensor4D } {
  const depth = required(batch.depth, term, 'a batch with measured depth');
  return positiveAsValid(
    depth.map((z) => 1 / z),
    [batch.size, batch.height, batch.width, 1],
  );
}

export const affineInvariant: LossTerm = {
  name: 'affine_invariant',
  description:
    'L1 of disparity after removing median and mean absolute deviation from both, where depth was measured (MiDaS)',
  needs: 'depth',
  compute({ fused }, batch) {
    const { values, valid } = truthDisparity(batch, affineInvariant.name);
    return { value: affineInvariantError(tf.exp(fused), values, valid) };
  },
};

export const gradientMatching: LossTerm = {
  name: 'gradient_matching',
  description:
    'L1 of first differences of the normalised disparity error, 4 scales, both neighbours measured (MiDaS; weight 0.5)',
  needs: 'depth',
  compute({ fused }, batch) {
    const { values, valid } = truthDisparity(batch, gradientMatching.name);
    return { value: gradientMatchingError(tf.exp(fused), values, valid) };
  },
};
