/** `depthgrad evaluate`. */
import { SingleBar } from 'cli-progress';
import { Option, type Command } from 'commander';
import { resolveFile } from '../../paths';
import { openPrepared } from '../datasets/openPrepared';
import type { PreparedDrive } from '../datasets/prepared';
import { positive, positiveInteger, SAMPLE_CAMERA, SAMPLE_DRIVES } from '../flags';
import type { DatasetPart } from './depthDataset';
import { evaluateDepth, type DepthSubject } from './evaluateDepth';
import { blankFault, evaluateHeldOut } from './heldOut';
import { measureTrajectory } from './measureTrajectory';
import { DEPTH_SCALINGS, EIGEN_PROTOCOL, type DepthScaling } from './metrics';
import { KITTI_LENGTHS } from './trajectory';

interface EvaluateFlags {
  model?: string;
  run?: string;
  best?: boolean;
  depthHead?: boolean;
  baseline?: 'constant' | 'ground-plane' | 'straight-ahead';
  dataset?: string;
  heldout?: string[];
  trajectory?: string;
  part?: DatasetPart;
  camera: string;
  strides: number[];
  every?: number;
  minDepth: number;
  maxDepth: number;
  crop: 'garg' | 'none';
  scale: DepthScaling;
  lengths: number[];
  plot?: string;
  tum?: string;
  tumTruth?: string;
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
    else {
      const rows = value as object[];
      console.log(Object.keys(rows[0] ?? {}).join('\t'));
      for (const row of rows) console.log(Object.values(row).map(shown).join('\t'));
    }
  }
}

/** What is measured, on what: one of each. */
function checkFlags({ model, run, baseline, best, depthHead, ...flags }: EvaluateFlags): void {
  const { dataset, heldout, trajectory, plot, tum, tumTruth } = flags;
  const one = (values: readonly unknown[]) => values.filter((value) => value !== undefined).length === 1;
  if (!one([dataset, heldout, trajectory]))
    throw new Error('evaluate needs one of --dataset DIR, --heldout and --trajectory RECORDING');
  if (!one([model, run, baseline]))
    throw new Error('evaluate needs one of --model FILE, --run DIR and --baseline NAME');
  if (run === undefined && (best || depthHead)) throw new Error('--best and --depth-head belong to --run DIR');
  if (trajectory === undefined && [plot, tum, tumTruth].some((file) => file !== undefined))
    throw new Error('--plot, --tum and --tum-truth belong to --trajectory RECORDING');
  if (trajectory !== undefined && model === undefined && baseline !== 'straight-ahead')
    throw new Error('--trajectory measures exported models (--model FILE) or --baseline straight-ahead');
  if (trajectory === undefined && baseline === 'straight-ahead')
    throw new Error('--baseline straight-ahead is a motion: it belongs to --trajectory RECORDING');
}

async function measure(flags: EvaluateFlags): Promise<object> {
  checkFlags(flags);
  const { dataset, heldout, trajectory, model } = flags;
  const cameraFile = resolveFile(flags.camera);
  if (dataset !== undefined) {
    const { run, best, depthHead } = flags;
    // checkFlags leaves straight-ahead to trajectories.
    const baseline = flags.baseline as DepthSubject['baseline'];
    const subject = { model, run, baseline, best, depthHead };
    return withBar('evaluate', (onFrame) => evaluateDepth(subject, dataset, { ...flags, cameraFile, onFrame }));
  }
  if (trajectory !== undefined) {
    const drive = await openPrepared(trajectory, cameraFile);
    const protocol = { scale: flags.scale === 'none' ? 'metric' : 'fitted', lengths: flags.lengths } as const;
    return withBar('evaluate', (onFrame) => measureTrajectory(model, drive, { ...flags, protocol, onFrame }, flags));
  }
  if (model === undefined) throw new Error('--heldout measures exported models only (--model FILE)');
  const part = flags.part ?? 'heldOut';
  if (part === 'all') throw new Error('--heldout takes --part heldOut or --part train');
  const drives: PreparedDrive[] = [];
  for (const path of heldout?.length ? heldout : SAMPLE_DRIVES) drives.push(await openPrepared(path, cameraFile));
  const result = await withBar('evaluate', (onFrame) => evaluateHeldOut(model, drives, { ...flags, part, onFrame }));
  const fault = blankFault(result);
  if (fault) console.error(`evaluate: ${model}: ${fault}`);
  return result;
}

export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description(
      'measure a model: against true depth (--dataset), a true path (--trajectory), or on the held-out ends of drives (--heldout)',
    )
    .option('--model <file>', 'model as depthgrad export writes it')
    .option(
      '--run <dir>',
      'run folder of depthgrad train, of any network: averaged weights at the recipe’s network size',
    )
    .option('--best', 'of the run: the checkpoint with the lowest validation figure (default: the last one)')
    .option('--depth-head', 'of the run: the depth head alone, before the fusion')
    .addOption(
      new Option('--baseline <name>', 'measure this instead of a model').choices([
        'constant',
        'ground-plane',
        'straight-ahead',
      ]),
    )
    .option('--dataset <recording>', 'recording with measured depth, in any layout of docs/datasets.md')
    .option('--heldout [recordings...]', `last fifth of these drives (default: ${SAMPLE_DRIVES.join(', ')})`)
    .option(
      '--trajectory <recording>',
      'any recording with poses: errors of the path that the ego-motions add up to (ATE, RPE, drift, 5-frame snippets)',
    )
    .option('--plot <png>', 'of the trajectory: draw the true and the estimated path seen from above')
    .option('--tum <file>', 'of the trajectory: write the estimated path in TUM form, for evo')
    .option('--tum-truth <file>', 'of the trajectory: write the true path in TUM form, from the same origin')
    .option(
      '--lengths <list>',
      'of the segments whose drift is measured, metres',
      (text) => text.split(',').map(positive),
      [...KITTI_LENGTHS],
    )
    .addOption(
      new Option(
        '--part <part>',
        'which frames (default: heldOut with --heldout, else all); settle choices on train, or the held-out part is none any more',
      ).choices(['all', 'train', 'heldOut']),
    )
    .option('--camera <yaml>', 'camera file of recordings that have none of their own', SAMPLE_CAMERA)
    .option(
      '--strides <list>',
      'frames between source and target',
      (text) => text.split(',').map(positiveInteger),
      [1, 2, 3],
    )
    .option('--every <n>', 'take every n-th frame of the part (default: 5; a trajectory: 1)', positiveInteger)
    .option('--min-depth <m>', 'nearest ground truth counted', positive, EIGEN_PROTOCOL.minDepth)
    .option('--max-depth <m>', 'farthest ground truth counted; 10 indoors', positive, EIGEN_PROTOCOL.maxDepth)
    .addOption(new Option('--crop <part>', 'part of the image counted').choices(['garg', 'none']).default('garg'))
    .addOption(
      new Option(
        '--scale <kind>',
        'median: scale each map by the medians (a trajectory: by its Sim(3) fit); affine: fit scale and shift of its disparity; none: it is metric',
      )
        .choices(DEPTH_SCALINGS)
        .default('median'),
    )
    .option('--threads <n>', 'compute threads', positiveInteger, 2)
    .addOption(new Option('--format <kind>', 'how to print').choices(['json', 'text']).default('text'))
    .action(async (flags: EvaluateFlags) => {
      // A bare --heldout arrives as true.
      const heldout = (flags.heldout as unknown) === true ? [] : flags.heldout;
      print(await measure({ ...flags, heldout }), flags.format);
    });
}
