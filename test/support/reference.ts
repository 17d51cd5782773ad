/** What an exported model computes, computed by tfjs: the referee of the ONNX export. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import {
  ALIGNMENT_SHRINK,
  alignmentLevels,
  alignPose,
  blockMeans,
  type PinholeParameters,
} from '../../src/geometry/alignment';
import { confidence } from '../../src/model/confidence';
import { fuse } from '../../src/model/fusion';
import { poseFeatureIndex, type DepthNetwork } from '../../src/model/network';
import { antialiasResize, type RgbImage } from './antialiasResize';

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
  /** Stride-8 features and grey image of the frame, [1, h/8, w/8, C]: the `previousFeatures` of the next frame. */
  features: tf.Tensor4D;
}

/**
 * @param image rgb bytes of any size
 * @param intrinsics of the camera for an image of the network's size
 * @param previousFeatures the `features` of the frame before; default zeros
 */
export function inferReference(
  network: DepthNetwork,
  image: RgbImage,
  intrinsics: PinholeParameters,
  previousFeatures?: tf.Tensor4D,
): InferenceOutputs {
  const { height, width, fusionLambda } = network.config;
  return tf.tidy(() => {
    const pixels = antialiasResize(image, height, width).map((level) => level / 255);
    const maps = network.encode(tf.tensor4d(pixels, [1, height, width, 3]));
    const { logDisparity, gradient } = network.decode(maps);
    const fused = fuse(logDisparity, gradient, fusionLambda);
    const current = maps[poseFeatureIndex];
    const grey = blockMeans(pixels, height, width, 3, ALIGNMENT_SHRINK);
    const [rows, columns] = [height / ALIGNMENT_SHRINK, width / ALIGNMENT_SHRINK];
    const packed = tf.tensor(grey, [rows / 4, 4, columns / 4, 4]).transpose([0, 2, 1, 3]);
    const cells = [1, rows / 4, columns / 4];
    const features = tf.concat(
      [current, packed.reshape([...cells, 16]), intrinsicsCells(intrinsics, cells)],
      3,
    ) as tf.Tensor4D;
    const before = previousFeatures ?? (tf.zerosLike(features) as tf.Tensor4D);
    const [seen, packedBefore] = tf.split(before, [current.shape[3], 16, 4], 3) as tf.Tensor4D[];
    const greyBefore = packedBefore.reshape([rows / 4, columns / 4, 4, 4]).transpose([0, 2, 1, 3]);
    const proposed = network.estimatePose(seen, current).dataSync<'float32'>();
    const levels = alignmentLevels(
      {
        height: rows,
        width: columns,
        target: grey,
        source: greyBefore.dataSync<'float32'>(),
        logDisparity: blockMeans(fused.dataSync<'float32'>(), height, width, 1, ALIGNMENT_SHRINK),
      },
      intrinsics,
    );
    return {
      depth: fused.neg().exp().reshape([1, height, width]) as tf.Tensor3D,
      logDisparityGradient: gradient,
      confidence: confidence(logDisparity, gradient).reshape([1, height, width]) as tf.Tensor3D,
      egoMotion: tf.tensor2d(Float32Array.from(alignPose(proposed, levels)), [1, 6]),
      features,
    };
  }) as InferenceOutputs;
}

/** Intrinsics in the first cell, as the graph hands them on. */
function intrinsicsCells({ fx, fy, cx, cy }: PinholeParameters, cells: number[]): tf.Tensor {
  const values = new Float32Array(cells.reduce((product, side) => product * side, 4));
  values.set([fx, fy, cx, cy]);
  return tf.tensor(values, [...cells, 4]);
}
