/**
 * npm run bench:places: does adaptation help in the new place and not hurt in the old one? The offline twin over two places, one pass each.
 *
 *     npx depthgrad train config/recipes/default.yaml --drives project_video03.mp4 --out runs/highway
 *     npx depthgrad export runs/highway --out out/highway.onnx
 *     npm run bench:places -- --highway out/highway.onnx --json places.json --table docs/benchmarks.md --images docs/images
 *
 * KITTI is left out, and said so, where the shared data folder (DEPTHGRAD_SHARED_DATA) is not there.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import type { TwinReport } from '../src/adaptation/twin';
import { packageRoot } from '../src/paths';
import { positiveInteger } from '../src/training/flags';
import { describeMachine } from './machine';
import { writePlacePictures } from './placesFigure';
import { replacePlacesTable, type PlaceFigures, type PlacesReport } from './placesTable';
import { writeReport, type ReportFlags } from './reportFiles';

interface Options extends ReportFlags {
  readonly highway?: string;
  readonly out: string;
  readonly images?: string;
  readonly seed: number;
}

interface Place {
  readonly name: string;
  readonly model: string;
  readonly source: readonly string[];
  readonly target: string;
  readonly stepsPerFrame: number;
  /** With measured depth: the model before and after on it. */
  readonly truth?: string;
}

const HIGHWAY = 'project_video03.mp4';
const MOUNTAIN = 'challenge03.mp4';
const shared = process.env.DEPTHGRAD_SHARED_DATA ?? join(packageRoot(), '..', 'shared', 'data');
const KITTI = { target: join(shared, 'kitti_odo00_f000-419'), truth: join(shared, 'kitti_raw_0926_lidar') };

const log = (text: string): void => void process.stderr.write(`bench:places: ${text}\n`);

function placesOf({ highway }: Options): Place[] {
  const places: Place[] = [];
  if (highway) places.push({ name: 'mountain', model: highway, source: [HIGHWAY], target: MOUNTAIN, stepsPerFrame: 1 });
  else log('no mountain: --highway names a model trained on the highway alone');
  // 420 frames are 42 s of driving: every triplet is learned from three times.
  if (existsSync(KITTI.target) && existsSync(KITTI.truth))
    places.push({
      name: 'KITTI 00',
      model: 'models/default.onnx',
      source: [HIGHWAY, 'challenge02.mp4', MOUNTAIN],
      stepsPerFrame: 3,
      ...KITTI,
    });
  else log(`no KITTI: ${KITTI.target} or ${KITTI.truth} is not there (DEPTHGRAD_SHARED_DATA)`);
  return places;
}

function main(options: Options): Promise<void> {
  return writeReport(options, {
    command: 'npm run bench:places',
    measure: () => measureAll(options),
    writeTable: replacePlacesTable,
    log,
  });
}

async function measureAll(options: Options): Promise<PlacesReport> {
  const { cpu, node } = describeMachine(log);
  const places: PlaceFigures[] = [];
  for (const place of placesOf(options)) places.push(await measure(place, options));
  return { cpu, node, seed: options.seed, places };
}

async function measure(place: Place, { out, seed, images }: Options): Promise<PlaceFigures> {
  const { name, model, source, target, stepsPerFrame, truth } = place;
  const folder = join(out, name.toLowerCase().replace(' ', '_'));
  const often = ['--steps-per-frame', `${stepsPerFrame}`, '--set', `stepsPerTriplet=${stepsPerFrame}`];
  const started = performance.now();
  const drives = ['--source', ...source, '--target', target];
  await depthgrad(['adapt', '--model', model, ...drives, '--out', folder, '--seed', `${seed}`, ...often]);
  const minutes = (performance.now() - started) / 60_000;
  if (images) await writePlacePictures({ run: folder, name: basename(folder), images, withDepth: !truth });
  const twin = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as TwinReport;
  const evaluate = async (onnx: string): Promise<PlaceFigures['truth_after']> => {
    const text = await depthgrad(['evaluate', '--model', onnx, '--dataset', truth!, '--format', 'json']);
    const { abs_rel, rms, a1 } = JSON.parse(text) as Record<'abs_rel' | 'rms' | 'a1', number>;
    return { abs_rel, rms, a1 };
  };
  const measured = truth && {
    truth_before: await evaluate(model),
    truth_after: await evaluate(join(folder, 'model.onnx')),
  };
  return { name, minutes, steps_per_frame: stepsPerFrame, twin, ...measured };
}

/** Runs the command of this package; its progress goes to this one's. @returns what it wrote */
async function depthgrad(given: readonly string[]): Promise<string> {
  const script = join(packageRoot(), 'dist', 'src', 'cli.js');
  const child = spawn(process.execPath, [...process.execArgv, script, ...given], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`depthgrad ${given.join(' ')}: ended with code ${code ?? 'of a signal'}`);
  return text;
}

const program = new Command('bench:places')
  .description('Measures what adaptation does to a model in a new place and in the old one, by the offline twin.')
  .option('--highway <file>', 'model trained on the highway alone, for the mountain road')
  .option('--json <file>', 'write the figures to this file')
  .option('--table <file>', 'write the table between the marks of this Markdown file')
  .option('--from <file>', 'do not measure: take the figures from this file, for --table')
  .option('--out <dir>', 'folder for reports and adapted models', 'runs/places')
  .option('--images <dir>', 'write curves, and depth before and after, as pictures to this folder')
  .option('--seed <n>', 'of what is replayed', positiveInteger, 1)
  .action(main);

program.parseAsync().catch((error: Error) => {
  log(error.message);
  process.exitCode = 1;
});
