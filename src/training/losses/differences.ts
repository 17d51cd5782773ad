import * as tf from '@tensorflow/tfjs-node-gpu';

/**
 * Forward differences of a map [b,h,w,1] as [b,h,w,2]: channel 0 is map(v, u+1) - map(v, u), channel 1 map(v+1, u) - map(v, u);
 * zero in the last column or row (Neumann boundary, as in geometry/poisson.ts).
 */
export function forwardDifferences(map: tf.Tensor4D): tf.Tensor4D {
  const [b, h, w] = map.shape;
  const du = tf.sub(tf.slice(map, [0, 0, 1, 0], [b, h, w - 1, 1]), tf.slice(map, [0, 0, 0, 0], [b, h, w - 1, 1]));
  const dv = tf.sub(tf.slice(map, [0, 1, 0, 0], [b, h - 1, w, 1]), tf.slice(map, [0, 0, 0, 0], [b, h - 1, w, 1]));
  return tf.concat(
    [tf.concat([du, tf.zeros([b, h, 1, 1])], 2), tf.concat([dv, tf.zeros([b, 1, w, 1])], 1)],
    3,
  ) as tf.Tensor4D;
}

/** The same values, as a constant to backpropagation. */
export function stopGradient(x: tf.Tensor4D): tf.Tensor4D {
  const constant = tf.customGrad((input) => {
    const tensor = input as tf.Tensor;
    return { value: tensor.clone(), gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy) };
  });
  return constant(x) as tf.Tensor4D;
}
