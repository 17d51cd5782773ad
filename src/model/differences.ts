/**
 * Forward differences and their adjoint as tensor operations; each is the other's gradient. Slices, paddings and joins of the last axis,
 * which tensor operations would take for it, cost several times these loops.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import * as onArrays from '../geometry/poisson';

/** `operation` on every sample of a batch whose samples become `channels` numbers per pixel. */
function perSample(
  x: tf.Tensor,
  channels: 1 | 2,
  operation: (sample: Float32Array, height: number, width: number) => ArrayLike<number>,
): tf.Tensor4D {
  const [size, height, width, inputChannels] = x.shape;
  const values = x.dataSync<'float32'>();
  const [read, written] = [height * width * inputChannels, height * width * channels];
  const out = new Float32Array(size * written);
  for (let b = 0; b < size; b++)
    out.set(operation(values.subarray(b * read, (b + 1) * read), height, width), b * written);
  return tf.tensor4d(out, [size, height, width, channels]);
}

const differences = (x: tf.Tensor): tf.Tensor4D => perSample(x, 2, onArrays.forwardDifferences);
const adjoint = (x: tf.Tensor): tf.Tensor4D => perSample(x, 1, onArrays.forwardDifferencesAdjoint);

const withGradient = (value: (x: tf.Tensor) => tf.Tensor4D, gradient: (dy: tf.Tensor) => tf.Tensor4D) =>
  tf.customGrad((x) => ({ value: value(x as tf.Tensor), gradFunc: (dy: tf.Tensor) => gradient(dy) }));

/**
 * Of a map [b,h,w,1] as [b,h,w,2]: channel 0 is map(v, u+1) - map(v, u), channel 1 map(v+1, u) - map(v, u); zero in the last column or row
 * (Neumann boundary, as in geometry/poisson.ts).
 */
export const forwardDifferences = withGradient(differences, adjoint) as (map: tf.Tensor4D) => tf.Tensor4D;

/** grad^T G of G [b,h,w,2] as [b,h,w,1]. The last column of du and the last row of dv have no neighbour and do not count. */
export const adjointDifferences = withGradient(adjoint, differences) as (gradient: tf.Tensor4D) => tf.Tensor4D;

/** The same values, as a constant to backpropagation. */
export function stopGradient(x: tf.Tensor4D): tf.Tensor4D {
  const constant = tf.customGrad((input) => {
    const tensor = input as tf.Tensor;
    return { value: tensor.clone(), gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy) };
  });
  return constant(x) as tf.Tensor4D;
}
