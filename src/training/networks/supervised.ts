/** The networks of the CNN-residual report, which learn depth from single images (src/model/networks/convolutional.ts, residual.ts). */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { z } from 'zod';
import { ConvolutionalNetwork } from '../../model/networks/convolutional';
import type { DepthEstimator } from '../../model/networks/estimator';
import { resizeMap } from '../../model/networks/resample';
import { ResidualNetwork } from '../../model/networks/residual';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';
import { networkFrame } from './frames';
import { startFromImageNet } from './imageNetStart';
import { networkKind, sizeShape, type DepthEstimate, type ForwardPass, type TrainedNetwork } from './trainedNetwork';

const convolutionalSchema = z.strictObject({
  kind: z.enum(['eigen_coarse', 'pure_cnn', 'cnn_transpose']),
  /** The size of every stage too: these networks work at one size alone. */
  ...sizeShape,
  /** Factor on all channel counts; 1 is the report's. */
  width_factor: z.number().positive().default(1),
});

const residualSchema = z.strictObject({
  kind: z.literal('cnn_residual'),
  encoder: z.enum(['resnet50', 'lite0', 'dispnet', 'resnet18']).default('resnet50'),
  /** The report's transferred start; there are ImageNet weights for the encoder lite0. */
  pretrained: z.boolean().default(false),
  unpooling: z.enum(['zeros', 'average']).default('zeros'),
  /** Channels after the encoder, halved by each of the four up-projections. */
  decoder_channels: z.int().positive().default(1024),
  ...sizeShape,
});

class TrainedEstimator implements TrainedNetwork {
  /** @param fixedSize where the network has one */
  constructor(
    private readonly network: DepthEstimator,
    private readonly fixedSize?: { kind: string; height: number; width: number },
  ) {}

  namedVariables(): Map<string, tf.Variable> {
    return this.network.namedVariables();
  }

  namedStatistics(): Map<string, tf.Variable> {
    return this.network.namedStatistics();
  }

  forward(batch: TrainingBatch, { random }: ForwardPass): TrainingOutputs {
    const { fixedSize, network } = this;
    if (fixedSize && (batch.height !== fixedSize.height || batch.width !== fixedSize.width))
      throw new Error(
        `a network ${fixedSize.kind} of network.height ${fixedSize.height} and width ${fixedSize.width} trains at that size alone; ` +
          `a stage has ${batch.height} and ${batch.width}`,
      );
    const coarse = network.estimateCoarse(networkFrame(batch, 1), random);
    return { ...asEstimate(resizeMap(coarse, batch.height, batch.width)), coarse };
  }

  estimate(images: tf.Tensor4D): DepthEstimate {
    return asEstimate(this.network.estimate(images));
  }

  get graph(): DepthEstimator {
    return this.network;
  }

  dispose(): void {
    this.network.dispose();
  }
}

function asEstimate(logDisparity: tf.Tensor4D): DepthEstimate {
  return { logDisparity, fused: logDisparity };
}

export const convolutional = networkKind(
  convolutionalSchema,
  ({ kind, height, width, width_factor: widthFactor }, { seed }) =>
    new TrainedEstimator(new ConvolutionalNetwork({ kind, height, width, seed, widthFactor }), { kind, height, width }),
);

export const residual = networkKind(residualSchema, (settings, { seed, images }) => {
  const { encoder, unpooling, decoder_channels: decoderChannels, pretrained, height, width } = settings;
  if (pretrained && encoder !== 'lite0')
    throw new Error(`network cnn_residual: there are weights to transfer for encoder: lite0 alone, not for ${encoder}`);
  const network = new ResidualNetwork({ encoder, unpooling, seed, decoderChannels });
  if (pretrained && images) startFromImageNet([network.encoder], images, height, width);
  return new TrainedEstimator(network);
});
