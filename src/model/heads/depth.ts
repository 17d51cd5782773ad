/**
 * Depth decoder: nearest-up and 3x3 convolutions with skip connections (as in Monodepth2), ending in a log-disparity.
 * The last step to full resolution is depth-to-space: the same multiply-adds as a convolution after nearest-up, a quarter
 * of the memory traffic.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { DepthToSpace, LogDisparity, type NetworkBuilder } from '../layers';

/** Depths in metres the head can express (Monodepth2's range). */
export const nearestDepth = 0.1;
export const farthestDepth = 100;
/** Depth in metres that an untrained head gives everywhere. */
export const startingDepth = 10;

/** Decoder channels at strides 16, 8, 4, 2. */
const decoderChannels = [96, 64, 32, 24] as const;

/** What the gradient head continues from: the decoder's map at this stride, which has seen the whole image. */
const contextStride = 8;
export const contextChannels = decoderChannels[1];

function startingBias(): number {
  const share = Math.log(farthestDepth / startingDepth) / Math.log(farthestDepth / nearestDepth);
  return Math.log(share / (1 - share));
}

/**
 * @param channels of the encoder's feature maps at strides 2, 4, 8, 16, 32
 * @returns model: those five feature maps -> log-disparity u0 [b, h, w, 1], decoder's map at stride 8 [b, h/8, w/8, 64]
 */
export function buildDepthHead(builder: NetworkBuilder, channels: readonly number[]): tf.LayersModel {
  const features = channels.map((count, i) => tf.input({ shape: [null, null, count], name: `depth/stride${2 << i}` }));
  let x = features[4];
  let context = x;
  decoderChannels.forEach((filters, step) => {
    const skip = features[3 - step];
    const stride = 16 >> step;
    x = builder.upConcat(x, skip, `depth/skip${stride}`);
    x = builder.conv(x, `depth/conv${stride}`, filters, { kernel: 3, activation: 'relu' });
    if (stride === contextStride) context = x;
  });
  x = builder.conv(x, 'depth/head', 4, { kernel: 3, gain: 0.05, bias: startingBias(), equalOutputs: 4 });
  x = new DepthToSpace('depth/space').apply(x) as tf.SymbolicTensor;
  const range = { near: nearestDepth, far: farthestDepth };
  x = new LogDisparity('depth/log_disparity', range).apply(x) as tf.SymbolicTensor;
  return tf.model({ name: 'depth', inputs: features, outputs: [x, context] });
}
