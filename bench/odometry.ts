/**
 * npm run bench:odometry: depth_node's odometry on recordings with true poses, measured by evo, beside a five-point visual odometry (OpenCV); whether
 * its covariances are those of its errors; and how well speed and camera height give the metric scale.
 *
 *     npm run bench:odometry -- --data DIR --data DIR:1.65 --json odometry.json --table docs/benchmarks.md     DIR:HEIGHT where the camera's height is known
 *     ... --learned DIR:1.65:runs/adapt/model_half.onnx     besides, what learning brings: both models on the half of DIR that the twin's middle model has not seen
 *     npm run bench:odometry -- --from odometry.json --table docs/benchmarks.md                                the table again from a file
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { Command } from 'commander';
import { compose, inverse, type Se3 } from '../src/geometry/se3';
import { upperMedian } from '../src/geometry/statistics';
import { NAVIGATION_PARAMETERS } from '../src/nodes/navigationParameters';
import { resolveFile } from '../src/paths';
import { splitAt, type FrameSequence } from '../src/training/datasets/dataset';
import { openPrepared } from '../src/training/datasets/openPrepared';
import { distancesAlong } from '../src/training/evaluation/trajectory';
import { writeTumTrajectory } from '../src/training/evaluation/tumFile';
import { SAMPLE_CAMERA } from '../src/training/flags';
import { describeMachine } from './machine';
import type { Consistency, OdometryReport, PathErrors, RecordingReport, ScaleErrors } from './odometryReport';
import { runOdometry, runPeer, type Run } from './odometryRuns';
import { replaceOdometryTable } from './odometryTable';
import { writeReport, type ReportFlags } from './reportFiles';

/** 95 % of the chi-square distribution of six degrees of freedom. */
const CHI_SQUARE_95 = 12.592;
/** Frames to either side over which the true scale of a frame is taken. */
const SCALE_WINDOW = 25;
/** The node's own where they matter. */
const RUN = { fixedScale: 1, cameraHeight: 0, leastSpeed: NAVIGATION_PARAMETERS.least_speed.value };

interface OdometryOptions extends ReportFlags {
  readonly model: string;
  readonly data: readonly string[];
  readonly learned: readonly string[];
}

/** A recording, or its second half, to be measured by a model. */
interface Subject {
  readonly path: string;
  readonly height?: number;
  readonly model: string;
  /** What there is to say of it besides its name. */
  readonly note?: string;
  readonly secondHalf?: boolean;
}

const log = (text: string): void => void process.stderr.write(`bench:odometry: ${text}\n`);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function subjectsOf({ model: usual, data, learned }: OdometryOptions): Subject[] {
  const model = resolve(resolveFile(usual));
  const whole = data.map((text) => {
    const [path, height] = text.split(':');
    return { path, height: height === undefined ? undefined : Number(height), model };
  });
  const halves = learned.flatMap((text) => {
    const [path, height, its] = text.split(':');
    if (!its) throw new Error(`--learned ${text}: it has the form DIR:HEIGHT:MODEL`);
    const half = { path, height: Number(height), secondHalf: true };
    return [
      { ...half, model, note: 'second half' },
      { ...half, model: resolve(resolveFile(its)), note: 'second half, having learned on the first' },
    ];
  });
  return [...whole, ...halves];
}

async function measureOdometry(options: OdometryOptions): Promise<OdometryReport> {
  const { model } = options;
  const python = process.env.DEPTHGRAD_PYTHON;
  if (!python) throw new Error('the python of the tests is not in this environment: use npm run bench:odometry');
  const subjects = subjectsOf(options);
  if (subjects.length === 0) throw new Error('give recordings with true poses: --data DIR');
  const machine = describeMachine(log);
  const evo = execFileSync('bash', [join(__dirname, '../../bench/peers/evo.sh')], { encoding: 'utf8' }).trim();
  const recordings: RecordingReport[] = [];
  const costs: number[] = [];
  for (const subject of subjects) {
    const { report, costMs } = await measureRecording(subject, { python, evo });
    recordings.push(report);
    costs.push(...costMs);
  }
  return { machine, model, recordings, cost_ms: upperMedian(costs) };
}

async function measureRecording(
  { path, height, model, note, secondHalf }: Subject,
  { python, evo }: { readonly python: string; readonly evo: string },
): Promise<{ report: RecordingReport; costMs: readonly number[] }> {
  const whole = await openPrepared(path, resolveFile(SAMPLE_CAMERA));
  const drive = secondHalf ? framesFrom(whole, whole.count >> 1) : whole;
  const { poses } = drive;
  if (!poses?.every((pose): pose is Se3 => pose !== undefined))
    throw new Error(`${path}: not every frame has a true pose; bench:odometry needs them`);
  const truth: readonly Se3[] = poses;
  const stamps = truth.map((_, i) => drive.stamps?.[i] ?? i / drive.framesPerSecond);
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-odometry-'));
  const write = async (name: string, path: readonly Se3[]): Promise<string> => {
    const file = join(folder, `${name}.tum`);
    await writeTumTrajectory(
      file,
      stamps,
      path.map((pose) => compose(inverse(path[0]), pose)),
    );
    return file;
  };
  const errors = async (name: string, estimate: readonly Se3[], start = 0): Promise<PathErrors> => {
    const files = [await write('truth', truth.slice(start)), await write(name, estimate.slice(start))];
    const script = join(__dirname, '../../bench/peers/evo_errors.py');
    return JSON.parse(execFileSync(evo, [script, ...files], { encoding: 'utf8' })) as PathErrors;
  };
  log(`${drive.name}: ${truth.length} frames`);
  const own = await runOdometry(model, drive, truth, { ...RUN, scaleSource: 'none' });
  const bySpeed = await runOdometry(model, drive, truth, { ...RUN, scaleSource: 'velocity' });
  const scales = [scaleErrors('velocity', bySpeed, truth)];
  if (height !== undefined) {
    const options = { ...RUN, scaleSource: 'camera_height', cameraHeight: height } as const;
    scales.push(scaleErrors('camera_height', await runOdometry(model, drive, truth, options), truth));
  }
  const peer = await runPeer(python, drive, truth);
  const report: RecordingReport = {
    name: [basename(resolve(path)), note].filter((part) => part !== undefined).join(', '),
    frames: truth.length,
    own: await errors('own', own.poses),
    by_speed: await errors('by_speed', bySpeed.poses, bySpeed.start),
    peer: { ...(await errors('peer', peer.poses)), lost: peer.lost },
    consistency: consistencyOf(bySpeed),
    lost: own.lost,
    scales,
  };
  log(JSON.stringify(report));
  return { report, costMs: own.costMs };
}

function framesFrom(drive: FrameSequence, first: number): FrameSequence {
  const { name, width, height, framesPerSecond, intrinsics, motion, stamps, poses } = drive;
  const count = drive.count - first;
  return {
    ...{ name, count, width, height, framesPerSecond, intrinsics },
    motion: Array.from(motion).slice(first),
    stamps: stamps?.slice(first),
    poses: poses?.slice(first),
    readFrame: (index, into) => drive.readFrame(first + index, into),
    split: () => splitAt(count),
  };
}

/** From the first frame with a known scale on. */
function consistencyOf({ motionErrors, poseErrors, stretchErrors, scales }: Run): Consistency {
  const first = Math.max(0, scales.findIndex(({ known }) => known) - 1);
  const within = (values: readonly number[]): number => mean(values.map((value) => (value < CHI_SQUARE_95 ? 1 : 0)));
  const [motions, poses] = [motionErrors.slice(first), poseErrors.slice(first)];
  return {
    motion_within: within(motions),
    pose_within: within(poses),
    stretch_within: within(stretchErrors),
    motion_mean: mean(motions),
    pose_mean: mean(poses),
    stretch_mean: mean(stretchErrors),
  };
}

function scaleErrors(
  source: ScaleErrors['source'],
  { scales, ways, outliers }: Run,
  truth: readonly Se3[],
): ScaleErrors {
  const along = distancesAlong(truth);
  const errors: number[] = [];
  let largestStep = 0;
  for (const [i, { scale, known }] of scales.entries()) {
    if (!known) continue;
    const [from, to] = [Math.max(0, i - SCALE_WINDOW), Math.min(truth.length - 1, i + SCALE_WINDOW)];
    const estimated = ways.slice(from + 1, to + 1).reduce((sum, way) => sum + way, 0);
    if (along[to] - along[from] > 0 && estimated > 0)
      errors.push(Math.abs((scale * estimated) / (along[to] - along[from]) - 1));
    if (i > 0 && scales[i - 1].known) largestStep = Math.max(largestStep, Math.abs(scale / scales[i - 1].scale - 1));
  }
  return {
    source,
    known: scales.filter(({ known }) => known).length / scales.length,
    median: upperMedian(errors),
    largest_step: largestStep,
    outliers,
  };
}

const andBefore = (value: string, before: readonly string[]): readonly string[] => [...before, value];

const program = new Command('bench:odometry')
  .description(
    "Measures depth_node's odometry and metric scale on recordings with true poses, beside a five-point visual odometry.",
  )
  .option('--json <file>', 'write the figures to this file')
  .option('--table <file>', 'write the table between the marks of this file')
  .option('--from <file>', 'take the figures from this file instead of measuring')
  .option('--model <file>', 'exported model', 'models/default.onnx')
  .option(
    '--data <dir[:height]>',
    'a recording with true poses, and the height of its camera in metres; may be given again',
    andBefore,
    [],
  )
  .option(
    '--learned <dir:height:model>',
    'the second half of a recording by --model and by a model that learned on the first: model_half.onnx of depthgrad adapt',
    andBefore,
    [],
  )
  .action((options: OdometryOptions) =>
    writeReport(options, {
      command: 'npm run bench:odometry',
      measure: () => measureOdometry(options),
      writeTable: replaceOdometryTable,
      log,
    }),
  );

program.parseAsync().catch((error: Error) => {
  log(error.message);
  process.exitCode = 1;
});
