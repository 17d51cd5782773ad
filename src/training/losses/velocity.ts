import * as tf from '@tensorflow/tfjs-node-gpu';
import { required, type LossTerm } from './loss';

/** sqrt'(0) is infinite: a pose head that stands still would get no finite gradient. */
const LENGTH_EPSILON = 1e-12;

/**
 * Mean | |t| - speed * dt | in metres over samples and motions: gives ego-motion its metric scale, and depth too where the photometric
 * losses see the pose head's own answers (align_poses: false). Refined poses are constants in the depth's own scale, which they leave as it is.
 */
export const velocity: LossTerm = {
  name: 'velocity',
  description:
    'L1 between the length of the estimated translation and speed times time (PackNet, Guizilini et al. 2020)',
  needs: 'motion',
  compute({ poseFromPrevious, poseToNext }, batch) {
    const { speed, sincePrevious, untilNext } = required(batch.motion, velocity.name, 'a batch with speeds');
    const pose = required(poseFromPrevious, velocity.name, 'a network with a pose head');
    const errors = [lengthError(pose, speed, sincePrevious)];
    if (poseToNext && untilNext) errors.push(lengthError(poseToNext, speed, untilNext));
    return { value: tf.mean(tf.concat(errors)) as tf.Scalar };
  },
};

/** | |t| - speed * seconds | per sample, [b]. */
function lengthError(pose: tf.Tensor2D, speed: Float32Array, seconds: Float32Array): tf.Tensor1D {
  const translation = tf.slice(pose, [0, 0], [pose.shape[0], 3]);
  const length = tf.sqrt(tf.add(tf.sum(tf.square(translation), 1), LENGTH_EPSILON));
  return tf.abs(tf.sub(length, tf.tensor1d(speed.map((v, b) => v * seconds[b])))) as tf.Tensor1D;
}
