/**
 * npm run bench:encoders: the table the default encoder is chosen by. Trains every encoder by one recipe, exports it, and measures
 * accuracy and milliseconds.
 *
 *     npm run bench:encoders -- --json encoders.json --table docs/benchmarks.md                everything
 *     npm run bench:encoders -- --json encoders.json --table docs/benchmarks.md --only-times   the times again, the rest from the file
 */
import { existsSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { isEncoderName } from '../src/model/encoders';
import { cacheFolder, packageRoot, preparedFolder, resolveFile } from '../src/paths';
import { DEFAULT_SYNTHETIC_SET, openSyntheticSet } from '../src/training/datasets/syntheticSet';
import { evaluatePredictor } from '../src/training/evaluation';
import { constantPredictor } from '../src/training/evaluation/evaluate';
import { positive, positiveInteger } from '../src/training/flags';
import { readRecipe, type Recipe } from '../src/training/recipe';
import {
  candidates,
  fileFigures,
  kittiAccuracy,
  measureTimes,
  modelPath,
  shortAccuracy,
  syntheticLogError,
  trainAndExport,
  trainedSizePath,
  type Candidate,
} from './encoderRuns';
import { ENCODER_MARKS, encoderTable, rowName, type EncoderReport, type EncoderRow } from './encoderTable';
import { describeMachine } from './machine';
import { replaceBetween } from '../src/markdown';

interface EncoderBenchOptions {
  readonly json: string;
  readonly table?: string;
  readonly recipe: string;
  readonly steps?: number;
  readonly work: string;
  readonly resume: boolean;
  readonly onlyTimes: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly heldOut: number;
}

type Untimed = Omit<EncoderReport, 'times' | 'rows'> & { readonly rows: readonly Omit<EncoderRow, 'session_run_ms'>[] };

const KITTI = 'kitti_raw_0926_lidar';
const DEFAULT_RECIPE = 'config/recipes/default.yaml';
const HELD_OUT = { ...DEFAULT_SYNTHETIC_SET, seed: DEFAULT_SYNTHETIC_SET.seed + 1 };

const program = new Command('bench:encoders')
  .description('Trains every encoder by one recipe and compares accuracy and milliseconds.')
  .requiredOption('--json <file>', 'write the figures to this file; with --only-times, read it first')
  .option('--table <file>', 'write the table between the marks of this Markdown file')
  .option('--recipe <file>', 'recipe every encoder is trained by', 'config/recipes/encoder_table.yaml')
  .option('--steps <n>', 'steps per encoder (default: the recipe’s)', positiveInteger)
  .option('--work <dir>', 'runs and exported models', join(cacheFolder(), 'encoders'))
  .option('--resume', 'go on from the checkpoints of an interrupted run', false)
  .option('--only-times', 'keep the accuracy figures of --json, measure session.run again', false)
  .option('--rounds <n>', 'rounds of session.run over all encoders', positiveInteger, 3)
  .option('--seconds <n>', 'length of each session.run measurement', positive, 4)
  .option('--held-out <n>', 'rendered scenes the error is measured on', positiveInteger, 100);

async function main(options: EncoderBenchOptions): Promise<void> {
  const { json, table, rounds, seconds } = options;
  const work = resolve(options.work);
  const untimed: Untimed = options.onlyTimes ? await readReport(json) : await measureAccuracy(options, work);
  const machine = describeMachine(log);
  log(`session.run with 1 and 2 threads, ${rounds} rounds of ${seconds} s`);
  const models = untimed.rows.map((row) => ({ path: modelPath(work, candidateOf(row, json)), sha256: row.sha256 }));
  const times = await measureTimes(models, { rounds, seconds });
  const report: EncoderReport = {
    ...untimed,
    times: { ...machine, rounds, seconds_per_measurement: seconds },
    rows: untimed.rows.map((row, index) => ({ ...row, session_run_ms: times[index] })),
  };
  await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  if (table) await replaceBetween(table, ENCODER_MARKS, encoderTable(report));
  for (const file of [json, table]) if (file) log(`wrote ${file}`);
}

async function readReport(path: string): Promise<EncoderReport> {
  try {
    const report = JSON.parse(await readFile(path, 'utf8')) as EncoderReport;
    if (!Array.isArray(report.rows)) throw new Error('no "rows" in it');
    return report;
  } catch (error) {
    throw new Error(`${path}: no figures of npm run bench:encoders (${(error as Error).message})`);
  }
}

function candidateOf({ encoder, imagenet }: { encoder: string; imagenet: boolean }, file: string): Candidate {
  if (!isEncoderName(encoder))
    throw new Error(`${file}: no encoder "${encoder}" in this version: run without --only-times`);
  return { encoder, imagenet };
}

function defaultEncoder(): string {
  const { network } = readRecipe(resolveFile(DEFAULT_RECIPE));
  if (network.kind !== 'depthgrad') throw new Error(`${DEFAULT_RECIPE} is of a network ${network.kind}, not depthgrad`);
  return network.encoder;
}

function readBenchRecipe({ recipe: path, steps }: EncoderBenchOptions): Recipe {
  const recipe = readRecipe(resolveFile(path));
  const [stage, ...others] = recipe.stages;
  if (others.length > 0)
    throw new Error(`recipe ${path} has ${recipe.stages.length} stages; the encoder table takes one`);
  return { ...recipe, stages: [{ ...stage, steps: steps ?? stage.steps }] };
}

async function measureAccuracy(options: EncoderBenchOptions, work: string): Promise<Untimed> {
  const recipe = readBenchRecipe(options);
  const [{ steps, batch_size, height, width }] = recipe.stages;
  const dataset = kittiFolder();
  if (!dataset) log(`no KITTI figures: ${KITTI} is not in the shared data folder (DEPTHGRAD_SHARED_DATA)`);
  const scenes = await openSyntheticSet(options.heldOut, preparedFolder(), HELD_OUT);
  const rows: Omit<EncoderRow, 'session_run_ms'>[] = [];
  for (const candidate of candidates()) {
    const name = rowName(candidate);
    if (!options.resume) rmSync(join(work, name), { recursive: true, force: true });
    log(`${name}: ${steps} steps`);
    const { parameters, trainSeconds } = await trainAndExport(recipe, candidate, work);
    const path = trainedSizePath(work, candidate);
    const kitti = dataset ? await kittiAccuracy(path, dataset) : null;
    const error = await syntheticLogError(path, scenes);
    log(
      `  ${trainSeconds} s, KITTI abs_rel ${kitti?.abs_rel.toFixed(4) ?? 'not measured'}, rendered log error ${error.toFixed(4)}`,
    );
    rows.push({
      ...candidate,
      parameters,
      train_seconds: trainSeconds,
      ...fileFigures(modelPath(work, candidate)),
      kitti,
      synthetic_log_error: error,
    });
  }
  return {
    training: {
      recipe: options.recipe,
      seed: recipe.seed,
      steps,
      batch_size,
      height,
      width,
      samples: recipe.data.synthetic_samples,
    },
    height: recipe.network.height,
    width: recipe.network.width,
    default_encoder: defaultEncoder(),
    kitti_dataset: KITTI,
    kitti_constant: dataset ? shortAccuracy(await evaluatePredictor(constantPredictor, dataset)) : null,
    held_out: { seed: HELD_OUT.seed, samples: options.heldOut },
    rows,
  };
}

function kittiFolder(): string | undefined {
  const shared = process.env.DEPTHGRAD_SHARED_DATA ?? join(packageRoot(), '..', 'shared', 'data');
  const folder = resolve(shared, KITTI);
  return existsSync(folder) ? folder : undefined;
}

function log(text: string): void {
  process.stderr.write(`bench:encoders: ${text}\n`);
}

program.parse();
main(program.opts<EncoderBenchOptions>()).then(
  () => process.exit(0),
  (error: unknown) => {
    log(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
