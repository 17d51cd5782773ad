/** The network a recipe starts from. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { standardiseLite0 } from '../model/encoders/standardise';
import { loadImageNetEncoder } from '../model/imagenet';
import { DepthNetwork } from '../model/network';
import type { BatchSource } from './batches/batchSource';
import type { Recipe } from './recipe';

/** Images the stage statistics are measured on. */
const STATISTICS_BATCH = 8;

/** @param images any of the recipe's data sets, to measure the pretrained encoder's stages on */
export function createNetwork(recipe: Recipe, images: BatchSource): DepthNetwork {
  const { encoder, height, width, fusion_lambda: fusionLambda, pretrained } = recipe.network;
  const network = DepthNetwork.create({ encoder, height, width, seed: recipe.seed, fusionLambda });
  if (pretrained && encoder === 'lite0') {
    loadImageNetEncoder(network);
    const { target } = images.next(STATISTICS_BATCH, height, width);
    tf.tidy(() => standardiseLite0(network, tf.tensor4d(target, [STATISTICS_BATCH, height, width, 3])));
  }
  return network;
}
