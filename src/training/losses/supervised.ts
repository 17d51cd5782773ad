import * as tf from '@tensorflow/tfjs-node-gpu';
import { forwardDifferences } from '../../model/differences';
import { required, type LossTerm, type TrainingBatch } from './loss';

function truthOf(batch: TrainingBatch): { logDisparity: tf.Tensor4D; pose: tf.Tensor2D } {
  if (!batch.truth)
    throw new Error('a supervised loss needs a batch with truth; name a data set that has it in the recipe');
  return {
    logDisparity: tf.tensor4d(batch.truth.logDisparity, [batch.size, batch.height, batch.width, 1]),
    pose: tf.tensor2d(batch.truth.pose, [batch.size, 6]),
  };
}

/** Mean |u - u*| of log-disparity: a relative depth error, the same for near and far. Of the depth head and of the fused map. */
export const depthTruth: LossTerm = {
  name: 'depth_truth',
  description: 'L1 of log-disparity against exact depth (synthetic scenes), depth head and fused map',
  needs: 'truth',
  compute({ logDisparity, fused }, batch) {
    const truth = truthOf(batch).logDisparity;
    const head = tf.mean(tf.abs(tf.sub(logDisparity, truth)));
    const fusedError = tf.mean(tf.abs(tf.sub(fused, truth)));
    return { value: tf.add(head, fusedError) as tf.Scalar, scalars: { log_error: fusedError.dataSync()[0] } };
  },
};

/** Mean |G - forward differences of u*|, sum over the axes. */
export const gradientTruth: LossTerm = {
  name: 'gradient_truth',
  description: 'L1 of the gradient head against forward differences of exact log-disparity',
  needs: 'truth',
  compute({ gradient, fused }, batch) {
    const truth = forwardDifferences(truthOf(batch).logDisparity);
    const head = required(gradient, 'gradient_truth', 'a network with a gradient head');
    const own = tf.mean(tf.abs(tf.sub(head, truth)));
    const ofFused = tf.mean(tf.abs(tf.sub(forwardDifferences(fused), truth)));
    return { value: tf.mul(tf.add(own, ofFused), 2) as tf.Scalar };
  },
};

/** Rotation counts 30 times: a radian at a scene depth of about 30 m moves a point as far as 30 m of translation. */
const ROTATION_WEIGHT = 30;

/** Mean weighted L1 of six pose numbers. */
function poseError(pose: tf.Tensor2D, truth: tf.Tensor2D): tf.Scalar {
  const weights = tf.tensor2d([1, 1, 1, ROTATION_WEIGHT, ROTATION_WEIGHT, ROTATION_WEIGHT], [1, 6]);
  return tf.mean(tf.mul(tf.abs(tf.sub(pose, truth)), weights)) as tf.Scalar;
}

/** Mean L1 of the ego-motion's six numbers. */
export const poseTruth: LossTerm = {
  name: 'pose_truth',
  description: 'L1 of ego-motion against the exact camera motion (synthetic scenes)',
  needs: 'truth',
  compute({ poseFromPrevious }, batch) {
    const pose = required(poseFromPrevious, 'pose_truth', 'a network with a pose head');
    return { value: poseError(pose, truthOf(batch).pose) };
  },
};

/** The pose head against what direct alignment made of its answers. */
export const poseAlignment: LossTerm = {
  name: 'pose_alignment',
  description: 'L1 of ego-motion against its own refinement by direct image alignment on the estimated depth',
  needs: 'next',
  compute({ poseFromPrevious, poseToNext, aligned }) {
    if (!poseFromPrevious || !poseToNext || !aligned)
      throw new Error('pose_alignment needs the previous and the next frame');
    const value = tf.add(
      poseError(poseFromPrevious, aligned.poseFromPrevious),
      poseError(poseToNext, aligned.poseToNext),
    );
    return { value: tf.mul(value, 0.5) as tf.Scalar };
  },
};
