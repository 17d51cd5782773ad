/** Where in its recipe a step is, and what that means for the learning rate, the losses' weights and what is trained. */
import type * as tf from '@tensorflow/tfjs-node-gpu';
import type { TrainedNetwork } from './networks/trainedNetwork';
import type { LossWeight, Recipe, Stage } from './recipe';

/** A step, counted from 0, of a stage. */
export interface StageStep {
  stage: Stage;
  stepInStage: number;
}

/** The stage of a step counted over all stages, from 0; undefined after the last. */
export function stageAt(recipe: Recipe, step: number): StageStep | undefined {
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

/** On a straight line between the schedule's steps, constant before and after them. */
function weightAt(weight: LossWeight, stage: Pick<Stage, 'steps'>, stepInStage: number): number {
  if (typeof weight === 'number') return weight;
  const { from, to, start, end = stage.steps - 1 } = weight;
  if (stepInStage >= end) return to;
  return from + ((to - from) * Math.max(0, stepInStage - start)) / (end - start);
}

/** Weights of a stage's loss terms at one of its steps, counted from 0; without the terms that it switches off by a 0. */
export function lossWeights(stage: Pick<Stage, 'steps' | 'losses'>, stepInStage: number): Record<string, number> {
  const used = Object.entries(stage.losses).filter(([, weight]) => weight !== 0);
  return Object.fromEntries(used.map(([name, weight]) => [name, weightAt(weight, stage, stepInStage)]));
}

/** The weights that a stage ends with: what it trains for. */
export function finalLossWeights(stage: Pick<Stage, 'steps' | 'losses'>): Record<string, number> {
  return lossWeights(stage, stage.steps);
}

/** Whether a term's weight moves, so that a curve of it says something. */
export function isScheduled(weight: LossWeight): boolean {
  return typeof weight !== 'number';
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
