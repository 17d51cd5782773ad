/** `depthgrad adapt`: the offline twin of the adaptation on the vehicle. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { InvalidArgumentError, type Command } from 'commander';
import { resolveFile } from '../paths';
import type { PreparedDrive } from '../training/datasets/prepared';
import { count, positive, positiveInteger, SAMPLE_CAMERA } from '../training/flags';
import { makeRunFolder, REPORT_FILE } from '../training/runFolder';
import { defaultOptions, type AdaptationOptions } from './options';
import { openDrive } from './sourceDrives';
import { runTwin } from './twin';
import { TWIN_FILES, writeTwin } from './twinReport';

interface AdaptFlags {
  model: string;
  source: string[];
  target: string;
  out: string;
  camera: string;
  sourceCamera?: string;
  seed: number;
  stepsPerFrame: number;
  measureEvery: number;
  sourceTriplets: number;
  set: Partial<AdaptationOptions>;
}

/** `learningRate=2e-4`, `losses.photometric=1`; what is no option is refused by the learner, which names it. */
function setOption(text: string, before: Partial<AdaptationOptions> = {}): Partial<AdaptationOptions> {
  const match = /^(?:(losses)\.)?([A-Za-z_]+)=(.+)$/.exec(text);
  const value = Number(match?.[3] ?? NaN);
  if (!match || Number.isNaN(value))
    throw new InvalidArgumentError('it has the form name=number or losses.term=number');
  const [, losses, name] = match;
  if (!losses) return { ...before, [name]: value };
  return { ...before, losses: { ...(before.losses ?? defaultOptions.losses), [name]: value } };
}

async function adapt(flags: AdaptFlags): Promise<void> {
  const { model, source, target, out, camera, sourceCamera = camera, set, ...options } = flags;
  makeRunFolder(out);
  const onnx = readFileSync(resolveFile(model));
  const sources: PreparedDrive[] = [];
  for (const path of source) sources.push(await openDrive(path, sourceCamera));
  const drive = await openDrive(target, camera);
  const bar = new SingleBar({
    format: 'adapt [{bar}] {value}/{total} frames, {eta_formatted} left',
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 10_000,
  });
  bar.start(drive.count, 0);
  try {
    const result = await runTwin(onnx, sources, drive, {
      ...options,
      ...set,
      onFrame: (done) => bar.update(done),
      onWarning: (message) => console.error(`adapt: ${message}`),
    });
    await writeTwin(out, result, `${drive.name}, from ${sources.map(({ name }) => name).join(', ')}`);
    const { place_error: place, source_error: held, promoted, rolled_back: rolledBack, steps, sha256 } = result.report;
    const figure = ({ before, after }: { before: number; after: number }): string =>
      `${before.toFixed(4)} -> ${after.toFixed(4)} (${(100 * (after / before - 1)).toFixed(1)} %)`;
    console.log(`${steps} steps, ${promoted} promoted, ${rolledBack} rolled back`);
    console.log(`place, second half: ${figure(place)}; source, held out: ${figure(held)}`);
    console.log(`${join(out, TWIN_FILES.model)}: sha256 ${sha256}; report ${join(out, REPORT_FILE)}`);
  } finally {
    bar.stop();
    for (const one of [...sources, drive]) one.close();
  }
}

export function registerAdapt(program: Command): void {
  program
    .command('adapt')
    .description('adapt a model to a recording as on the vehicle, without ROS: the same learner, bit-exact for a seed')
    .requiredOption('--model <file>', 'model that depthgrad export wrote: start and frozen reference')
    .requiredOption('--source <recordings...>', 'what it was trained on: replayed, and judged by')
    .requiredOption('--target <recording>', 'the new place, frame by frame: video, bag, folder or data set')
    .requiredOption('--out <dir>', 'folder for model.onnx, report.json, report.html, log.jsonl')
    .option('--camera <yaml>', 'camera file of recordings that have none of their own', SAMPLE_CAMERA)
    .option('--source-camera <yaml>', 'the same for the source, where it is another (default: --camera)')
    .option('--seed <n>', 'of what is replayed', count, defaultOptions.seed)
    .option(
      '--steps-per-frame <n>',
      'pieces of work per frame; 0.04 is one a second at 25 frames a second',
      positive,
      1,
    )
    .option('--measure-every <n>', 'measure every n-th triplet of the target', positiveInteger, 2)
    .option('--source-triplets <n>', 'of the held-out part, measured before and after', positiveInteger, 40)
    .option('--set <name=value>', 'a parameter of docs/adaptation.md; may be given again', setOption)
    .action(adapt);
}
