/** `depthgrad train RECIPE`: opens the recipe's data, builds the network, trains. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import { resolveFile } from '../paths';
import { openDataSets } from './data';
import { createNetwork } from './networkStart';
import { Random } from './random';
import { readRecipe } from './recipe';
import { RECIPE_FILE, train } from './trainer';

interface TrainFlags {
  out?: string;
  maxMinutes?: string;
}

export function registerTrain(program: Command): void {
  program
    .command('train')
    .description('train a model by a recipe; goes on from the run folder’s checkpoint where there is one')
    .argument('<recipe>', 'YAML file, e.g. config/recipes/default.yaml')
    .option('--out <dir>', 'run folder: checkpoint, log.jsonl, TensorBoard (default runs/<recipe>)')
    .option('--max-minutes <n>', 'stop with a checkpoint after this time; the same command goes on')
    .action(async (recipePath: string, flags: TrainFlags) => {
      const path = resolveFile(recipePath);
      const recipe = readRecipe(path);
      const out = flags.out ?? join('runs', basename(path, extname(path)));
      const random = new Random(recipe.seed);
      const sources = await openDataSets(recipe, random);
      const images = sources.drives ?? sources.synthetic;
      if (!images) throw new Error(`recipe ${path} uses no data set`);
      const network = createNetwork(recipe, images);
      mkdirSync(out, { recursive: true });
      copyFileSync(path, join(out, RECIPE_FILE));
      const position = await train(recipe, network, sources, random, {
        out,
        maxSeconds: flags.maxMinutes === undefined ? undefined : 60 * Number(flags.maxMinutes),
      });
      console.log(
        `${position.step} steps in ${(position.seconds / 60).toFixed(1)} min; next: npx depthgrad export ${out} --out model.onnx`,
      );
    });
}
