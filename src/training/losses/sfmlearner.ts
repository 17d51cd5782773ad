/** The origin recipe of SfMLearner (Zhou et al. 2017), which CH-001 starts from. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { scaleIntrinsics } from '../../geometry/camera';
import { required, type LossTerm, type TrainingBatch, type TrainingOutputs } from './loss';
import { disparityPyramid, shrink } from './pyramid';
import { absolute, maskedMean, total } from './reductions';
import { synthesiseView } from './viewSynthesis';

/** The two sources of the target with the pose head's own answers. Source index = channel of the explainability logits. */
function sourcesOf(
  outputs: TrainingOutputs,
  batch: TrainingBatch,
  term: string,
): { images: Float32Array; later: boolean; pose: tf.Tensor2D }[] {
  const next = required(batch.next, term, 'a batch with a later frame');
  const poseFromPrevious = required(outputs.poseFromPrevious, term, 'a network with a pose head');
  const poseToNext = required(outputs.poseToNext, term, 'a pose of the later frame');
  return [
    { images: batch.previous, later: false, pose: poseFromPrevious },
    { images: next, later: true, pose: poseToNext },
  ];
}

function channel(map: tf.Tensor4D, index: number): tf.Tensor4D {
  const [b, h, w] = map.shape;
  return tf.slice(map, [0, 0, 0, index], [b, h, w, 1]);
}

/**
 * Sum over scales and sources of mean_p E_s(p) |I_t(p) - I_s warped(p)|, E = explainability mask, 1 for a network without one. A
 * pixel that leaves the source image counts 0. Logged beside it: the mean error of the finest scale WITHOUT the mask over the pixels
 * that stay inside, because a mask that closes makes the masked error fall while the real one rises.
 */
export const explainedPhotometric: LossTerm = {
  name: 'explained_photometric',
  description:
    'L1 photometric error under the explainability mask, 4 scales, summed over scales and sources (SfMLearner)',
  needs: 'next',
  compute(outputs, batch) {
    const { size, height, width } = batch;
    const sources = sourcesOf(outputs, batch, explainedPhotometric.name);
    const image = (rgb: Float32Array): tf.Tensor4D => tf.tensor4d(rgb, [size, height, width, 3]);
    const scalars: Record<string, number> = {};
    const validShares: number[] = [];
    let errorMap = new Float32Array(0);
    const parts = disparityPyramid(outputs).flatMap((disparity, scale) => {
      const target = shrink(image(batch.target), scale);
      const [, h, w] = target.shape;
      const intrinsics = batch.intrinsics.map((k) => scaleIntrinsics(k, w, h));
      const logDisparity = tf.log(disparity) as tf.Tensor4D;
      return sources.map(({ images, later, pose }, index) => {
        const source = shrink(image(images), scale);
        const view = synthesiseView(source.dataSync<'float32'>(), later, logDisparity, pose, intrinsics);
        const error = tf.mul(absolute(tf.sub(view.image, target)), view.valid) as tf.Tensor4D;
        const mask = outputs.explainability && tf.sigmoid(channel(outputs.explainability[scale], index));
        if (scale === 0) {
          const unmasked = maskedMean(error, view.valid).dataSync()[0];
          scalars.unmasked_error = (scalars.unmasked_error ?? 0) + unmasked / sources.length;
          const open = mask ? tf.mean(mask).dataSync()[0] : 1;
          scalars.mean_mask = (scalars.mean_mask ?? 0) + open / sources.length;
          if (index === 0)
            errorMap = tf
              .mean(error, 3)
              .dataSync<'float32'>()
              .slice(0, height * width);
        }
        validShares.push(tf.mean(view.valid).dataSync()[0]);
        return tf.mean(mask ? tf.mul(error, mask) : error) as tf.Scalar;
      });
    });
    scalars.valid_share = validShares.reduce((sum, share) => sum + share, 0) / validShares.length;
    return { value: total(parts), scalars, maps: { photometric_error: errorMap } };
  },
};

/** Cross-entropy of the explainability mask to 1, -ln E, mean over pixels, summed over scales and sources: keeps the mask open. */
export const maskRegulariser: LossTerm = {
  name: 'mask_regulariser',
  description: 'cross-entropy of the explainability mask to 1, 4 scales (SfMLearner)',
  needs: 'next',
  compute({ explainability }) {
    const logits = required(explainability, maskRegulariser.name, 'a network with an explainability mask');
    // -ln sigmoid(x) = softplus(-x). The mean over a scale's two channels counts each source half.
    return { value: total(logits.map((logit) => tf.mul(tf.mean(tf.softplus(tf.neg(logit))), 2) as tf.Scalar)) };
  },
};

/** map(v, u+1) - map(v, u) without the last column, or the same along rows. */
function difference(map: tf.Tensor4D, axis: 1 | 2): tf.Tensor4D {
  const shape = map.shape.slice() as typeof map.shape;
  shape[axis]--;
  const begin: [number, number, number, number] = [0, 0, 0, 0];
  begin[axis] = 1;
  return tf.sub(tf.slice(map, begin, shape), tf.slice(map, [0, 0, 0, 0], shape));
}

/** Mean |d2/du2| + |d2/dudv| + |d2/dvdu| + |d2/dv2| of a map [b,h,w,1]. */
function secondOrder(map: tf.Tensor4D): tf.Scalar {
  const du = difference(map, 2);
  const dv = difference(map, 1);
  // The two mixed differences are the same numbers.
  const mixed = tf.mul(tf.mean(absolute(difference(du, 1))), 2) as tf.Scalar;
  const along = [difference(du, 2), difference(dv, 1)].map((second) => tf.mean(absolute(second)) as tf.Scalar);
  return total([...along, mixed]);
}

/** Sum over scales s of 2^-s times the mean second differences of disparity; the recipe's weight is SfMLearner's 0.5. */
export const secondOrderSmoothness: LossTerm = {
  name: 'second_order_smoothness',
  description: 'L1 of second differences of disparity, weight 1/2^scale, 4 scales (SfMLearner; paper weight 0.5)',
  needs: 'nothing',
  compute(outputs) {
    const scales = disparityPyramid(outputs);
    return { value: total(scales.map((d, scale) => tf.mul(secondOrder(d), 2 ** -scale) as tf.Scalar)) };
  },
};
