/** Equation (1) of CH-001 as printed. Kept for comparison: gradientConsistency.ts is its healthy form. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { charbonnier } from './gradientConsistency';
import { required, type LossTerm } from './loss';

/**
 * The edge filter [-1, 0, 1] along columns (channel 0) and rows (channel 1) of a map [b,h,w,1]: map(u+1) - map(u-1), the border
 * repeated.
 */
export function edgeFilter(map: tf.Tensor4D): tf.Tensor4D {
  const [b, h, w] = map.shape;
  const columns = (first: number, count: number): tf.Tensor4D => tf.slice(map, [0, 0, first, 0], [b, h, count, 1]);
  const rows = (first: number, count: number): tf.Tensor4D => tf.slice(map, [0, first, 0, 0], [b, count, w, 1]);
  const du = tf.sub(
    tf.concat([columns(1, w - 1), columns(w - 1, 1)], 2),
    tf.concat([columns(0, 1), columns(0, w - 1)], 2),
  );
  const dv = tf.sub(tf.concat([rows(1, h - 1), rows(h - 1, 1)], 1), tf.concat([rows(0, 1), rows(0, h - 1)], 1));
  return tf.concat([du, dv], 3) as tf.Tensor4D;
}

/**
 * sum_p phi(grad_x D - G_x) * phi(grad_y D - G_y) on raw depth D in metres, mean over the samples (CH-001 eq. 1; omega is the
 * recipe's weight). Its faults are the point and are logged (docs/decisions.md, "The paper's idea"): how far the mask has closed, the scale of depth,
 * the size of both gradients, and the pull |dL/dG| on each axis, which the other axis's phi scales down to a hundredth.
 */
export const ch001Gradient: LossTerm = {
  name: 'ch001_gradient',
  description: 'phi(grad_x D - G_x) * phi(grad_y D - G_y) of raw depth, summed over pixels (CH-001 eq. 1 as printed)',
  needs: 'nothing',
  compute({ logDisparity, gradient: head, explainability }, { size }) {
    const gradient = required(head, ch001Gradient.name, 'a network with a gradient head');
    const depth = tf.exp(tf.neg(logDisparity)) as tf.Tensor4D;
    const ofDepth = edgeFilter(depth);
    const difference = tf.sub(ofDepth, gradient) as tf.Tensor4D;
    const [phiX, phiY] = tf.split(charbonnier(difference), 2, 3);
    const value = tf.div(tf.sum(tf.mul(phiX, phiY)), size) as tf.Scalar;
    const [pullX, pullY] = axisMeans(() => {
      const [ex, ey] = tf.split(difference, 2, 3);
      return tf.concat([tf.mul(tf.div(ex, phiX), phiY), tf.mul(tf.div(ey, phiY), phiX)], 3);
    });
    const [depthX, depthY] = axisMeans(() => ofDepth);
    const [headX, headY] = axisMeans(() => gradient);
    const scalars: Record<string, number> = {
      mean_depth: tf.mean(depth).dataSync()[0],
      depth_gradient_x: depthX,
      depth_gradient_y: depthY,
      estimated_gradient_x: headX,
      estimated_gradient_y: headY,
      pull_x: pullX,
      pull_y: pullY,
    };
    if (explainability) scalars.mean_mask = tf.mean(tf.sigmoid(explainability[0])).dataSync()[0];
    return { value, scalars };
  },
};

/** Mean magnitude of each of two channels. */
function axisMeans(map: () => tf.Tensor): Float32Array {
  return tf.tidy(() => tf.mean(tf.abs(map()), [0, 1, 2]).dataSync<'float32'>());
}
