/** The source image as seen from the target, as a tensor operation: what a term needs that has its own idea of the error. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { Intrinsics } from '../../geometry/camera';
import { chainToVector6, sample, targetToSource, workspacesFor } from './photometric';
import { backwardFromImage, warpIntoTarget } from './photometricKernel';

export interface SynthesisedView {
  /** rgb [b,h,w,3], differentiable in log-disparity and pose. */
  image: tf.Tensor4D;
  /** [b,h,w,1]: 1 where the point lies before the source camera and inside its image. */
  valid: tf.Tensor4D;
}

/**
 * p_s ~ K T D(p_t) K^-1 p_t with bilinear sampling (SfMLearner, Zhou et al. 2017, eq. 2).
 *
 * @param source rgb [b,h,w,3] in 0..1
 * @param later whether the source is the later of the two frames
 * @param logDisparity ln(1/Z) of the target [b,h,w,1]
 * @param pose [b,6], of the later camera in the earlier camera's frame
 * @param intrinsics per sample, for images of this size
 */
export function synthesiseView(
  source: Float32Array,
  later: boolean,
  logDisparity: tf.Tensor4D,
  pose: tf.Tensor2D,
  intrinsics: Intrinsics[],
): SynthesisedView {
  const [size, height, width] = logDisparity.shape;
  const pixels = height * width;
  const valid = new Float32Array(size * pixels);
  const operation = tf.customGrad((...inputs) => {
    const [u, p] = inputs as tf.Tensor[];
    const us = u.dataSync<'float32'>();
    const poses = p.dataSync<'float32'>();
    const [work] = workspacesFor(height, width, 1);
    const transformAt = (b: number): ReturnType<typeof targetToSource> => targetToSource(sample(poses, b, 6), later);
    const warp = (b: number): void => {
      const { rotation, translation } = transformAt(b);
      warpIntoTarget(work, sample(source, b, 3 * pixels), sample(us, b, pixels), intrinsics[b], rotation, translation);
    };
    const warped = new Float32Array(3 * size * pixels);
    for (let b = 0; b < size; b++) {
      warp(b);
      warped.set(work.warped, 3 * b * pixels);
      valid.set(work.valid, b * pixels);
    }
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const pull = dy.dataSync<'float32'>();
      const gradU = new Float32Array(size * pixels);
      const gradPose = new Float32Array(6 * size);
      for (let b = 0; b < size; b++) {
        warp(b); // again, because the workspace is shared by all calls of this size
        const transform = transformAt(b);
        const ofSample = sample(gradU, b, pixels);
        const gradPoseOfSample = new Float64Array(6);
        const ofImage = sample(pull, b, 3 * pixels);
        backwardFromImage(work, ofImage, intrinsics[b], transform.translation, ofSample, gradPoseOfSample);
        const outPose = sample(gradPose, b, 6);
        chainToVector6(sample(poses, b, 6), later, transform, gradPoseOfSample, outPose);
      }
      return [tf.tensor(gradU, u.shape), tf.tensor(gradPose, p.shape)];
    };
    return { value: tf.tensor(warped, [size, height, width, 3]), gradFunc };
  });
  const image = operation(logDisparity, pose) as tf.Tensor4D;
  return { image, valid: tf.tensor4d(valid, [size, height, width, 1]) };
}
