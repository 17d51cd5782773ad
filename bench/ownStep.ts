import * as tf from '@tensorflow/tfjs-node-gpu';
import type { TrainingBatch } from '../src/training/losses/loss';
import type { TrainedNetwork } from '../src/training/networks/trainedNetwork';
import { defaultAdam, FlatAdam } from '../src/training/optimizer';
import { Random } from '../src/training/random';
import type { Recipe, Stage } from '../src/training/recipe';
import { trainedVariables } from '../src/training/schedule';
import { computeStep } from '../src/training/step';
import type { StepFigures } from './torchPeer';

/** A stage whose weights do not move. */
export type SteadyStage = Omit<Stage, 'losses'> & { losses: Record<string, number> };

/** depthgrad's side: what the trainer does between two batches. */
export class OwnStep {
  readonly #variables: tf.Variable[];
  readonly #adam: FlatAdam;
  readonly #random = new Random(0);

  constructor(
    private readonly network: TrainedNetwork,
    private readonly stage: SteadyStage,
    private readonly batch: TrainingBatch,
    { clip_norm: clipNorm, ema_decay: emaDecay }: Recipe['optimizer'],
  ) {
    this.#variables = trainedVariables(network, stage);
    this.#adam = new FlatAdam(network.namedVariables(), { ...defaultAdam, clipNorm, emaDecay });
  }

  figures(): StepFigures {
    const { loss, scalars, gradients } = computeStep(
      this.network,
      this.#variables,
      this.batch,
      this.stage,
      this.#random,
    );
    // A rate of 0 leaves the weights alone; the moments are those of a run's first step on either side.
    const norm = this.#adam.apply(gradients, () => 0);
    tf.dispose(gradients);
    return { loss, gradient_norm: norm, terms: scalars };
  }

  steps(count: number): number[] {
    const { learning_rate: rate, encoder_rate: encoderRate } = this.stage;
    return Array.from({ length: count }, () => {
      const start = performance.now();
      const { gradients } = computeStep(this.network, this.#variables, this.batch, this.stage, this.#random);
      this.#adam.apply(gradients, (name) => (name.startsWith('encoder/') ? rate * encoderRate : rate));
      tf.dispose(gradients);
      return performance.now() - start;
    });
  }
}
