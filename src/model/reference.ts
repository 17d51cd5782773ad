/** What an exported model computes, computed by tfjs: the referee of the ONNX export and the evaluator's inference. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { antialiasResize, type RgbImage } from './antialiasResize';
import { confidence } from './confidence';
import { fuse } from './fusion';
import { poseFeatureIndex, type DepthNetwork } from './network';

export type { RgbImage } from './antialiasResize';

/** Names and shapes as in the graph contract (docs/architecture.md). */
export interface InferenceOutputs {
  /** Metres along Z up to the network's scale, [1, h, w]. */
  depth: tf.Tensor3D;
  /** [1, h, w, 2]. */
  logDisparityGradient: tf.Tensor4D;
  /** 0..1, [1, h, w]. */
  confidence: tf.Tensor3D;
  /** Translation, then axis-angle: the current camera's pose in the previous camera's frame, [1, 6]. */
  egoMotion: tf.Tensor2D;
  /** Stride-8 features, [1, h/8, w/8, C]: the `previousFeatures` of the next frame. */
  features: tf.Tensor4D;
}

/**
 * @param image rgb bytes of any size
 * @param previousFeatures the `features` of the frame before; default zeros
 */
export function inferReference(
  network: DepthNetwork,
  image: RgbImage,
  previousFeatures?: tf.Tensor4D,
): InferenceOutputs {
  const { height, width, fusionLambda } = network.config;
  return tf.tidy(() => {
    const pixels = antialiasResize(image, height, width);
    const maps = network.encode(tf.tensor4d(pixels, [1, height, width, 3]).div(255));
    const { logDisparity, gradient } = network.decode(maps);
    const features = maps[poseFeatureIndex];
    return {
      depth: fuse(logDisparity, gradient, fusionLambda).neg().exp().reshape([1, height, width]) as tf.Tensor3D,
      logDisparityGradient: gradient,
      confidence: confidence(logDisparity, gradient).reshape([1, height, width]) as tf.Tensor3D,
      egoMotion: network.estimatePose(previousFeatures ?? tf.zerosLike(features), features),
      features,
    };
  }) as InferenceOutputs;
}
