/** SfMLearner, and CH-001's gradient multi-task network on its frame (src/model/networks/sfmlearner.ts). */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { z } from 'zod';
import { SfmLearnerNetwork, type SfmLearnerDepth } from '../../model/networks/sfmlearner';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';
import { networkFrame } from './frames';
import { networkKind, sizeShape, type DepthEstimate, type ForwardPass, type TrainedNetwork } from './trainedNetwork';

const schema = z.strictObject({
  kind: z.literal('sfmlearner'),
  ...sizeShape,
  /** Factor on all channel counts; 1 is the paper's. */
  width_factor: z.number().positive().default(1),
  /** CH-001's common gradient decoder with an x and a y head. */
  gradient_decoder: z.boolean().default(false),
  /** What the losses make it estimate: CH-001's edge filter of depth in metres, or forward differences of log-disparity. */
  gradient_of: z.enum(['depth', 'log_disparity']).default('depth'),
  /** Metres in the unit of the paper's ranges of depth and translation; 1 is the paper's. */
  unit: z.number().positive().default(1),
});

function asEstimate({ disparities, gradient }: SfmLearnerDepth): DepthEstimate {
  const logDisparity = tf.log(disparities[0]) as tf.Tensor4D;
  return { logDisparity, gradient, fused: logDisparity };
}

class TrainedSfmLearner implements TrainedNetwork {
  constructor(private readonly network: SfmLearnerNetwork) {}

  namedVariables(): Map<string, tf.Variable> {
    return this.network.namedVariables();
  }

  namedStatistics(): Map<string, tf.Variable> {
    return new Map();
  }

  /** A batch without a next frame has depth alone: the pose network looks at all three frames. */
  forward(batch: TrainingBatch, { alignPoses }: ForwardPass): TrainingOutputs {
    const target = networkFrame(batch, 1);
    if (!batch.next) return this.estimate(target);
    if (alignPoses)
      throw new Error('the network sfmlearner trains on its own poses: set align_poses: false in every stage');
    const own = this.network.estimate(target, networkFrame(batch, 0), networkFrame(batch, 2));
    const { poseFromPrevious, poseToNext } = own;
    return { ...own, ...asEstimate(own), aligned: { poseFromPrevious, poseToNext, refined: false } };
  }

  estimate(images: tf.Tensor4D): DepthEstimate {
    return asEstimate(this.network.estimateDepth(images));
  }

  get graph(): SfmLearnerNetwork {
    return this.network;
  }

  dispose(): void {
    this.network.dispose();
  }
}

export const sfmlearner = networkKind(
  schema,
  ({ width_factor: widthFactor, gradient_decoder: gradientDecoder, gradient_of: gradientOf, unit }, { seed }) =>
    new TrainedSfmLearner(new SfmLearnerNetwork({ seed, widthFactor, gradientDecoder, gradientOf, unit })),
);
