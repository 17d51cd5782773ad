/** Short runs of small networks, for the tests of the networks a recipe can name. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors } from '../../src/model/safetensors';
import { BatchesInTurn, type BatchSource } from '../../src/training/batches/batchSource';
import type { TrainingBatch } from '../../src/training/losses/loss';
import { createNetwork } from '../../src/training/networks';
import { Random } from '../../src/training/random';
import { readRecipe, type Recipe } from '../../src/training/recipe';
import { CHECKPOINT_FILE, LOG_FILE, readLog, RECIPE_FILE, type LogEntry } from '../../src/training/runFolder';
import { train } from '../../src/training/trainer';
import { MovingPattern } from './movingPattern';

export interface TinyRecipe {
  /** YAML of the recipe's `network` and of its only stage's `losses`. */
  network: string;
  losses: string;
  /** More lines of the stage. */
  stage?: string;
  steps?: number;
}

/** Writes a recipe on one data set at 32 x 64 into a run folder, as `depthgrad train` does, and reads it. */
export function tinyRecipe(out: string, { network, losses, stage = '', steps = 4 }: TinyRecipe): Recipe {
  mkdirSync(out, { recursive: true });
  const path = join(out, RECIPE_FILE);
  writeFileSync(
    path,
    `name: tiny
description: a few steps on a moving pattern
network: ${network}
data: { drives: [none.mp4] }
stages:
  - name: only
    steps: ${steps}
    height: 32
    width: 64
    batch_size: 2
    learning_rate: 1.0e-3
    mix: { drives: 1 }
    align_poses: false
    losses: ${losses}
${stage}
checkpoint_every: 2
log_every: 1
images_every: 2
`,
  );
  return readRecipe(path);
}

/**
 * The moving pattern with a depth, a normal and a class (0 or 1) that follow its brightness; depth as measured, as exact log-disparity and
 * as a teacher's disparity.
 */
export class PatternWithDepth implements BatchSource {
  readonly #pattern: MovingPattern;

  constructor(random: Random) {
    this.#pattern = new MovingPattern(random);
  }

  next(size: number, height: number, width: number): TrainingBatch {
    const batch = this.#pattern.next(size, height, width);
    const depth = Float32Array.from({ length: size * height * width }, (_, i) => 2 + 4 * batch.target[3 * i]);
    const truth = { logDisparity: depth.map((z) => -Math.log(z)), pose: new Float32Array(6 * size) };
    const teacher = { disparity: depth.map((z) => 1 / z) };
    const normals = Float32Array.from({ length: 3 * depth.length }, (_, i) => {
      const tilt = batch.target[i - (i % 3)];
      return [Math.sin(tilt), 0, -Math.cos(tilt)][i % 3];
    });
    const labels = Uint8Array.from(depth, (z) => (z > 4 ? 1 : 0));
    return { ...batch, depth, truth, teacher, normals, labels };
  }
}

/** Besides the depth, the right image of a wall two pixels of disparity away; the samples' baselines are 0.5 m, 1 m, .. */
export class PairWithDepth implements BatchSource {
  readonly #pattern: PatternWithDepth;

  constructor(random: Random) {
    this.#pattern = new PatternWithDepth(random);
  }

  next(size: number, height: number, width: number): TrainingBatch {
    const batch = this.#pattern.next(size, height, width);
    const right = batch.target.map((_, i, target) => target[Math.min(i + 2 * 3, target.length - 1)]);
    return { ...batch, stereo: { right, baseline: Float32Array.from({ length: size }, (_, b) => 0.5 * (b + 1)) } };
  }
}

/** Trains with every data set of the stage's mix drawn from the pattern. @param batches the run is cut off before the one after these */
export async function trainTiny(recipe: Recipe, out: string, batches = Infinity): Promise<LogEntry[]> {
  const random = new Random(recipe.seed);
  const pattern = new PairWithDepth(random);
  let left = batches;
  const source: BatchSource = {
    next: (...size) => {
      if (left-- <= 0) throw new Error('cut off');
      return pattern.next(...size);
    },
  };
  const network = createNetwork(recipe.network, { seed: recipe.seed });
  const dataSets = { drives: source, synthetic: source, measured: source, unlabelled: source };
  const inTurn = new BatchesInTurn(recipe, dataSets, random);
  try {
    await train(recipe, network, inTurn, { out, quiet: true });
  } finally {
    network.dispose();
  }
  return readLog(join(out, LOG_FILE));
}

/** Largest difference of any number of the checkpoints of two runs; their names must be the same. */
export function checkpointDifference(a: string, b: string): number {
  const [expected, got] = [a, b].map((folder) => readSafetensors(join(folder, CHECKPOINT_FILE)).tensors);
  expect([...got.keys()]).toEqual([...expected.keys()]);
  let largest = 0;
  for (const [name, { data }] of expected) {
    const other = got.get(name)!.data;
    data.forEach((x, i) => (largest = Math.max(largest, Math.abs(x - other[i]))));
  }
  return largest;
}

/** A run cut off after its third step, one after its checkpoint, goes on to what a run without interruption comes to. */
export async function expectResumes(folder: string, tiny: TinyRecipe): Promise<void> {
  const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')];
  await trainTiny(tinyRecipe(whole, tiny), whole);
  const recipe = tinyRecipe(parts, tiny);
  await expect(trainTiny(recipe, parts, 3)).rejects.toThrow('cut off');
  await trainTiny(recipe, parts);
  expect(checkpointDifference(whole, parts)).toBeLessThan(1e-5);
}
