/** monodepth, which learns depth from rectified pairs (src/model/networks/monodepth.ts). */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { z } from 'zod';
import { MonodepthNetwork } from '../../model/networks/monodepth';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';
import { logDisparityOfStereo } from '../losses/stereo';
import { networkFrame } from './frames';
import { startFromImageNet } from './imageNetStart';
import { networkKind, sizeShape, type DepthEstimate, type TrainedNetwork } from './trainedNetwork';

const schema = z.strictObject({
  kind: z.literal('monodepth'),
  encoder: z.enum(['lite0', 'dispnet', 'resnet18']).default('lite0'),
  /** Start the encoder from ImageNet weights where there are any. */
  pretrained: z.boolean().default(true),
  /** Factor on the decoder's channel counts; 1 is the paper's. */
  decoder_factor: z.number().positive().default(1),
  ...sizeShape,
});

/** The left image's finest disparity, in widths of the image. */
function leftDisparity([finest]: tf.Tensor4D[]): tf.Tensor4D {
  return tf.slice(finest, [0, 0, 0, 0], [-1, -1, -1, 1]);
}

class TrainedMonodepth implements TrainedNetwork {
  constructor(private readonly network: MonodepthNetwork) {}

  namedVariables(): Map<string, tf.Variable> {
    return this.network.namedVariables();
  }

  namedStatistics(): Map<string, tf.Variable> {
    return new Map();
  }

  /** Depth is metric where the batch has the pair's baseline, else as `estimate` has it. */
  forward(batch: TrainingBatch): TrainingOutputs {
    const stereoDisparities = this.network.estimate(networkFrame(batch, 1));
    const left = leftDisparity(stereoDisparities);
    const { stereo } = batch;
    const logDisparity = stereo ? logDisparityOfStereo(left, { ...batch, stereo }) : (tf.log(left) as tf.Tensor4D);
    return { logDisparity, fused: logDisparity, stereoDisparities };
  }

  /**
   * ln of the disparity in widths of the image: depth in units of fx / width * baseline, the same for all images of one camera. An image
   * alone says no more.
   */
  estimate(images: tf.Tensor4D): DepthEstimate {
    const logDisparity = tf.log(leftDisparity(this.network.estimate(images))) as tf.Tensor4D;
    return { logDisparity, fused: logDisparity };
  }

  get graph(): MonodepthNetwork {
    return this.network;
  }

  dispose(): void {
    this.network.dispose();
  }
}

export const monodepth = networkKind(schema, (settings, { seed, images }) => {
  const { encoder, pretrained, decoder_factor: decoderFactor, height, width } = settings;
  const network = new MonodepthNetwork({ encoder, seed, decoderFactor });
  if (pretrained && encoder === 'lite0' && images) startFromImageNet([network.encoder], images, height, width);
  return new TrainedMonodepth(network);
});
