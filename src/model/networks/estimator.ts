/** What the networks of the source texts other than depthgrad's own (network.ts) have in common. */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import type { GraphSource } from '../onnx/networkGraph';

/** Uniform numbers in [0, 1) for dropout; a generator whose state a checkpoint holds makes a resumed run repeat itself. */
export interface UniformSource {
  uniform(): number;
}

/** A network that learns depth from single images. */
export interface DepthEstimator extends GraphSource {
  /** What training changes, by stable name. */
  namedVariables(): Map<string, tf.Variable>;
  /** Running means and variances of batch normalisation: part of the weights, not trained. Empty where there is none. */
  namedStatistics(): Map<string, tf.Variable>;
  /**
   * @param images rgb in 0..1, [b,h,w,3]
   * @param training given while training: batch statistics and dropout are used; left out: running statistics, no dropout
   * @returns ln(1/Z) [b,h,w,1]
   */
  estimate(images: tf.Tensor4D, training?: UniformSource): tf.Tensor4D;
  /** The same at the network's own resolution, before it is enlarged to the image's, [b,h/s,w/s,1]. */
  estimateCoarse(images: tf.Tensor4D, training?: UniformSource): tf.Tensor4D;
  dispose(): void;
}

/** Splits trained variables from batch normalisation's running statistics. */
export function splitStatistics(variables: ReadonlyMap<string, tf.Variable>): {
  trained: Map<string, tf.Variable>;
  statistics: Map<string, tf.Variable>;
} {
  const isStatistic = (name: string): boolean => name.endsWith('/moving_mean') || name.endsWith('/moving_variance');
  const entries = [...variables];
  return {
    trained: new Map(entries.filter(([name]) => !isStatistic(name))),
    statistics: new Map(entries.filter(([name]) => isStatistic(name))),
  };
}
