/**
 * Confidence from the disagreement of the two decoders, |grad u0 - G|: where depth and gradient tell the same
 * story both are likely right. The ONNX exporter writes the same formula.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';

/** A disagreement of 0.035 (3.5 % of depth per pixel), both axes together, halves the confidence. */
export const confidenceSharpness = 20;
/**
 * Side in pixels of the square that disagreement is averaged over. Even: the heads' last step is a depth-to-space by two, whose four
 * phases differ a little, and an even window weighs them alike. Its extra row and column are below and to the right.
 */
export const confidenceWindow = 6;

/**
 * exp(-k * mean over 6x6 of (|du u0 - G_u| + |dv u0 - G_v|)); the mean counts pixels inside the image only, and the last
 * column (row), which has no neighbour to differ from, agrees by definition.
 *
 * @param logDisparity u0, [b, h, w, 1]
 * @param gradient G, [b, h, w, 2]
 * @returns [b, h, w, 1] in 0..1
 */
export function confidence(logDisparity: tf.Tensor4D, gradient: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width] = logDisparity.shape;
    const along = (axis: 1 | 2): tf.Tensor4D => {
      const size: [number, number, number, number] = [batch, height, width, 1];
      size[axis] -= 1;
      const next: [number, number, number, number] = [0, 0, 0, 0];
      next[axis] = 1;
      const difference = logDisparity.slice(next, size).sub(logDisparity.slice([0, 0, 0, 0], size));
      const disagreement = difference.sub(gradient.slice([0, 0, 0, axis === 2 ? 0 : 1], size)).abs();
      const end: [number, number][] = [0, 1, 2, 3].map((other) => [0, other === axis ? 1 : 0]);
      return disagreement.pad(end) as tf.Tensor4D;
    };
    const mean = tf.avgPool(along(2).add(along(1)) as tf.Tensor4D, confidenceWindow, 1, 'same');
    return mean.mul(-confidenceSharpness).exp() as tf.Tensor4D;
  });
}
