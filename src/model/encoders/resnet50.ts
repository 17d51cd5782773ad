/**
 * ResNet-50 (He et al. 2015) without batch normalisation, as resnet18.ts: the last convolution of each bottleneck starts small. Weights
 * with folded batch normalisation fit into it. Used by the CNN-residual network; too slow for depthgrad's own on a CPU.
 */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import type { NetworkBuilder } from '../layers';
import type { Encoder } from './index';

const blocksPerStage = [3, 4, 6, 3] as const;
const stageChannels = [256, 512, 1024, 2048] as const;
const branchGain = 1 / Math.sqrt(blocksPerStage.reduce((sum, n) => sum + n, 0));

function build(builder: NetworkBuilder, image: tf.SymbolicTensor): tf.SymbolicTensor[] {
  const stem = builder.conv(image, 'encoder/stem', 64, { kernel: 7, stride: 2, activation: 'relu' });
  const outputs = [stem];
  let x = builder.maxPool(stem, 'encoder/pool');
  blocksPerStage.forEach((blocks, stage) => {
    const channels = stageChannels[stage];
    for (let block = 0; block < blocks; block++) {
      const name = `encoder/stage${stage + 1}/block${block + 1}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const shortcut = block === 0 ? builder.conv(x, `${name}/shortcut`, channels, { kernel: 1, stride }) : x;
      let branch = builder.conv(x, `${name}/conv1`, channels / 4, { kernel: 1, activation: 'relu' });
      branch = builder.conv(branch, `${name}/conv2`, channels / 4, { kernel: 3, stride, activation: 'relu' });
      branch = builder.conv(branch, `${name}/conv3`, channels, { kernel: 1, gain: branchGain });
      x = builder.relu(builder.add([branch, shortcut], `${name}/add`), `${name}/relu`);
    }
    outputs.push(x);
  });
  return outputs;
}

export const resnet50: Encoder = {
  channels: [64, 256, 512, 1024, 2048],
  normalisation: { scale: 4, offset: -2 },
  build,
};
