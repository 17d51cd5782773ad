/** The network of a finished or interrupted run, with its averaged weights. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { restoreAverages, type RunPosition } from './checkpoint';
import { createNetwork } from './networks';
import type { TrainedNetwork } from './networks/trainedNetwork';
import { readRecipe, type Recipe } from './recipe';
import { BEST_FILE, CHECKPOINT_FILE, runRecipe } from './runFolder';

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
  const checkpoint = join(run, best ? BEST_FILE : CHECKPOINT_FILE);
  const recipe = readRecipe(runRecipe(run));
  if (!existsSync(checkpoint)) {
    const why = best ? 'no validation chose one, so leave --best out' : 'train it further with depthgrad train';
    throw new Error(`${run} has no ${basename(checkpoint)}: ${why}`);
  }
  const network = createNetwork(recipe.network, { seed: recipe.seed });
  const position = restoreAverages(checkpoint, network);
  return { recipe, network, position };
}
