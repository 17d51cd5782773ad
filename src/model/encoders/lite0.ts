/**
 * EfficientNet-Lite0 up to its last inverted-residual stage (github.com/tensorflow/tpu, efficientnet/lite). Without batch
 * normalisation: it is folded when the ImageNet weights are imported (imagenet.ts). Padding is TensorFlow's 'same', with
 * which those weights were trained.
 */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import type { NetworkBuilder } from '../layers';
import type { Encoder } from './index';

/** One inverted-residual block: expand 1x1, depthwise kxk, project 1x1. */
export interface Lite0Block {
  readonly name: string;
  readonly kernel: 3 | 5;
  readonly stride: 1 | 2;
  readonly expansion: 1 | 6;
  readonly inputs: number;
  readonly outputs: number;
}

const stages = [
  { repeats: 1, kernel: 3, stride: 1, expansion: 1, outputs: 16 },
  { repeats: 2, kernel: 3, stride: 2, expansion: 6, outputs: 24 },
  { repeats: 2, kernel: 5, stride: 2, expansion: 6, outputs: 40 },
  { repeats: 3, kernel: 3, stride: 2, expansion: 6, outputs: 80 },
  { repeats: 3, kernel: 5, stride: 1, expansion: 6, outputs: 112 },
  { repeats: 4, kernel: 5, stride: 2, expansion: 6, outputs: 192 },
  { repeats: 1, kernel: 3, stride: 1, expansion: 6, outputs: 320 },
] as const;

export const lite0StemChannels = 32;

/** The sixteen blocks in order, `encoder/block0` to `encoder/block15`. */
export const lite0Blocks: readonly Lite0Block[] = (() => {
  const blocks: Lite0Block[] = [];
  let inputs = lite0StemChannels;
  for (const { repeats, kernel, stride, expansion, outputs } of stages) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const name = `encoder/block${blocks.length}`;
      blocks.push({ name, kernel, stride: repeat === 0 ? stride : 1, expansion, inputs, outputs });
      inputs = outputs;
    }
  }
  return blocks;
})();

/** Index of the last block at strides 2, 4, 8, 16 and 32. */
const taps = [0, 2, 4, 10, 15];

function build(builder: NetworkBuilder, image: tf.SymbolicTensor): tf.SymbolicTensor[] {
  let x = builder.conv(image, 'encoder/stem', lite0StemChannels, { kernel: 3, stride: 2, activation: 'relu6' });
  const outputs: tf.SymbolicTensor[] = [];
  for (const block of lite0Blocks) {
    const entry = x;
    const residual = block.stride === 1 && block.inputs === block.outputs;
    if (block.expansion > 1) {
      const filters = block.inputs * block.expansion;
      x = builder.conv(x, `${block.name}/expand`, filters, { kernel: 1, activation: 'relu6' });
    }
    x = builder.depthwise(x, `${block.name}/depthwise`, {
      kernel: block.kernel,
      stride: block.stride,
      activation: 'relu6',
    });
    x = builder.conv(x, `${block.name}/project`, block.outputs, { kernel: 1, gain: residual ? 0.5 : 1 });
    if (residual) x = builder.add([x, entry], `${block.name}/add`);
    outputs.push(x);
  }
  return taps.map((index) => outputs[index]);
}

export const lite0: Encoder = {
  channels: [16, 24, 40, 112, 320],
  // (x * 255 - 127) / 128, as in the weights' own training
  normalisation: { scale: 255 / 128, offset: -127 / 128 },
  build,
};
