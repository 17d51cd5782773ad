/**
 * npm run bench:train: milliseconds of a training step beside PyTorch's, and how the memory of a long run grows.
 *
 *     npm run bench:train -- --json train.json                    everything
 *     npm run bench:train -- --json train.json --memory-steps 0   the step times alone
 *     npm run bench:train -- --from train.json --table docs/benchmarks.md   the tables of an earlier run's figures
 *
 * Both sides train the default recipe's network on the same batch of the sample drives with the same losses, in turns, in one run. Before
 * anything is timed their losses and gradients are compared.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { hundredth } from '../src/demo/percentiles';
import { median } from '../src/geometry/statistics';
import { replaceBetween } from '../src/markdown';
import { writeSafetensors, type NamedTensor } from '../src/model/safetensors';
import { resolveFile } from '../src/paths';
import { BatchesInTurn, type BatchSource } from '../src/training/batches/batchSource';
import { computeThreads } from '../src/training/computeThreads';
import { openDataSets, openValidation } from '../src/training/data';
import { count, positiveInteger } from '../src/training/flags';
import type { TrainingBatch } from '../src/training/losses/loss';
import { createNetwork } from '../src/training/networks';
import type { TrainedNetwork } from '../src/training/networks/trainedNetwork';
import { Random } from '../src/training/random';
import { ReadAhead } from '../src/training/readAhead';
import { readRecipe, type Recipe } from '../src/training/recipe';
import { LOG_FILE, readLog } from '../src/training/runFolder';
import { finalLossWeights } from '../src/training/schedule';
import { train } from '../src/training/trainer';
import { Validator } from '../src/training/validation';
import { describeMachine } from './machine';
import { OwnStep, type SteadyStage } from './ownStep';
import { writeReport, type ReportFlags } from './reportFiles';
import { TorchPeer, type StepFigures, type TrainCase } from './torchPeer';
import { TRAIN_MARKS, trainTable, type MemoryFigures, type TrainReport, type TrainRow } from './trainTable';

interface TrainBenchOptions extends ReportFlags {
  readonly rounds: number;
  readonly steps: number;
  readonly memorySteps: number;
  readonly only?: string;
  readonly inProcess?: boolean;
}

const SIZES = [
  [64, 208, 1],
  [64, 208, 4],
  [128, 416, 1],
  [128, 416, 4],
] as const;
const RECIPE = 'config/recipes/default.yaml';
/** Steps both sides take before they are timed: allocators and caches have settled. */
const WARM_UP = 5;
const LOSS_TOLERANCE = 1e-3;
/** The auto-mask and the minimum over sources switch at pixels where both sides round differently. */
const GRADIENT_TOLERANCE = 2e-2;
/** The stage's losses as far as they are a network's own: alignment and rendered truth are none of PyTorch's. */
const LOSSES = [
  'photometric',
  'photometric_half',
  'photometric_quarter',
  'gradient_consistency',
  'smoothness',
  'gradient_smoothness',
];
const MEMORY_FROM_STEP = 100;

const program = new Command('bench:train')
  .description('Compares the training step with the same one in PyTorch, and measures how the memory of a run grows.')
  .option('--json <file>', 'write the figures to this file')
  .option('--from <file>', 'measure nothing, take the figures of this file')
  .option('--table <markdown>', 'write the tables between the marks of this file')
  .option('--rounds <n>', 'turns of each side per size', positiveInteger, 5)
  .option('--steps <n>', 'steps per turn', positiveInteger, 5)
  .option('--memory-steps <n>', 'length of the run whose memory is measured; 0 leaves it out', count, 3000)
  .option('--only <size>', 'one size alone, such as 64x208x4 (height, width, batch)')
  .addOption(new Option('--in-process', 'one size in this process, with the threads it was started with').hideHelp());

function log(text: string): void {
  process.stderr.write(`bench:train: ${text}\n`);
}

/** The default recipe's stage on the drives at another size, with the pose head's own answers as poses. */
function stageAtSize(recipe: Recipe, height: number, width: number, batch: number): SteadyStage {
  const stage = recipe.stages.find(({ mix }) => mix.drives > 0);
  if (!stage) throw new Error(`${RECIPE} has no stage on the drives`);
  const weights = finalLossWeights(stage);
  const losses = Object.fromEntries(LOSSES.map((name) => [name, weights[name] ?? 0]));
  return {
    ...stage,
    height,
    width,
    batch_size: batch,
    mix: { drives: 1, synthetic: 0, measured: 0, unlabelled: 0 },
    losses,
    align_poses: false,
  };
}

function writeInputs(folder: string, network: TrainedNetwork, batch: TrainingBatch): [string, string] {
  const [weights, frames] = [join(folder, 'weights.safetensors'), join(folder, 'batch.safetensors')];
  const tensors = [...network.namedVariables()].map(([name, variable]): [string, NamedTensor] => [
    name,
    { shape: variable.shape, data: variable.dataSync<'float32'>() },
  ]);
  writeSafetensors(weights, new Map(tensors));
  const { previous, target, next, networkImages } = batch;
  const intrinsics = Float32Array.from(batch.intrinsics.flatMap(({ fx, fy, cx, cy }) => [fx, fy, cx, cy]));
  const arrays = Object.entries({ previous, target, next: next!, networkImages, intrinsics });
  writeSafetensors(frames, new Map(arrays.map(([name, data]) => [name, { shape: [data.length], data }])));
  return [weights, frames];
}

function relative(own: number, peer: number): number {
  return Math.abs(own - peer) / Math.abs(peer);
}

/** @throws Error naming the terms when both sides do not compute the same */
function checkSame(own: StepFigures, peer: StepFigures): void {
  const text = ({ loss, gradient_norm, terms }: StepFigures): string =>
    `loss ${loss}, gradient ${gradient_norm}, ${LOSSES.map((name) => `${name} ${terms[name]}`).join(', ')}`;
  if (
    relative(own.loss, peer.loss) > LOSS_TOLERANCE ||
    relative(own.gradient_norm, peer.gradient_norm) > GRADIENT_TOLERANCE
  )
    throw new Error(`the sides do not compute the same\ndepthgrad: ${text(own)}\nPyTorch:   ${text(peer)}`);
}

async function measureSize(
  recipe: Recipe,
  drives: BatchSource,
  peer: TorchPeer,
  [height, width, batchSize]: (typeof SIZES)[number],
  { rounds, steps }: TrainBenchOptions,
): Promise<{ row: TrainRow; version: string }> {
  const stage = stageAtSize(recipe, height, width, batchSize);
  const settings = { ...recipe.network, height, width };
  if (settings.kind !== 'depthgrad')
    throw new Error(`${RECIPE} is of a network ${settings.kind}; PyTorch has depthgrad's`);
  const network = createNetwork(settings, { seed: recipe.seed, images: drives });
  const batch = drives.next(batchSize, height, width);
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-bench-train-'));
  try {
    const own = new OwnStep(network, stage, batch, recipe.optimizer);
    // Untrained heads give neighbouring pixels the very same gradient, and |0| has another slope in tfjs than in PyTorch.
    own.steps(WARM_UP);
    const [weights, frames] = writeInputs(folder, network, batch);
    const trainCase: TrainCase = {
      height,
      width,
      batch: batchSize,
      channels_last: true,
      threads: availableParallelism(),
      losses: stage.losses,
      frozen: stage.frozen,
      learning_rate: stage.learning_rate,
      encoder_rate: stage.encoder_rate,
      clip_norm: recipe.optimizer.clip_norm,
      ema_decay: recipe.optimizer.ema_decay,
      fusion_lambda: settings.fusion_lambda,
    };
    const ownFigures = own.figures();
    // PyTorch is faster in one memory layout or the other, with one thread or all, depending on the size: it gets the best.
    let best = { fastest: Infinity, trainCase };
    for (const channelsLast of [true, false]) {
      for (const threads of new Set([availableParallelism(), 1])) {
        const tried = { ...trainCase, channels_last: channelsLast, threads };
        checkSame(ownFigures, await peer.load(weights, frames, tried));
        await peer.steps(WARM_UP);
        const fastest = median(await peer.steps(steps));
        if (fastest < best.fastest) best = { fastest, trainCase: tried };
      }
    }
    const peerFigures = await peer.load(weights, frames, best.trainCase);
    await peer.steps(WARM_UP);
    const [ownMs, peerMs]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      ownMs.push(...own.steps(steps));
      peerMs.push(...(await peer.steps(steps)));
    }
    const row: TrainRow = {
      height,
      width,
      batch: batchSize,
      threads: Number(process.env.TF_NUM_INTRAOP_THREADS ?? availableParallelism()),
      pytorch_threads: best.trainCase.threads,
      depthgrad_ms: hundredth(median(ownMs)),
      pytorch_ms: hundredth(median(peerMs)),
      ratio: Number((median(ownMs) / median(peerMs)).toFixed(3)),
      loss_difference: relative(ownFigures.loss, peerFigures.loss),
      gradient_difference: relative(ownFigures.gradient_norm, peerFigures.gradient_norm),
    };
    return { row, version: peerFigures.version };
  } finally {
    rmSync(folder, { recursive: true });
    network.dispose();
  }
}

/** A run of the trainer as `depthgrad train` starts it, at the smallest size of the table. */
async function measureMemory(base: Recipe, steps: number): Promise<MemoryFigures> {
  const [height, width, batch] = SIZES[0];
  const drives = base.stages.find(({ mix }) => mix.drives > 0)!;
  const recipe: Recipe = {
    ...base,
    network: { ...base.network, height, width },
    stages: [{ ...drives, steps, height, width, batch_size: batch }],
    log_every: 10,
  };
  const out = mkdtempSync(join(tmpdir(), 'depthgrad-bench-train-'));
  try {
    const random = new Random(recipe.seed);
    const dataSets = await openDataSets(recipe, random);
    const validationRandom = new Random(recipe.seed);
    const held = await openValidation(recipe, validationRandom);
    const network = createNetwork(recipe.network, { seed: recipe.seed, images: dataSets.drives });
    const batches = ReadAhead.start(recipe) ?? new BatchesInTurn(recipe, dataSets, random);
    const validator = held && new Validator(recipe, held, validationRandom);
    await train(recipe, network, batches, { out, validator, quiet: !process.stderr.isTTY });
    network.dispose();
    const entries = readLog(join(out, LOG_FILE));
    const rss = entries.filter((entry) => 'memory/rss_mib' in entry && entry.step >= MEMORY_FROM_STEP);
    if (rss.length < 2) throw new Error(`--memory-steps must be above ${MEMORY_FROM_STEP + recipe.log_every}`);
    const [first, last] = [rss[0], rss[rss.length - 1]];
    const [from, to] = [first, last].map((entry) => entry['memory/rss_mib'] as number);
    const shares = rss.map((entry) => entry['time/data_share'] as number);
    const validation = entries.filter((entry) => 'time/validation_share' in entry);
    return {
      first_step: first.step,
      last_step: last.step,
      first_rss_mib: hundredth(from),
      last_rss_mib: hundredth(to),
      growth_percent: hundredth(100 * (to / from - 1)),
      data_share_percent: hundredth((100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length),
      validation_share_percent: hundredth(100 * (validation[validation.length - 1]['time/validation_share'] as number)),
    };
  } finally {
    rmSync(out, { recursive: true });
  }
}

async function measureInProcess(
  recipe: Recipe,
  size: (typeof SIZES)[number],
  options: TrainBenchOptions,
): Promise<{ row: TrainRow; version: string }> {
  const { drives } = await openDataSets(recipe, new Random(recipe.seed));
  if (!drives) throw new Error(`${RECIPE} uses no drives`);
  const peer = await TorchPeer.start();
  try {
    return await measureSize(recipe, drives, peer, size, options);
  } finally {
    peer.close();
  }
}

/** A process per size: TensorFlow's number of threads, which depends on the size as the trainer's does, is fixed when it is loaded. */
async function measureInChild(
  size: (typeof SIZES)[number],
  { rounds, steps }: TrainBenchOptions,
): Promise<{ row: TrainRow; version: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-bench-train-'));
  try {
    const file = join(folder, 'size.json');
    const [height, width, batch] = size;
    const flags = {
      '--only': size.join('x'),
      '--json': file,
      '--rounds': rounds,
      '--steps': steps,
      '--memory-steps': 0,
    };
    const child = spawn(
      process.execPath,
      [...process.execArgv, __filename, '--in-process', ...Object.entries(flags).flat().map(String)],
      {
        env: { ...process.env, TF_NUM_INTRAOP_THREADS: String(computeThreads(height * width * batch)) },
        stdio: ['ignore', 'inherit', 'pipe'],
      },
    );
    let errors = '';
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`the process of ${flags['--only']} ended with ${code}\n${errors}`);
    const { rows, pytorch } = JSON.parse(await readFile(file, 'utf8')) as TrainReport;
    return { row: rows[0], version: pytorch };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(options: TrainBenchOptions): Promise<TrainReport> {
  const { rounds, steps, memorySteps, only } = options;
  const sizes = SIZES.filter((size) => only === undefined || size.join('x') === only);
  if (sizes.length === 0)
    throw new Error(`--only ${only}: there are ${SIZES.map((size) => size.join('x')).join(', ')}`);
  const recipe = readRecipe(resolveFile(RECIPE));
  const machine = describeMachine(log);
  // First, in a process that has not done anything else yet.
  const memory = memorySteps > 0 ? await measureMemory(recipe, memorySteps) : null;
  if (memory) log(`memory: ${JSON.stringify(memory)}`);
  const rows: TrainRow[] = [];
  let pytorch = '';
  for (const size of sizes) {
    const measured = options.inProcess
      ? await measureInProcess(recipe, size, options)
      : await measureInChild(size, options);
    log(JSON.stringify(measured.row));
    rows.push(measured.row);
    pytorch = measured.version;
  }
  return { machine, pytorch, recipe: RECIPE, losses: LOSSES, rounds, steps_per_round: steps, rows, memory };
}

function main(options: TrainBenchOptions): Promise<void> {
  return writeReport(options, {
    command: 'npm run bench:train',
    measure: () => measure(options),
    writeTable: (path, report) => replaceBetween(path, TRAIN_MARKS, trainTable(report)),
    log,
  });
}

program.parse();
main(program.opts<TrainBenchOptions>()).then(
  () => process.exit(0),
  (error: unknown) => {
    log(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
