/** One encoder trained, exported and measured as a user would do it: the functions of depthgrad train, export and evaluate. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { percentiles } from '../src/demo/percentiles';
import { describeModel, readModelFile } from '../src/inference/modelFile';
import { encoders, type EncoderName } from '../src/model/encoders';
import { farthestDepth } from '../src/model/heads/depth';
import { BatchesInTurn } from '../src/training/batches/batchSource';
import { averagedWeights } from '../src/training/checkpoint';
import { openDataSets } from '../src/training/data';
import type { SyntheticSet } from '../src/training/datasets/syntheticSet';
import { evaluateModel } from '../src/training/evaluation';
import { resizeDepth } from '../src/training/evaluation/evaluate';
import { OnnxModel } from '../src/training/evaluation/onnxModel';
import { registerExport } from '../src/training/exportCommand';
import { createNetwork } from '../src/training/networks';
import { Random } from '../src/training/random';
import type { Recipe } from '../src/training/recipe';
import { CHECKPOINT_FILE, RECIPE_FILE } from '../src/training/runFolder';
import { train } from '../src/training/trainer';
import { rowName, type DepthAccuracy, type EncoderRow, type EncoderTimes } from './encoderTable';
import { measureSessionRun } from './sessionRun';

export type Candidate = Pick<EncoderRow, 'imagenet'> & { readonly encoder: EncoderName };

/** Encoders there are ImageNet weights for. */
const WITH_IMAGENET: readonly EncoderName[] = ['lite0'];

/** Every encoder from random weights, and those that can also from ImageNet's. */
export function candidates(): Candidate[] {
  const all = Object.keys(encoders) as EncoderName[];
  return [
    ...WITH_IMAGENET.map((encoder) => ({ encoder, imagenet: true })),
    ...all.map((encoder) => ({ encoder, imagenet: false })),
  ];
}

type Size = Pick<Recipe['network'], 'height' | 'width'>;

/** The model whose times are taken: of the recipe's network size. */
export function modelPath(folder: string, candidate: Candidate): string {
  return join(folder, rowName(candidate), 'model.onnx');
}

/** The same weights at the size they were trained at, where they are most accurate after so few steps. */
export function trainedSizePath(folder: string, candidate: Candidate): string {
  return join(folder, rowName(candidate), 'trained-size.onnx');
}

/** Trains and exports at both sizes. A checkpoint in the candidate's folder is gone on from. */
export async function trainAndExport(
  base: Recipe,
  candidate: Candidate,
  folder: string,
): Promise<{ parameters: number; trainSeconds: number }> {
  const { encoder, imagenet } = candidate;
  if (base.network.kind !== 'depthgrad')
    throw new Error(`recipe ${base.name} is of a network ${base.network.kind}; encoders are compared in depthgrad's`);
  const recipe: Recipe = { ...base, network: { ...base.network, encoder, pretrained: imagenet } };
  const out = join(folder, rowName(candidate));
  mkdirSync(out, { recursive: true });
  // The ImageNet start looks at a batch: of another sequence, so that every candidate is trained on the same ones.
  const { synthetic: images } = await openDataSets(recipe, new Random(recipe.seed + 1));
  if (!images) throw new Error(`recipe ${recipe.name} uses no rendered scenes; the encoder table is made of them`);
  const network = createNetwork(recipe.network, { seed: recipe.seed, images });
  const random = new Random(recipe.seed);
  const batches = new BatchesInTurn(recipe, await openDataSets(recipe, random), random);
  const position = await train(recipe, network, batches, {
    out,
    quiet: !process.stderr.isTTY,
  });
  network.dispose();
  await exportAt(recipe, recipe.stages[0], out, trainedSizePath(folder, candidate));
  await exportAt(recipe, recipe.network, out, modelPath(folder, candidate));
  const { weights } = averagedWeights(join(out, CHECKPOINT_FILE));
  const parameters = [...weights.values()].reduce((sum, values) => sum + values.length, 0);
  return { parameters, trainSeconds: Math.round(position.seconds) };
}

/** The averaged weights at a size, through `depthgrad export`, which takes it from the run's recipe. */
async function exportAt(recipe: Recipe, { height, width }: Size, run: string, path: string): Promise<void> {
  const { network } = recipe;
  writeFileSync(join(run, RECIPE_FILE), stringify({ ...recipe, network: { ...network, height, width } }));
  const program = new Command();
  registerExport(program);
  await program.parseAsync(['export', run, '--out', path], { from: 'user' });
}

export function fileFigures(path: string): Pick<EncoderRow, 'file_bytes' | 'sha256'> {
  return { file_bytes: statSync(path).size, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') };
}

export async function kittiAccuracy(path: string, dataset: string): Promise<DepthAccuracy> {
  return shortAccuracy(await evaluateModel(path, dataset, { threads: 2 }));
}

export function shortAccuracy({ frames, abs_rel, rms, a1 }: DepthAccuracy): DepthAccuracy {
  return { frames, abs_rel, rms, a1 };
}

/** Mean |u - u*| over all pixels of the scenes' last frames; what lies farther than the head can say counts as its farthest depth. */
export async function syntheticLogError(path: string, scenes: SyntheticSet): Promise<number> {
  const model = await OnnxModel.open(path, 2);
  try {
    const { height, width } = scenes;
    let sum = 0;
    for (let index = 0; index < scenes.count; index++) {
      const { images, depths } = scenes.read(index);
      const truth = depths[depths.length - 1];
      const outputs = await model.run(images[images.length - 1], height, width, model.emptyFeatures());
      const depth = resizeDepth(outputs.depth, outputs.height, outputs.width, height, width);
      for (let i = 0; i < depth.length; i++) sum += Math.abs(Math.log(Math.min(truth[i], farthestDepth) / depth[i]));
    }
    return sum / (scenes.count * height * width);
  } finally {
    await model.close();
  }
}

/**
 * Bare session.run of all models in turns, so that a drift of the machine meets all of them.
 *
 * @throws Error when a model is not there, or not the one the row's figures are of
 */
export async function measureTimes(
  models: readonly { readonly path: string; readonly sha256: string }[],
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<EncoderTimes[]> {
  const taken = models.map(() => ({ threads_1: [] as number[], threads_2: [] as number[] }));
  for (const { path, sha256 } of models) {
    if (!existsSync(path))
      throw new Error(`${path} is not there: run without --only-times first, with the same --work`);
    if (describeModel(path, readFileSync(path)).sha256 !== sha256)
      throw new Error(`${path} is not the model the figures are of (sha256 differs): run without --only-times`);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [index, { path }] of models.entries()) {
      const { bytes: modelBytes, description } = await readModelFile(path);
      const { width, height } = description;
      for (const threads of [1, 2] as const) {
        const runs = await measureSessionRun({ modelBytes, description, threads, width, height, seconds });
        taken[index][`threads_${threads}`].push(...runs);
      }
    }
  }
  return taken.map((runs) => ({ threads_1: percentiles(runs.threads_1), threads_2: percentiles(runs.threads_2) }));
}
