/** `depthgrad evaluate`. */
import { SingleBar } from 'cli-progress';
import { Option, type Command } from 'commander';
import { preparedFolder, resolveFile } from '../../paths';
import { openRecording } from '../datasets/openRecording';
import { prepare } from '../datasets/prepare';
import type { PreparedDrive } from '../datasets/prepared';
import { positive, positiveInteger, SAMPLE_CAMERA, SAMPLE_DRIVES } from '../flags';
import { openDepthDataset, type DatasetPart } from './depthDataset';
import {
  constantPredictor,
  evaluateModel,
  evaluatePredictor,
  groundPlanePredictor,
  type EvaluateOptions,
} from './evaluate';
import { evaluateHeldOut } from './heldOut';
import { EIGEN_PROTOCOL } from './metrics';
import { runPredictor } from './runPredictor';

interface EvaluateFlags {
  model?: string;
  run?: string;
  best?: boolean;
  depthHead?: boolean;
  baseline?: 'constant' | 'ground-plane';
  dataset?: string;
  heldout?: string[];
  part?: DatasetPart;
  camera: string;
  strides: number[];
  every: number;
  minDepth: number;
  maxDepth: number;
  crop: 'garg' | 'none';
  threads: number;
  format: 'json' | 'text';
}

async function withBar<T>(
  title: string,
  work: (onFrame: (done: number, count: number) => void) => Promise<T>,
): Promise<T> {
  const bar = new SingleBar({
    format: `${title} [{bar}] {value}/{total} frames, {eta_formatted} left`,
    hideCursor: true,
  });
  // The results go to stdout, the bar to stderr, and only to a terminal.
  let started = false;
  try {
    return await work((done, count) => {
      if (!process.stderr.isTTY) return;
      if (!started) bar.start(count, 0);
      started = true;
      bar.update(done);
    });
  } finally {
    if (started) bar.stop();
  }
}

function print(result: object, format: 'json' | 'text'): void {
  if (format === 'json') {
    console.log(JSON.stringify(result));
    return;
  }
  const shown = (value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(4) : String(value);
  for (const [name, value] of Object.entries(result)) {
    if (!Array.isArray(value)) console.log(`${name.padEnd(22)} ${shown(value)}`);
    else for (const row of value as object[]) console.log(Object.values(row).map(shown).join('\t'));
  }
}

async function measure(flags: EvaluateFlags): Promise<object> {
  const { dataset, heldout, baseline, model, run, best, depthHead } = flags;
  if ((dataset === undefined) === (heldout === undefined)) {
    throw new Error('evaluate needs either --dataset DIR or --heldout');
  }
  if ([model, run, baseline].filter((measured) => measured !== undefined).length !== 1)
    throw new Error('evaluate needs one of --model FILE, --run DIR and --baseline NAME');
  if (run === undefined && (best || depthHead)) throw new Error('--best and --depth-head belong to --run DIR');
  if (dataset !== undefined) {
    const cameraFile = resolveFile(flags.camera);
    return withBar('evaluate', async (onFrame) => {
      const options: EvaluateOptions = { ...flags, cameraFile, onFrame };
      if (model !== undefined) return evaluateModel(model, dataset, options);
      if (run !== undefined) return evaluatePredictor(runPredictor(run, { best, depthHead }), dataset, options);
      if (baseline === 'constant') return evaluatePredictor(constantPredictor, dataset, options);
      const { intrinsics } = await openDepthDataset(dataset, options);
      return evaluatePredictor(groundPlanePredictor(intrinsics, undefined, flags.maxDepth), dataset, options);
    });
  }
  if (model === undefined) throw new Error('--heldout measures exported models only (--model FILE)');
  const part = flags.part ?? 'heldOut';
  if (part === 'all') throw new Error('--heldout takes --part heldOut or --part train');
  const cameraFile = resolveFile(flags.camera);
  const drives: PreparedDrive[] = [];
  for (const path of heldout?.length ? heldout : SAMPLE_DRIVES) {
    drives.push(await prepare(await openRecording(resolveFile(path), { cameraFile }), preparedFolder()));
  }
  return withBar('evaluate', (onFrame) => evaluateHeldOut(model, drives, { ...flags, part, onFrame }));
}

export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('measure a model: against ground truth (--dataset) or on the held-out ends of drives (--heldout)')
    .option('--model <file>', 'model as depthgrad export writes it')
    .option(
      '--run <dir>',
      'run folder of depthgrad train, of any network: averaged weights at the recipe’s network size',
    )
    .option('--best', 'of the run: the checkpoint with the lowest validation figure (default: the last one)')
    .option('--depth-head', 'of the run: the depth head alone, before the fusion')
    .addOption(new Option('--baseline <name>', 'measure this instead of a model').choices(['constant', 'ground-plane']))
    .option('--dataset <recording>', 'recording with measured depth, in any layout of docs/datasets.md')
    .option('--heldout [recordings...]', `last fifth of these drives (default: ${SAMPLE_DRIVES.join(', ')})`)
    .addOption(
      new Option(
        '--part <part>',
        'which frames (default: all with --dataset, heldOut with --heldout); settle choices on train, or the held-out part is none any more',
      ).choices(['all', 'train', 'heldOut']),
    )
    .option('--camera <yaml>', 'camera file of the drives that are videos', SAMPLE_CAMERA)
    .option(
      '--strides <list>',
      'frames between source and target',
      (text) => text.split(',').map(positiveInteger),
      [1, 2, 3],
    )
    .option('--every <n>', 'take every n-th frame of the part', positiveInteger, 5)
    .option('--min-depth <m>', 'nearest ground truth counted', positive, EIGEN_PROTOCOL.minDepth)
    .option('--max-depth <m>', 'farthest ground truth counted; 10 indoors', positive, EIGEN_PROTOCOL.maxDepth)
    .addOption(new Option('--crop <part>', 'part of the image counted').choices(['garg', 'none']).default('garg'))
    .option('--threads <n>', 'compute threads', positiveInteger, 2)
    .addOption(new Option('--format <kind>', 'how to print').choices(['json', 'text']).default('text'))
    .action(async (flags: EvaluateFlags) => {
      // A bare --heldout arrives as true.
      const heldout = (flags.heldout as unknown) === true ? [] : flags.heldout;
      print(await measure({ ...flags, heldout }), flags.format);
    });
}
