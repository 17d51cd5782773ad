/** The network of a finished or interrupted run, with its averaged weights. */
import { join } from 'node:path';
import { restoreAverages, type RunPosition } from './checkpoint';
import { createNetwork } from './networks';
import type { TrainedNetwork } from './networks/trainedNetwork';
import { readRecipe, type Recipe } from './recipe';
import { BEST_FILE, CHECKPOINT_FILE, RECIPE_FILE } from './runFolder';

export interface TrainedRun {
  recipe: Recipe;
  network: TrainedNetwork;
  position: RunPosition;
}

/**
 * @param best the checkpoint with the lowest validation figure in place of the last one
 * @throws Error naming the recipe or checkpoint that is missing, damaged or of another network
 */
export function openRun(run: string, best = false): TrainedRun {
  const recipe = readRecipe(join(run, RECIPE_FILE));
  const network = createNetwork(recipe.network, { seed: recipe.seed });
  const position = restoreAverages(join(run, best ? BEST_FILE : CHECKPOINT_FILE), network);
  return { recipe, network, position };
}
