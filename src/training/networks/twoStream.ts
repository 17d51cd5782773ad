/** The two-stream network (src/model/networks/twoStream.ts). */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import { z } from 'zod';
import { TwoStreamNetwork } from '../../model/networks/twoStream';
import { photometricPoses } from '../alignBatch';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';
import { neighbourPoses, networkFrame } from './frames';
import { startFromImageNet } from './imageNetStart';
import { networkKind, sizeShape, type DepthEstimate, type ForwardPass, type TrainedNetwork } from './trainedNetwork';

const schema = z.strictObject({
  kind: z.literal('two_stream'),
  encoder: z.enum(['lite0', 'dispnet', 'resnet18']),
  /** Start both encoders from ImageNet weights where there are any. */
  pretrained: z.boolean().default(true),
  ...sizeShape,
});

class TrainedTwoStream implements TrainedNetwork {
  constructor(private readonly network: TwoStreamNetwork) {}

  namedVariables(): Map<string, tf.Variable> {
    return this.network.namedVariables();
  }

  namedStatistics(): Map<string, tf.Variable> {
    return new Map();
  }

  forward(batch: TrainingBatch, { alignPoses }: ForwardPass): TrainingOutputs {
    const { poseFeatures, ...depth } = this.network.estimate(networkFrame(batch, 1));
    const poses = neighbourPoses(this.network, batch, poseFeatures);
    return { ...depth, ...photometricPoses(batch, depth.fused, poses, alignPoses) };
  }

  estimate(images: tf.Tensor4D): DepthEstimate {
    return this.network.estimate(images);
  }

  get graph(): TwoStreamNetwork {
    return this.network;
  }

  dispose(): void {
    this.network.dispose();
  }
}

export const twoStream = networkKind(schema, ({ encoder, pretrained, height, width }, { seed, images }) => {
  const network = new TwoStreamNetwork({ encoder, seed });
  if (pretrained && encoder === 'lite0' && images) startFromImageNet(network.encoders, images, height, width);
  return new TrainedTwoStream(network);
});
