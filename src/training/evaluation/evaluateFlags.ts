/** What `depthgrad evaluate` measures, and how it is printed. */
import { SingleBar } from 'cli-progress';
import { resolveFile } from '../../paths';
import { openPrepared } from '../datasets/openPrepared';
import type { PreparedDrive } from '../datasets/prepared';
import { SAMPLE_DRIVES } from '../flags';
import type { DatasetPart } from './depthDataset';
import { evaluateDepth, type DepthSubject } from './evaluateDepth';
import { blankFault, evaluateHeldOut } from './heldOut';
import { measureTrajectory } from './measureTrajectory';
import type { DepthScaling } from './metrics';

export interface EvaluateFlags {
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

/** Measures what the flags name, and prints it. */
export async function evaluate(flags: EvaluateFlags): Promise<void> {
  print(await measure(flags), flags.format);
}
