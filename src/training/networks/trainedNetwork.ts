/** What the trainer, the validation and the evaluation need of a network. A network is one file beside this and one line in index.ts. */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import { z } from 'zod';
import type { UniformSource } from '../../model/networks/estimator';
import type { GraphSource } from '../../model/onnx/networkGraph';
import type { BatchSource } from '../batches/batchSource';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';

/** How a batch is run forward. */
export interface ForwardPass {
  /** Whether the photometric losses get the pose head's answers refined by direct alignment, or the answers themselves. */
  alignPoses: boolean;
  /**
   * Given while training: batch statistics, and dropout drawn from it. Left out: running statistics and no dropout, as `estimate` has it.
   */
  random?: UniformSource;
}

/** Log-disparity ln(1/Z) [b,h,w,1] of the depth head and of the fusion (the same where there is none), gradient [b,h,w,2]. */
export type DepthEstimate = Pick<TrainingOutputs, 'logDisparity' | 'gradient' | 'fused'>;

export interface TrainedNetwork {
  /** What training changes, by stable name. An encoder's are `encoder/..` or `../encoder/..`: recipes give them a rate of their own. */
  namedVariables(): Map<string, tf.Variable>;
  /** What forward passes of training change: running means and variances of batch normalisation. Part of a checkpoint. */
  namedStatistics(): Map<string, tf.Variable>;
  /** @throws Error when the batch has not the size the network is made for */
  forward(batch: TrainingBatch, pass: ForwardPass): TrainingOutputs;
  /** @param images rgb in 0..1, [b,h,w,3] */
  estimate(images: tf.Tensor4D): DepthEstimate;
  /** What `depthgrad export` writes; a network without it is refused there. */
  readonly graph?: GraphSource;
  dispose(): void;
}

export interface NetworkStart {
  /** Of the starting weights. */
  seed: number;
  /** Any of the recipe's data sets, where a pretrained encoder is to be loaded and measured. Left out where weights come from a checkpoint. */
  images?: BatchSource;
}

/** A network that a recipe can name, with its options. */
export interface NetworkKind<Schema extends z.ZodObject> {
  readonly schema: Schema;
  create(settings: z.infer<Schema>, start: NetworkStart): TrainedNetwork;
}

/** Ties an adapter's options to what makes it of them. */
export function networkKind<Schema extends z.ZodObject>(
  schema: Schema,
  create: NetworkKind<Schema>['create'],
): NetworkKind<Schema> {
  return { schema, create };
}

/** The size that the network is evaluated and exported at. */
export const sizeShape = {
  height: z.int().positive().multipleOf(32).default(128),
  width: z.int().positive().multipleOf(32).default(416),
};
