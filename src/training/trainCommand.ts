/** `depthgrad train RECIPE`: opens the recipe's data, builds the network, trains, writes the report. */
import { readFileSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { writeFileAtomically } from '../model/safetensors';
import { resolveFile } from '../paths';
import { BatchesInTurn, skippingCorrupt } from './batches/batchSource';
import { openDataSets, openValidation } from './data';
import { checkCheckpoint } from './checkpoint';
import { positive } from './flags';
import { createNetwork } from './networks';
import { Random } from './random';
import { ReadAhead } from './readAhead';
import { readRecipe, withData, type GivenData, type Recipe } from './recipe';
import { writeReport } from './report/report';
import { writeRunCamera } from './runCamera';
import { CHECKPOINT_FILE, makeRunFolder, RECIPE_FILE } from './runFolder';
import { train } from './trainer';
import { Validator } from './validation';

interface TrainFlags {
  drives?: string[];
  measured?: string[];
  unlabelled?: string[];
  teacher?: string;
  out?: string;
  maxMinutes?: number;
}

async function openValidator(recipe: Recipe): Promise<Validator | undefined> {
  const random = new Random(recipe.seed);
  const source = await openValidation(recipe, random);
  return source && new Validator(recipe, source, random);
}

/** Paths found from anywhere, not from here alone: the run folder keeps them. */
function givenData({ drives, measured, unlabelled, teacher }: TrainFlags): GivenData {
  const found = (path: string): string => resolve(resolveFile(path));
  return {
    drives: drives?.map(found),
    measured: measured?.map(found),
    unlabelled: unlabelled?.map(found),
    teacher: teacher === undefined ? undefined : found(teacher),
  };
}

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
      const path = resolveFile(recipePath);
      const given = givenData(flags);
      const recipe = readRecipe(path, given);
      const out = flags.out ?? join('runs', basename(path, extname(path)));
      const random = new Random(recipe.seed);
      const dataSets = await openDataSets(recipe, random);
      const images = dataSets.drives ?? dataSets.measured ?? dataSets.unlabelled ?? dataSets.synthetic;
      if (!images) throw new Error(`recipe ${path} uses no data set`);
      const validator = await openValidator(recipe);
      const readable = skippingCorrupt(images, recipe.data.max_corrupt_frames);
      const network = createNetwork(recipe.network, { seed: recipe.seed, images: readable });
      checkCheckpoint(join(out, CHECKPOINT_FILE), network);
      makeRunFolder(out);
      const text = readFileSync(path, 'utf8');
      writeFileAtomically(join(out, RECIPE_FILE), [Buffer.from(withData(text, given))]);
      await writeRunCamera(recipe, out);
      const batches = ReadAhead.start(recipe) ?? new BatchesInTurn(recipe, dataSets, random);
      const position = await train(recipe, network, batches, {
        out,
        validator,
        maxSeconds: flags.maxMinutes === undefined ? undefined : 60 * flags.maxMinutes,
      });
      const report = writeReport(out);
      const minutes = (position.seconds / 60).toFixed(1);
      const next = `npx depthgrad export ${out} --out model.onnx`;
      console.log(`${position.step} steps in ${minutes} min, report ${report}; next: ${next}`);
    });
}
