/**
 * Gradient decoder: the "common gradient decoder with x and y heads" of CH-001, narrower and shallower than the depth
 * decoder because a gradient is local. Linear outputs that start near zero (a fronto-parallel plane).
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { DepthToSpace, type NetworkBuilder } from '../layers';

/** The gradient decoder reads the feature maps at strides 2, 4 and 8 only. */
export const gradientStrides = 3;

/** Decoder channels at strides 8, 4, 2. */
const decoderChannels = [32, 24, 16] as const;

/**
 * @param channels of the encoder's feature maps at strides 2, 4, 8 (more are ignored)
 * @returns model: those three feature maps -> [b, h, w, 2], the forward differences of log-disparity along columns and rows
 */
export function buildGradientHead(builder: NetworkBuilder, channels: readonly number[]): tf.LayersModel {
  const features = channels
    .slice(0, gradientStrides)
    .map((count, i) => tf.input({ shape: [null, null, count], name: `gradient/stride${2 << i}` }));
  let x = builder.conv(features[2], 'gradient/conv8', decoderChannels[0], { kernel: 3, activation: 'relu' });
  [4, 2].forEach((stride, step) => {
    x = builder.upConcat(x, features[1 - step], `gradient/skip${stride}`);
    x = builder.conv(x, `gradient/conv${stride}`, decoderChannels[step + 1], { kernel: 3, activation: 'relu' });
  });
  const axes = ['x', 'y'].map((axis) => {
    const phases = builder.conv(x, `gradient/head_${axis}`, 4, { kernel: 3, gain: 0.005, equalOutputs: 4 });
    return new DepthToSpace(`gradient/space_${axis}`).apply(phases) as tf.SymbolicTensor;
  });
  return tf.model({ name: 'gradient', inputs: features, outputs: builder.concat(axes, 'gradient/axes') });
}
