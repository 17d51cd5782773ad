/**
 * Rectified stereo pairs: monodepth (Godard et al. 2017) with a disparity for each image, and the stereo term of Kuznietsov et al.
 * 2017 on a single depth map. The target is the left image; a point of the left image at column u is in the right one at u - d.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { required, type LossTerm, type TrainingBatch, type TrainingOutputs } from './loss';
import { forwardDifferences } from '../../model/differences';
import { shrink } from './pyramid';
import { absolute, maskedMean, total } from './reductions';
import { sampleAlongRows } from './rowSampling';
import { appearanceError } from './structuralSimilarity';

/** A row's disparities of one scale, in widths of the image, [b,h,w,1]. */
interface Pair {
  left: tf.Tensor4D;
  right: tf.Tensor4D;
}

function pairsOf({ stereoDisparities }: TrainingOutputs, term: string): Pair[] {
  const scales = required(stereoDisparities, term, 'a network with left and right disparities');
  return scales.map((both) => {
    const [left, right] = tf.split(both, 2, 3) as tf.Tensor4D[];
    return { left, right };
  });
}

function images({ size, height, width, target, stereo }: TrainingBatch, term: string): Pair {
  const { right } = required(stereo, term, 'a batch of stereo pairs');
  const shape: [number, number, number, number] = [size, height, width, 3];
  return { left: tf.tensor4d(target, shape), right: tf.tensor4d(right, shape) };
}

/** `map` of the other image, moved to where this image's pixels are: -1 reads the right image for the left one. */
function fromOther(map: tf.Tensor4D, disparity: tf.Tensor4D, direction: 1 | -1): tf.Tensor4D {
  return sampleAlongRows(map, tf.mul(disparity, direction * disparity.shape[2]) as tf.Tensor4D);
}

/** Log-disparity ln(1/Z) of a disparity in widths of the image: Z = fx * baseline / (disparity * width). */
export function logDisparityOfStereo(
  disparity: tf.Tensor4D,
  batch: Pick<TrainingBatch, 'intrinsics' | 'width'> & { stereo: { baseline: Float32Array } },
): tf.Tensor4D {
  const scale = batch.intrinsics.map(({ fx }, b) => batch.width / (fx * batch.stereo.baseline[b]));
  return tf.log(tf.mul(disparity, tf.tensor4d(scale, [scale.length, 1, 1, 1]))) as tf.Tensor4D;
}

/** Each image against the other one warped into it, both ways, summed over 4 scales. */
export const leftRightPhotometric: LossTerm = {
  name: 'left_right_photometric',
  description:
    '0.85 SSIM + 0.15 L1 of each image of a stereo pair against the other warped into it, 4 scales (monodepth)',
  needs: 'stereo',
  compute(outputs, batch) {
    const full = images(batch, leftRightPhotometric.name);
    const parts = pairsOf(outputs, leftRightPhotometric.name).flatMap((disparity, scale) => {
      const [left, right] = [shrink(full.left, scale), shrink(full.right, scale)];
      return [
        appearanceError(fromOther(right, disparity.left, -1), left),
        appearanceError(fromOther(left, disparity.right, 1), right),
      ];
    });
    const finest = parts[0].dataSync()[0];
    return { value: total(parts), scalars: { left_error: finest } };
  },
};

/** mean |d_left(u) - d_right(u - d_left)| and the mirror of it, in widths of the image, summed over 4 scales. */
export const leftRightConsistency: LossTerm = {
  name: 'left_right_consistency',
  description: 'L1 between a disparity and the other image’s disparity at the matching pixel, 4 scales (monodepth)',
  needs: 'stereo',
  compute(outputs) {
    const parts = pairsOf(outputs, leftRightConsistency.name).flatMap(({ left, right }) => [
      tf.mean(absolute(tf.sub(left, fromOther(right, left, -1)))) as tf.Scalar,
      tf.mean(absolute(tf.sub(right, fromOther(left, right, 1)))) as tf.Scalar,
    ]);
    return { value: total(parts) };
  },
};

/** Sum over scales s of 2^-s mean |first difference of disparity| exp(-mean_rgb |that of the image|), of both images. */
export const stereoSmoothness: LossTerm = {
  name: 'stereo_smoothness',
  description:
    'edge-aware first-order smoothness of both disparities, weight 1/2^scale, 4 scales (monodepth; paper weight 0.1)',
  needs: 'stereo',
  compute(outputs, batch) {
    const full = images(batch, stereoSmoothness.name);
    const parts = pairsOf(outputs, stereoSmoothness.name).flatMap((disparity, scale) =>
      (['left', 'right'] as const).map((side) => {
        const channels = tf.split(shrink(full[side], scale), 3, 3) as tf.Tensor4D[];
        const edges = tf.addN(channels.map((channel) => tf.abs(forwardDifferences(channel))));
        const evenness = tf.exp(tf.mul(edges, -1 / 3));
        const slope = absolute(forwardDifferences(disparity[side]));
        // The mean over both axes, times two, is the sum over the axes.
        return tf.mul(tf.mean(tf.mul(slope, evenness)), 2 * 2 ** -scale) as tf.Scalar;
      }),
    );
    return { value: total(parts) };
  },
};

/** |I_left - I_right warped by disparity fx * baseline / Z| of the fused depth, mean over the pixels that stay inside the image. */
export const stereoFromDepth: LossTerm = {
  name: 'stereo_from_depth',
  description:
    'L1 of the left image against the right one warped by the estimated depth and the known baseline (Kuznietsov)',
  needs: 'stereo',
  compute({ fused }, batch) {
    const { left, right } = images(batch, stereoFromDepth.name);
    const { baseline } = required(batch.stereo, stereoFromDepth.name, 'a batch of stereo pairs');
    const scale = batch.intrinsics.map(({ fx }, b) => -fx * baseline[b]);
    const shift = tf.mul(tf.exp(fused), tf.tensor4d(scale, [batch.size, 1, 1, 1])) as tf.Tensor4D;
    const warped = sampleAlongRows(right, shift);
    const column = tf.add(shift, tf.reshape(tf.range(0, batch.width), [1, 1, batch.width, 1]));
    const inside = tf.sub(1, tf.step(tf.neg(column))) as tf.Tensor4D; // a comparison has no gradient in tfjs
    const value = maskedMean(absolute(tf.sub(warped, left)), inside);
    return { value, scalars: { inside_share: tf.mean(inside).dataSync()[0] } };
  },
};
