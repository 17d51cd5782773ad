/** The ImageNet start of EfficientNet-Lite0 encoders, wherever in a network they are. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { standardiseLite0 } from '../../model/encoders/standardise';
import { loadImageNetEncoder } from '../../model/imagenet';
import type { BatchSource } from '../batches/batchSource';

/** Images the stage statistics are measured on. */
const STATISTICS_BATCH = 8;

/** A model of images with the encoder's layers in it, and the encoder's variables as `encoder/..`. */
export interface PretrainedPart {
  model: tf.LayersModel;
  variables: ReadonlyMap<string, tf.Variable>;
}

/** @throws Error naming the weights' file when it is missing */
export function startFromImageNet(
  parts: readonly PretrainedPart[],
  images: BatchSource,
  height: number,
  width: number,
): void {
  const { target } = images.next(STATISTICS_BATCH, height, width);
  for (const { model, variables } of parts) {
    loadImageNetEncoder('lite0', variables);
    tf.tidy(() => standardiseLite0(model, variables, tf.tensor4d(target, [STATISTICS_BATCH, height, width, 3])));
  }
}
