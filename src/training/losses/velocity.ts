import * as tf from '@tensorflow/tfjs-node-gpu';
import { required, type LossTerm } from './loss';

/** sqrt'(0) is infinite: a pose head that stands still would get no finite gradient. */
const LENGTH_EPSILON = 1e-12;

/**
 * Mean | |t| - speed * dt | in metres over motions and the samples that have a speed (NaN: none): gives ego-motion its metric scale, and depth too where the photometric
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
    const toNext = poseToNext && untilNext && lengthErrors(poseToNext, speed, untilNext);
    const errors = [lengthErrors(pose, speed, sincePrevious), toNext].flatMap((error) => error ?? []);
    // The pose keeps a gradient where no sample has a speed: that of nothing.
    const value = errors.length > 0 ? tf.mean(tf.concat(errors)) : tf.mul(tf.sum(pose), 0);
    return { value: value as tf.Scalar };
  },
};

/** | |t| - speed * seconds | of the samples that have a speed, [up to b]. */
function lengthErrors(pose: tf.Tensor2D, speed: Float32Array, seconds: Float32Array): tf.Tensor1D | undefined {
  const known = Array.from(speed.keys()).filter((b) => Number.isFinite(speed[b] * seconds[b]));
  if (known.length === 0) return undefined;
  const translation = tf.gather(tf.slice(pose, [0, 0], [pose.shape[0], 3]), tf.tensor1d(known, 'int32'));
  const length = tf.sqrt(tf.add(tf.sum(tf.square(translation), 1), LENGTH_EPSILON));
  return tf.abs(tf.sub(length, tf.tensor1d(known.map((b) => speed[b] * seconds[b])))) as tf.Tensor1D;
}
