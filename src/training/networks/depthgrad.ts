/** depthgrad's own network (src/model/network.ts). */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import { z } from 'zod';
import { fuse } from '../../model/fusion';
import { DepthNetwork, poseFeatureIndex } from '../../model/network';
import { photometricPoses } from '../alignBatch';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';
import { neighbourPoses, networkFrame } from './frames';
import { startFromImageNet } from './imageNetStart';
import { networkKind, sizeShape, type DepthEstimate, type ForwardPass, type TrainedNetwork } from './trainedNetwork';

const schema = z.strictObject({
  kind: z.literal('depthgrad'),
  encoder: z.enum(['lite0', 'dispnet', 'resnet18']),
  /** Start the encoder from ImageNet weights where there are any. */
  pretrained: z.boolean().default(true),
  ...sizeShape,
  fusion_lambda: z.number().positive().default(0.1),
});

export class TrainedDepthgrad implements TrainedNetwork {
  constructor(readonly network: DepthNetwork) {}

  namedVariables(): Map<string, tf.Variable> {
    return this.network.namedVariables();
  }

  namedStatistics(): Map<string, tf.Variable> {
    return new Map();
  }

  forward(batch: TrainingBatch, { alignPoses }: ForwardPass): TrainingOutputs {
    const features = this.network.encode(networkFrame(batch, 1));
    const poses = neighbourPoses(this.network, batch, features[poseFeatureIndex]);
    const depth = this.#decode(features);
    return { ...depth, ...photometricPoses(batch, depth.fused, poses, alignPoses) };
  }

  estimate(images: tf.Tensor4D): DepthEstimate {
    return this.#decode(this.network.encode(images));
  }

  get graph(): DepthNetwork {
    return this.network;
  }

  dispose(): void {
    this.network.dispose();
  }

  #decode(features: tf.Tensor4D[]): DepthEstimate {
    const { logDisparity, gradient } = this.network.decode(features);
    return { logDisparity, gradient, fused: fuse(logDisparity, gradient, this.network.config.fusionLambda) };
  }
}

export const depthgrad = networkKind(schema, (settings, { seed, images }) => {
  const { encoder, height, width, fusion_lambda: fusionLambda, pretrained } = settings;
  const network = DepthNetwork.create({ encoder, height, width, seed, fusionLambda });
  if (pretrained && encoder === 'lite0' && images)
    startFromImageNet([{ model: network.encoder, variables: network.namedVariables() }], images, height, width);
  return new TrainedDepthgrad(network);
});
