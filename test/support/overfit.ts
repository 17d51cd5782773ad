/** Training steps without a run folder around them, for tests of what a network comes to on a few samples. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { BatchSource } from '../../src/training/batches/batchSource';
import type { TrainedNetwork } from '../../src/training/networks/trainedNetwork';
import { defaultAdam, FlatAdam } from '../../src/training/optimizer';
import { Random } from '../../src/training/random';
import type { Recipe, Stage } from '../../src/training/recipe';
import { finalLossWeights, learningRate, rateFactor, trainedVariables } from '../../src/training/schedule';
import { computeStep } from '../../src/training/step';

export interface Overfitting {
  /** The learning rate falls over these. */
  steps: number;
  /** Ends early, once the last three losses are below this share of the first on average. */
  share?: number;
}

/** @returns the loss of every step; the network has its trained weights, not their average */
export function overfit(
  network: TrainedNetwork,
  source: BatchSource,
  stage: Stage,
  { clip_norm: clipNorm, weight_decay: weightDecay }: Recipe['optimizer'],
  { steps, share = 0 }: Overfitting,
): number[] {
  const adam = new FlatAdam(network.namedVariables(), { ...defaultAdam, clipNorm, weightDecay });
  const variables = trainedVariables(network, stage);
  // Losses of different steps are compared, so their weights must not move.
  const settings = { ...stage, losses: finalLossWeights(stage) };
  const random = new Random(1);
  const losses: number[] = [];
  while (losses.length < steps && !(losses.length > 3 && meanOfLast(losses) < share * losses[0])) {
    const batch = source.next(stage.batch_size, stage.height, stage.width);
    const { loss, gradients } = computeStep(network, variables, batch, settings, random);
    const rate = learningRate({ ...stage, steps }, losses.length);
    adam.apply(gradients, (name) => rate * rateFactor(stage, name));
    tf.dispose(gradients);
    losses.push(loss);
  }
  return losses;
}

/** Of three. */
export function meanOfLast(losses: readonly number[]): number {
  return losses.slice(-3).reduce((sum, loss) => sum + loss, 0) / 3;
}
