/** One picture of what the network makes of a batch's first sample: camera above log-disparity (near is bright). */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { tidied } from '../model/tidied';
import type { TrainingBatch } from './losses/loss';
import type { TrainedNetwork } from './networks/trainedNetwork';

export interface Picture {
  /** rgb8 [height, width, 3] */
  rgb: Uint8Array;
  height: number;
  width: number;
}

export function depthPreview(network: TrainedNetwork, batch: TrainingBatch): Picture {
  const { height, width } = batch;
  const target = batch.size * height * width * 3; // the frames lie one after the other: previous, target, next
  const image = batch.networkImages.subarray(target, target + height * width * 3);
  const fused = tidied(() => network.estimate(tf.tensor4d(image, [1, height, width, 3])).fused.dataSync<'float32'>());
  const rgb = new Uint8Array(2 * height * width * 3);
  for (let i = 0; i < height * width * 3; i++) rgb[i] = 255 * batch.target[i];
  const [low, high] = [Math.log(1 / 100), Math.log(1 / 2)];
  for (let i = 0; i < height * width; i++) {
    const level = 255 * Math.min(1, Math.max(0, (fused[i] - low) / (high - low)));
    rgb.fill(level, 3 * (height * width + i), 3 * (height * width + i) + 3);
  }
  return { rgb, height: 2 * height, width };
}
