/** `depthgrad train RECIPE`. */
import type { Command } from 'commander';
import { positive } from './flags';
import type { TrainFlags } from './trainRecipe';

export function registerTrain(program: Command): void {
  program
    .command('train')
    .description('train a model by a recipe; goes on from the run folder’s checkpoint where there is one')
    .argument('<recipe>', 'YAML file, e.g. config/recipes/default.yaml')
    .option('--out <dir>', 'run folder: checkpoints, log.jsonl, TensorBoard, report.html (default runs/<recipe>)')
    .option('--drives <recordings...>', 'train on these recordings in place of the recipe’s')
    .option('--measured <recordings...>', 'the same for recordings with measured depth or right images')
    .option('--unlabelled <recordings...>', 'the same for recordings that the teacher labels')
    .option('--teacher <model>', 'exported model that labels them')
    .option('--max-minutes <n>', 'stop with a checkpoint after this time; the same command goes on', positive)
    .action(async (recipePath: string, flags: TrainFlags) => {
      const { takeRecipeThreads } = await import('./recipeThreads.js');
      takeRecipeThreads(recipePath); // before TensorFlow is loaded
      const { trainRecipe } = await import('./trainRecipe.js');
      await trainRecipe(recipePath, flags);
    });
}
