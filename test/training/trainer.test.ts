import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DepthNetwork } from '../../src/model/network';
import { readSafetensors } from '../../src/model/safetensors';
import { BatchesInTurn, skippingCorrupt, type BatchSource } from '../../src/training/batches/batchSource';
import { averagedWeights, checkpointPosition } from '../../src/training/checkpoint';
import { SyntheticBatches } from '../../src/training/batches/synthetic';
import { DEFAULT_SYNTHETIC_SET, openSyntheticSet, partPath } from '../../src/training/datasets/syntheticSet';
import { TrainedDepthgrad } from '../../src/training/networks/depthgrad';
import type { TrainedNetwork } from '../../src/training/networks/trainedNetwork';
import { Random } from '../../src/training/random';
import { readRecipe, type Recipe } from '../../src/training/recipe';
import { BEST_FILE, CHECKPOINT_FILE, LOG_FILE, readLog } from '../../src/training/runFolder';
import { train, type TrainOptions } from '../../src/training/trainer';
import { Validator } from '../../src/training/validation';
import { MovingPattern } from '../support/movingPattern';

const size = { height: 32, width: 64 };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-trainer-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function tinyRecipe(steps: number): Recipe {
  const recipe = readRecipe('config/recipes/default.yaml');
  const stages = recipe.stages.filter((stage) => stage.mix.drives > 0).slice(0, 1);
  return {
    ...recipe,
    stages: stages.map((stage) => ({
      ...stage,
      ...size,
      steps,
      batch_size: 1,
      mix: { drives: 1, synthetic: 0, measured: 0, unlabelled: 0 },
    })),
    log_every: 1,
    checkpoint_every: 1000,
    images_every: 2,
  };
}

function network(): TrainedNetwork {
  return new TrainedDepthgrad(DepthNetwork.create({ encoder: 'lite0', ...size, seed: 3 }));
}

/** Trains on the pattern, or on what `change` makes of it. */
async function run(
  recipe: Recipe,
  out: string,
  change: (source: BatchSource) => BatchSource = (source) => source,
  options: Partial<TrainOptions> = {},
): Promise<void> {
  const random = new Random(0);
  const source = change(new MovingPattern(random));
  await train(recipe, network(), new BatchesInTurn(recipe, { drives: source }, random), {
    out,
    quiet: true,
    ...options,
  });
}

function largestDifference(a: string, b: string): number {
  const [expected, got] = [a, b].map((folder) => readSafetensors(join(folder, CHECKPOINT_FILE)).tensors);
  let largest = 0;
  for (const [name, { data }] of expected) {
    const other = got.get(name)!.data;
    data.forEach((x, i) => (largest = Math.max(largest, Math.abs(x - other[i]))));
  }
  return largest;
}

test('a run that is cut off goes on to the same weights and log as one that is not', async () => {
  const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')];
  // Four steps are done when it is cut off, three are in the checkpoint; the log's means run over two steps.
  const recipe = { ...tinyRecipe(6), checkpoint_every: 3, log_every: 2 };
  let left = 4;
  const cutOff = (source: BatchSource): BatchSource => ({
    next: (...args) => {
      if (left-- === 0) throw new Error('cut off');
      return source.next(...args);
    },
  });
  await run(recipe, whole);
  await expect(run(recipe, parts, cutOff)).rejects.toThrow('cut off');
  await run(recipe, parts);
  expect(largestDifference(whole, parts)).toBeLessThan(1e-5);
  const losses = (out: string): unknown[] =>
    readLog(join(out, LOG_FILE)).map((entry) => [entry.step, Number(entry['drives/loss']).toFixed(5)]);
  expect(losses(parts)).toEqual(losses(whole));
  expect(losses(parts)).toHaveLength(3);
});

test('writes the log, TensorBoard scalars and pictures, and averaged weights for the export', async () => {
  await run(tinyRecipe(2), folder);
  const entries = readLog(join(folder, LOG_FILE));
  expect(entries).toHaveLength(2);
  expect(entries[1]['drives/photometric/unwarped_error']).toBeGreaterThan(0);
  expect(entries[1]['drives/gradient_consistency']).toBeGreaterThan(0);
  expect(entries[1]['memory/rss_mib']).toBeGreaterThan(50);
  const [events] = readdirSync(join(folder, 'tensorboard'));
  const bytes = readFileSync(join(folder, 'tensorboard', events));
  expect(bytes.includes('drives/depth')).toBe(true);
  expect(bytes.includes(Buffer.from([0x89, 0x50, 0x4e, 0x47]))).toBe(true); // the picture, a PNG
  expect(bytes.includes('drives/photometric/warped_error')).toBe(true);
  const { weights, position } = averagedWeights(join(folder, CHECKPOINT_FILE));
  expect(position.step).toBe(2);
  expect([...weights.keys()]).toEqual([...network().namedVariables().keys()]);
});

function validator(recipe: Recipe): Validator {
  const random = new Random(0);
  return new Validator(recipe, new MovingPattern(random), random);
}

test('keeps the state with the lowest validation figure beside the last, and depth maps of every validation', async () => {
  const recipe = tinyRecipe(7);
  recipe.validation = { ...recipe.validation, every: 2, samples: 3 };
  await run(recipe, folder, undefined, { validator: validator(recipe) });
  const values = new Map(
    readLog(join(folder, LOG_FILE))
      .filter((entry) => 'validation/loss' in entry)
      .map((entry) => [entry.step, entry['validation/photometric/warped_error'] as number]),
  );
  expect([...values.keys()]).toEqual([2, 4, 6, 7]);
  const last = checkpointPosition(join(folder, CHECKPOINT_FILE));
  const best = checkpointPosition(join(folder, BEST_FILE));
  expect(last.step).toBe(7);
  expect(last.best).toEqual(best.best);
  expect(best.best).toEqual({ step: best.step, figure: 'photometric/warped_error', value: values.get(best.step) });
  expect(best.best!.value).toBe(Math.min(...values.values()));
  expect(readdirSync(join(folder, 'samples'))).toEqual(['000002.png', '000004.png', '000006.png', '000007.png']);
});

test('validation leaves the training as it is', async () => {
  const [without, withIt] = [join(folder, 'without'), join(folder, 'with')];
  const recipe = tinyRecipe(4);
  recipe.validation = { ...recipe.validation, every: 1, samples: 1 };
  await run(recipe, without);
  await run(recipe, withIt, undefined, { validator: validator(recipe) });
  expect(largestDifference(without, withIt)).toBeLessThan(1e-5);
});

test('a validation figure the losses do not report is named with those they do', async () => {
  const recipe = tinyRecipe(1);
  recipe.validation = { ...recipe.validation, every: 1, samples: 1, figure: 'abs_rel' };
  const run1 = run(recipe, folder, undefined, { validator: validator(recipe) });
  await expect(run1).rejects.toThrow(/"abs_rel" is none of loss, photometric, photometric\/warped_error/);
});

interface FailedStepReport {
  step: number;
  reason: string;
  loss: string | number;
  terms: Record<string, string | number>;
  weights: Record<string, number>;
  intrinsics: { fx: number }[];
  poses: Record<string, unknown[]>;
  arrays: Record<string, { count: number; not_finite: number }>;
}

test('a loss that is no number ends the run, with the step written out and nothing overwritten', async () => {
  await run(tinyRecipe(2), folder);
  const before = readFileSync(join(folder, CHECKPOINT_FILE));
  const spoil = (source: BatchSource): BatchSource => ({
    next: (...args) => {
      const batch = source.next(...args);
      batch.networkImages[5] = NaN;
      return batch;
    },
  });
  for (const name of ['failed-step-2', 'failed-step-2-2']) {
    await expect(run(tinyRecipe(40), folder, spoil)).rejects.toThrow(
      new RegExp(`step 2 .*the loss is NaN.*photometric=.*${name}.*checkpoint`, 's'),
    );
    const report = JSON.parse(readFileSync(join(folder, name, 'step.json'), 'utf8')) as FailedStepReport;
    expect(report).toMatchObject({ step: 2, loss: 'NaN' });
    expect(Object.keys(report.terms)).toContain('pose_alignment');
    expect(report.weights.pose_alignment).toBe(0.1);
    expect(report.intrinsics[0].fx).toBe(50);
    expect(report.poses.from_previous[0]).toHaveLength(6);
    expect(report.arrays.networkImages).toMatchObject({ count: 3 * 32 * 64 * 3, not_finite: 1 });
    expect(report.arrays.target.not_finite).toBe(0);
    const files = readdirSync(join(folder, name)).sort();
    expect(files.filter((file) => file.endsWith('.png'))).toEqual(
      ['next', 'previous', 'target'].map((image) => `sample0-${image}.png`),
    );
    const { tensors } = readSafetensors(join(folder, name, 'batch.safetensors'));
    expect(tensors.get('networkImages')!.data[5]).toBeNaN();
    expect(checkpointPosition(join(folder, name, 'checkpoint.safetensors')).step).toBe(2);
  }
  expect(readFileSync(join(folder, CHECKPOINT_FILE)).equals(before)).toBe(true);
});

test('an exploding loss ends the run the same way', async () => {
  const recipe = tinyRecipe(12);
  recipe.stages[0].losses = { depth_truth: 1 };
  let step = 0;
  const explode = (source: BatchSource): BatchSource => ({
    next: (...args) => {
      const batch = source.next(...args);
      const logDisparity = new Float32Array(32 * 64).fill(step++ < 11 ? -2 : -1e4);
      return { ...batch, next: undefined, truth: { logDisparity, pose: new Float32Array(6) } };
    },
  });
  await expect(run(recipe, folder, explode)).rejects.toThrow(/step 11 .*explosion_factor \(100\).*failed-step-11/s);
});

test('a checkpoint that is cut off or of something else is named', async () => {
  await run(tinyRecipe(1), folder);
  const path = join(folder, CHECKPOINT_FILE);
  const bytes = readFileSync(path);
  for (const damaged of [bytes.subarray(0, bytes.length / 2), Buffer.from('no checkpoint at all'), Buffer.alloc(0)]) {
    writeFileSync(path, damaged);
    await expect(run(tinyRecipe(2), folder)).rejects.toThrow(path);
  }
  expect(existsSync(path)).toBe(true);
});

/** Rendered scenes of which the last twenty cannot be read: the file was cut off after it was opened. */
async function damagedScenes(random: Random): Promise<{ source: BatchSource; file: string }> {
  const key = { ...DEFAULT_SYNTHETIC_SET, ...size, seed: 9 };
  const scenes = await openSyntheticSet(50, folder, key, 0);
  const file = partPath(scenes.folder, 0);
  truncateSync(file, (statSync(file).size * 30.5) / 50);
  return { source: new SyntheticBatches(scenes, random), file };
}

function supervised(steps: number, mostCorrupt: number): Recipe {
  const recipe = tinyRecipe(steps);
  const [stage] = recipe.stages;
  return {
    ...recipe,
    data: { ...recipe.data, max_corrupt_frames: mostCorrupt },
    stages: [{ ...stage, mix: { drives: 0, synthetic: 1, measured: 0, unlabelled: 0 }, losses: { depth_truth: 1 } }],
  };
}

test('corrupt frames are named, counted and skipped up to the limit', async () => {
  const random = new Random(0);
  const { source, file } = await damagedScenes(random);
  // Pictures that are looked at before the first step: of eight, all lie before the cut once in sixty draws.
  expect(() => source.next(8, size.height, size.width)).toThrow('is cut off');
  expect(skippingCorrupt(source, 1000).next(8, size.height, size.width).size).toBe(8);
  const out = join(folder, 'run');
  const printed = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const recipe = supervised(8, 20);
    await train(recipe, network(), new BatchesInTurn(recipe, { synthetic: source }, random), { out, quiet: true });
    const { corruptFrames, step } = checkpointPosition(join(out, CHECKPOINT_FILE));
    expect(step).toBe(8);
    expect(corruptFrames.length).toBeGreaterThan(0);
    expect(new Set(corruptFrames).size).toBe(corruptFrames.length);
    for (const frame of corruptFrames) expect(frame).toMatch(/part-0000\.bin: frame (3\d|4\d) is cut off/);
    expect(printed.mock.calls.map(([line]) => String(line).slice(0, file.length))).toEqual(
      corruptFrames.map(() => file),
    );

    const strict = supervised(30, 2);
    const stopped = train(strict, network(), new BatchesInTurn(strict, { synthetic: source }, random), {
      out: join(folder, 'strict'),
      quiet: true,
    });
    await expect(stopped).rejects.toThrow(/3 corrupt frame.*max_corrupt_frames \(2\).*part-0000\.bin: frame/s);
  } finally {
    printed.mockRestore();
  }
});
