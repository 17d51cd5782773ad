/** Reductions whose gradients are right where tfjs's own are not. */
import * as tf from '@tensorflow/tfjs-node-gpu';

/** |x| with derivative 0 at 0; tfjs's own has -1 there, a pull on every pixel that is already right. */
export function absolute(x: tf.Tensor4D): tf.Tensor4D {
  const operation = tf.customGrad((input, save) => {
    const tensor = input as tf.Tensor;
    (save as tf.GradSaveFunc)([tensor]);
    return {
      value: tf.abs(tensor),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(dy, tf.sign(saved[0])),
    };
  });
  return operation(x) as tf.Tensor4D;
}

/** Mean of a map over the pixels whose weight is 1, over the whole batch; 0 where there is none. Shapes [b,h,w,c] and [b,h,w,1]. */
export function maskedMean(map: tf.Tensor4D, valid: tf.Tensor4D): tf.Scalar {
  const channels = map.shape[3];
  const count = Math.max(1, tf.sum(valid).dataSync()[0] * channels);
  return tf.div(tf.sum(tf.mul(map, valid)), count) as tf.Scalar;
}

/** Sum of parts that may be a single one. */
export function total(parts: tf.Scalar[]): tf.Scalar {
  return (parts.length === 1 ? parts[0] : tf.addN(parts)) as tf.Scalar;
}

/** [b,h,w] numbers as [b,h,w,1] with NaN and infinities made 0, and 1 where they were finite and above 0. */
export function positiveAsValid(
  values: Float32Array,
  shape: [number, number, number, 1],
): { values: tf.Tensor4D; valid: tf.Tensor4D } {
  const kept = new Float32Array(values.length);
  const valid = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    if (!(values[i] > 0 && values[i] < Infinity)) continue;
    kept[i] = values[i];
    valid[i] = 1;
  }
  return { values: tf.tensor4d(kept, shape), valid: tf.tensor4d(valid, shape) };
}
