/** One training step: forward, the stage's losses, gradients. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { native } from '../native';
import type { UniformSource } from '../model/networks/estimator';
import { checkerboard } from './checkerboard';
import { lossTerms } from './losses';
import { meetsNeeds, type LossTerm, type TrainingBatch, type TrainingOutputs } from './losses/loss';
import type { TrainedNetwork } from './networks/trainedNetwork';

export interface StepResult {
  loss: number;
  /** Unweighted value of each term, and the figures the terms report as "term/figure". */
  scalars: Record<string, number>;
  maps: Record<string, Float32Array>;
  gradients: Record<string, tf.Tensor>;
}

/** What a stage says about one of its steps. */
export interface StepSettings {
  /**
   * Weights of the loss terms by name. A scheduled weight that is 0 at this step does not take its term out: the term's curve has no gap,
   * and a batch that only this term fits ends no run.
   */
  losses: Readonly<Record<string, number>>;
  align_poses: boolean;
}

/** The stage's losses on a batch's outputs. */
interface WeightedLosses {
  total: tf.Scalar;
  scalars: Record<string, number>;
  maps: Record<string, Float32Array>;
}

function weightedLosses(
  outputs: TrainingOutputs,
  batch: TrainingBatch,
  weights: StepSettings['losses'],
  terms: ReadonlyMap<string, LossTerm>,
): WeightedLosses {
  const scalars: Record<string, number> = {};
  const maps: Record<string, Float32Array> = {};
  const parts: tf.Scalar[] = [];
  for (const [name, weight] of Object.entries(weights)) {
    const term = terms.get(name);
    if (!term) throw new Error(`no loss "${name}"`);
    if (!meetsNeeds(term, batch)) continue;
    const result = term.compute(outputs, batch);
    parts.push(tf.mul(result.value, weight) as tf.Scalar);
    scalars[name] = result.value.dataSync()[0];
    for (const [key, figure] of Object.entries(result.scalars ?? {})) scalars[`${name}/${key}`] = figure;
    Object.assign(maps, result.maps);
  }
  if (parts.length === 0) {
    const needs = Object.keys(weights).map((name) => `${name} (needs ${terms.get(name)?.needs})`);
    throw new Error(
      `none of the stage's losses fits its data: ${needs.join(', ')}. Give the stage a loss above 0 that needs nothing or what the data set of its mix has`,
    );
  }
  return { total: (parts.length === 1 ? parts[0] : tf.addN(parts)) as tf.Scalar, scalars, maps };
}

/**
 * @param settings weights of the loss terms by name; a term whose needs the batch does not meet is left out
 * @param random of the step's dropout
 * @param terms that the weights name; the adaptation has some of its own
 * @returns gradients the caller must dispose of
 */
export function computeStep(
  network: TrainedNetwork,
  variables: tf.Variable[],
  batch: TrainingBatch,
  { losses: weights, align_poses: alignPoses }: StepSettings,
  random: UniformSource,
  terms: ReadonlyMap<string, LossTerm> = lossTerms,
): StepResult {
  let losses: WeightedLosses | undefined;
  const { value, grads } = tf.variableGrads(() => {
    losses = weightedLosses(network.forward(batch, { alignPoses, random }), batch, weights, terms);
    return losses.total;
  }, variables);
  if (!losses) throw new Error('training step: the losses were not computed');
  // The fused kernels' rectifiers make 0 of NaN, so that pictures with NaN would train the network to answer to nothing.
  const readable = Number.isFinite(native.sumOfSquares(batch.networkImages));
  const loss = readable ? value.dataSync()[0] : NaN;
  value.dispose();
  return { loss, scalars: losses.scalars, maps: losses.maps, gradients: grads };
}

/**
 * The same losses without gradients, as the network is used after training: running statistics, no dropout. And `checkerboard`: that
 * pattern in the estimated log-disparity, where the map is large enough for it.
 */
export function computeLosses(
  network: TrainedNetwork,
  batch: TrainingBatch,
  { losses: weights, align_poses: alignPoses }: StepSettings,
): Pick<StepResult, 'loss' | 'scalars'> {
  return tf.tidy(() => {
    const outputs = network.forward(batch, { alignPoses });
    const { total, scalars } = weightedLosses(outputs, batch, weights, lossTerms);
    const map = outputs.coarse ?? outputs.logDisparity;
    const [size, height, width] = map.shape;
    const pattern = checkerboard(map.dataSync<'float32'>(), size, height, width);
    if (pattern !== undefined) scalars.checkerboard = pattern;
    return { loss: total.dataSync()[0], scalars };
  });
}
