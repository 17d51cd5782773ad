/** `depthgrad train RECIPE`: opens the recipe's data, builds the network, trains. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { resolveFile } from '../paths';
import { openDataSets } from './data';
import { createNetwork } from './networkStart';
import { Random } from './random';
import { readRecipe, withDrives } from './recipe';
import { writeRunCamera } from './runCamera';
import { RECIPE_FILE, train } from './trainer';

interface TrainFlags {
  drives?: string[];
  out?: string;
  maxMinutes?: string;
}

export function registerTrain(program: Command): void {
  program
    .command('train')
    .description('train a model by a recipe; goes on from the run folder’s checkpoint where there is one')
    .argument('<recipe>', 'YAML file, e.g. config/recipes/default.yaml')
    .option('--out <dir>', 'run folder: checkpoint, log.jsonl, TensorBoard (default runs/<recipe>)')
    .option('--drives <recordings...>', 'train on these recordings in place of the recipe’s')
    .option('--max-minutes <n>', 'stop with a checkpoint after this time; the same command goes on')
    .action(async (recipePath: string, flags: TrainFlags) => {
      const path = resolveFile(recipePath);
      // Found from anywhere, not from here alone: the run folder keeps them.
      const drives = flags.drives?.map((drive) => resolve(resolveFile(drive)));
      const recipe = readRecipe(path, drives);
      const out = flags.out ?? join('runs', basename(path, extname(path)));
      const random = new Random(recipe.seed);
      const sources = await openDataSets(recipe, random);
      const images = sources.drives ?? sources.synthetic;
      if (!images) throw new Error(`recipe ${path} uses no data set`);
      const network = createNetwork(recipe, images);
      mkdirSync(out, { recursive: true });
      const text = readFileSync(path, 'utf8');
      writeFileSync(join(out, RECIPE_FILE), drives ? withDrives(text, drives) : text);
      await writeRunCamera(recipe, out);
      const position = await train(recipe, network, sources, random, {
        out,
        maxSeconds: flags.maxMinutes === undefined ? undefined : 60 * Number(flags.maxMinutes),
      });
      console.log(
        `${position.step} steps in ${(position.seconds / 60).toFixed(1)} min; next: npx depthgrad export ${out} --out model.onnx`,
      );
    });
}
