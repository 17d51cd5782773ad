/**
 * ResNet-18 (He et al. 2015) without batch normalisation. In its place, as in Fixup (Zhang et al. 2019), the last
 * convolution of each residual branch starts small, so that the signal's size does not grow with depth. Starts from
 * random weights: no permissively licensed ImageNet weights for it are known in the package registries.
 */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import type { NetworkBuilder } from '../layers';
import type { Encoder } from './index';

const stageChannels = [64, 128, 256, 512] as const;
const blocksPerStage = 2;
const branchGain = 1 / Math.sqrt(stageChannels.length * blocksPerStage);

function build(builder: NetworkBuilder, image: tf.SymbolicTensor): tf.SymbolicTensor[] {
  const stem = builder.conv(image, 'encoder/stem', 64, { kernel: 7, stride: 2, activation: 'relu' });
  const outputs = [stem];
  let x = builder.maxPool(stem, 'encoder/pool');
  stageChannels.forEach((channels, stage) => {
    for (let block = 0; block < blocksPerStage; block++) {
      const name = `encoder/stage${stage + 1}/block${block + 1}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const shortcut = stride === 2 ? builder.conv(x, `${name}/shortcut`, channels, { kernel: 1, stride }) : x;
      let branch = builder.conv(x, `${name}/conv1`, channels, { kernel: 3, stride, activation: 'relu' });
      branch = builder.conv(branch, `${name}/conv2`, channels, { kernel: 3, gain: branchGain });
      x = builder.relu(builder.add([branch, shortcut], `${name}/add`), `${name}/relu`);
    }
    outputs.push(x);
  });
  return outputs;
}

export const resnet18: Encoder = {
  channels: [64, 64, 128, 256, 512],
  normalisation: { scale: 4, offset: -2 },
  build,
};
