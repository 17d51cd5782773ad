/** Where in its recipe a step is, and what that means for the learning rate and for what is trained. */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import type { TrainedNetwork } from './networks/trainedNetwork';
import type { Recipe, Stage } from './recipe';

/** The stage of a step counted over all stages, from 0; undefined after the last. */
export function stageAt(recipe: Recipe, step: number): { stage: Stage; stepInStage: number } | undefined {
  let first = 0;
  for (const stage of recipe.stages) {
    if (step < first + stage.steps) return { stage, stepInStage: step - first };
    first += stage.steps;
  }
  return undefined;
}

export function totalSteps(recipe: Recipe): number {
  return recipe.stages.reduce((sum, stage) => sum + stage.steps, 0);
}

/** Learning rate along a half cosine from the stage's first to its last step. */
export function learningRate(stage: Stage, stepInStage: number): number {
  const last = stage.final_learning_rate ?? stage.learning_rate;
  const progress = stepInStage / stage.steps;
  return last + 0.5 * (stage.learning_rate - last) * (1 + Math.cos(Math.PI * progress));
}

/** A variable's share of the learning rate: the stage's encoder_rate for an encoder's. */
export function rateFactor(stage: Stage, name: string): number {
  return /(^|\/)encoder\//.test(name) ? stage.encoder_rate : 1;
}

/** The variables a stage trains: all but those under a frozen prefix. Backpropagation stops where nothing below it is trained. */
export function trainedVariables(network: TrainedNetwork, stage: Stage): tf.Variable[] {
  const named = [...network.namedVariables()];
  return named
    .filter(([name]) => !stage.frozen.some((prefix) => name.startsWith(prefix)))
    .map(([, variable]) => variable);
}
