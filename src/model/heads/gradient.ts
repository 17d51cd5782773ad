/**
 * Gradient decoder: the "common gradient decoder with x and y heads" of CH-001, narrower and shallower than the depth
 * decoder because a gradient is local. It continues from the depth decoder's map at stride 8: whether an edge in the image is one
 * of depth is seen from far around it. Linear outputs that start near zero (a fronto-parallel plane).
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { DepthToSpace, type NetworkBuilder } from '../layers';
import { contextChannels } from './depth';

/** Decoder channels at strides 8, 4, 2. */
const decoderChannels = [32, 24, 16] as const;

/** The gradient head's inputs, out of the encoder's maps (strides 2, 4 and more) and the depth decoder's map at stride 8. */
export function gradientInputs<Map>(features: readonly Map[], context: Map): Map[] {
  return [features[0], features[1], context];
}

/**
 * @param channels of the encoder's feature maps at strides 2, 4 (more are ignored)
 * @returns model: `gradientInputs` -> [b, h, w, 2], the forward differences of log-disparity along columns and rows
 */
export function buildGradientHead(builder: NetworkBuilder, channels: readonly number[]): tf.LayersModel {
  const inputs = gradientInputs(channels, contextChannels).map((count, i) =>
    tf.input({ shape: [null, null, count], name: `gradient/stride${2 << i}` }),
  );
  let x = builder.conv(inputs[2], 'gradient/conv8', decoderChannels[0], { kernel: 3, activation: 'relu' });
  [4, 2].forEach((stride, step) => {
    x = builder.upConcat(x, inputs[1 - step], `gradient/skip${stride}`);
    x = builder.conv(x, `gradient/conv${stride}`, decoderChannels[step + 1], { kernel: 3, activation: 'relu' });
  });
  const axes = ['x', 'y'].map((axis) => {
    const phases = builder.conv(x, `gradient/head_${axis}`, 4, { kernel: 3, gain: 0.005, equalOutputs: 4 });
    return new DepthToSpace(`gradient/space_${axis}`).apply(phases) as tf.SymbolicTensor;
  });
  return tf.model({ name: 'gradient', inputs, outputs: builder.concat(axes, 'gradient/axes') });
}
