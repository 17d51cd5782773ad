/**
 * Pose head on the stride-8 features of the previous and the current frame: fine enough to see small motion (the
 * stride-32 features are not: docs/decisions.md, Model), matched with each other before any convolution.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { Affine, SpatialMean, type NetworkBuilder } from '../layers';
import { MatchFlow } from '../matchFlow';

const translationScale = 0.1;
const rotationScale = 0.01;

/**
 * @param channels of the stride-8 feature map
 * @returns model: [previous, current] feature maps -> [b, 6], translation x y z then axis-angle: the pose of the current
 *   camera in the previous camera's optical frame
 */
export function buildPoseHead(builder: NetworkBuilder, channels: number): tf.LayersModel {
  const previous = tf.input({ shape: [null, null, channels], name: 'pose/previous' });
  const current = tf.input({ shape: [null, null, channels], name: 'pose/current' });
  const flow = new MatchFlow('pose/match').apply([previous, current]) as tf.SymbolicTensor;
  let x = builder.conv(flow, 'pose/conv1', 64, { kernel: 3, stride: 2, activation: 'relu' });
  x = builder.conv(x, 'pose/conv2', 128, { kernel: 3, stride: 2, activation: 'relu' });
  x = builder.conv(x, 'pose/conv3', 128, { kernel: 3, activation: 'relu' });
  x = builder.conv(x, 'pose/head', 6, { kernel: 1, gain: 0.1 });
  x = new SpatialMean('pose/mean').apply(x) as tf.SymbolicTensor;
  const scale = [0, 1, 2, 3, 4, 5].map((row) => (row < 3 ? translationScale : rotationScale));
  x = new Affine('pose/scale', { scale, offset: 0 }).apply(x) as tf.SymbolicTensor;
  return tf.model({ name: 'pose', inputs: [previous, current], outputs: x });
}
