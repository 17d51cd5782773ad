/** A training run by a recipe: opens its data, builds the network, trains, writes the report. */
import { readFileSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { writeFileAtomically } from '../model/safetensors';
import { resolveFile } from '../paths';
import { BatchesInTurn, skippingCorrupt } from './batches/batchSource';
import { openDataSets, openValidation } from './data';
import { checkCheckpoint } from './checkpoint';
import { createNetwork } from './networks';
import { Random } from './random';
import { ReadAhead } from './readAhead';
import { readRecipe, withData, type GivenData, type Recipe } from './recipe';
import { writeReport } from './report/report';
import { writeRunCamera } from './runCamera';
import { CHECKPOINT_FILE, makeRunFolder, RECIPE_FILE } from './runFolder';
import { train } from './trainer';
import { Validator } from './validation';

export interface TrainFlags {
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

/** @param flags of `depthgrad train` */
export async function trainRecipe(recipePath: string, flags: TrainFlags): Promise<void> {
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
}
