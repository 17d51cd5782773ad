/**
 * The encoder of SfMLearner's DispNet (Zhou et al. 2017, from Mayer et al. 2016): pairs of convolutions, the first of
 * each pair with stride 2. The two deepest of its seven stages (strides 64 and 128) are left out: all encoders here end
 * at stride 32.
 */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import type { NetworkBuilder } from '../layers';
import type { Encoder } from './index';

const stages = [
  { kernel: 7, channels: 32 },
  { kernel: 5, channels: 64 },
  { kernel: 3, channels: 128 },
  { kernel: 3, channels: 256 },
  { kernel: 3, channels: 512 },
] as const;

function build(builder: NetworkBuilder, image: tf.SymbolicTensor): tf.SymbolicTensor[] {
  let x = image;
  return stages.map(({ kernel, channels }, index) => {
    const name = `encoder/conv${index + 1}`;
    x = builder.conv(x, name, channels, { kernel, stride: 2, activation: 'relu' });
    x = builder.conv(x, `${name}b`, channels, { kernel, activation: 'relu' });
    return x;
  });
}

export const dispnet: Encoder = {
  channels: [32, 64, 128, 256, 512],
  normalisation: { scale: 4, offset: -2 },
  build,
};
