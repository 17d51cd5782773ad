/** depthgrad's own network (src/model/network.ts). */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import { z } from 'zod';
import { fuse } from '../../model/fusion';
import { DepthNetwork, poseFeatureIndex } from '../../model/network';
import { photometricPoses } from '../alignBatch';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';
import { AuxiliaryHeads, auxiliarySchema } from './auxiliaryHeads';
import { neighbourPoses, networkFrame } from './frames';
import { FrozenEncoder } from './frozenEncoder';
import { startFromImageNet } from './imageNetStart';
import { networkKind, sizeShape, type DepthEstimate, type ForwardPass, type TrainedNetwork } from './trainedNetwork';

const schema = z.strictObject({
  kind: z.literal('depthgrad'),
  encoder: z.enum(['lite0', 'dispnet', 'resnet18']),
  /** Start the encoder from ImageNet weights where there are any. */
  pretrained: z.boolean().default(true),
  ...sizeShape,
  fusion_lambda: z.number().positive().default(0.1),
  auxiliary: auxiliarySchema,
  /** Keep a copy of the encoder as it starts, for the loss feature_alignment. */
  frozen_encoder: z.boolean().default(false),
});

/** What training has beside the deployed network. */
interface TrainingParts {
  /** Heads its features are trained by besides. */
  auxiliary?: AuxiliaryHeads;
  /** The encoder as it started, where its features are to be kept to. */
  frozen?: FrozenEncoder;
}

export class TrainedDepthgrad implements TrainedNetwork {
  /** @param network what is deployed */
  constructor(
    readonly network: DepthNetwork,
    private readonly parts: TrainingParts = {},
  ) {}

  namedVariables(): Map<string, tf.Variable> {
    return new Map([...this.network.namedVariables(), ...(this.parts.auxiliary?.variables ?? [])]);
  }

  namedStatistics(): Map<string, tf.Variable> {
    return new Map();
  }

  forward(batch: TrainingBatch, { alignPoses }: ForwardPass): TrainingOutputs {
    const features = this.network.encode(networkFrame(batch, 1));
    const poses = neighbourPoses(this.network, batch, features[poseFeatureIndex]);
    const { auxiliary, frozen } = this.parts;
    const { context, ...depth } = this.#decode(features);
    return {
      ...depth,
      ...auxiliary?.apply(batch, features, context),
      ...(batch.teacher && frozen?.align(features, batch)),
      ...photometricPoses(batch, depth.fused, poses, alignPoses),
    };
  }

  estimate(images: tf.Tensor4D): DepthEstimate {
    const { logDisparity, gradient, fused } = this.#decode(this.network.encode(images));
    return { logDisparity, gradient, fused };
  }

  get graph(): DepthNetwork {
    return this.network;
  }

  dispose(): void {
    this.network.dispose();
    this.parts.auxiliary?.dispose();
    this.parts.frozen?.dispose();
  }

  #decode(features: tf.Tensor4D[]): DepthEstimate & { context: tf.Tensor4D } {
    const { logDisparity, gradient, context } = this.network.decode(features);
    return { logDisparity, gradient, context, fused: fuse(logDisparity, gradient, this.network.config.fusionLambda) };
  }
}

export const depthgrad = networkKind(schema, (settings, { seed, images }) => {
  const { encoder, height, width, fusion_lambda: fusionLambda, pretrained } = settings;
  const network = DepthNetwork.create({ encoder, height, width, seed, fusionLambda });
  if (pretrained && encoder === 'lite0' && images)
    startFromImageNet([{ model: network.encoder, variables: network.namedVariables() }], images, height, width);
  return new TrainedDepthgrad(network, {
    auxiliary: new AuxiliaryHeads(network, settings.auxiliary, seed),
    frozen: settings.frozen_encoder ? new FrozenEncoder(network) : undefined,
  });
});
