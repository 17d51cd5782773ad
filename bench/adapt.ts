/**
 * npm run bench:adapt: what learning on the vehicle costs the running depth_node, and what a step of it costs.
 *
 *     npm run bench:adapt -- --json adapt.json --table docs/benchmarks.md                     measure
 *     npm run bench:adapt -- --soak 30 --json adapt.json --table docs/benchmarks.md          and half an hour of a looped drive
 *     npm run bench:adapt -- --from adapt.json --table docs/benchmarks.md                    the table again from a file
 */
import { end, onEnd } from '../src/nodes/ros/endOnSignal';
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { stopAllNodes } from '../src/demo/nodeProcess';
import { resolveFile } from '../src/paths';
import { positive, positiveInteger } from '../src/training/flags';
import type { AdaptReport, StepCost } from './adaptReport';
import { measureBeside } from './adaptRuns';
import { measureAdaptSoak } from './adaptSoak';
import { replaceAdaptTable } from './adaptTable';
import { describeMachine } from './machine';
import { readReport, writeReport, type ReportFlags } from './reportFiles';

interface Options extends ReportFlags {
  readonly model: string;
  readonly drive: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly steps: number;
  readonly soak?: number;
  readonly soakFrom?: string;
}

const THREADS = 2;
const SOAK_MODEL_DRIVE = 'mountain';

const log = (text: string): void => void process.stderr.write(`bench:adapt: ${text}\n`);

const COMMAND = 'npm run bench:adapt';

async function main(options: Options): Promise<void> {
  await writeReport(options, {
    command: COMMAND,
    measure: () => measureAll(options),
    writeTable: replaceAdaptTable,
    log,
  });
  await end(0);
}

async function measureAll({ model, drive, rounds, seconds, steps, soak, soakFrom }: Options): Promise<AdaptReport> {
  const python = process.env.DEPTHGRAD_PYTHON;
  if (!process.env.ROS_DISTRO || !python)
    throw new Error('ROS 2 is not in this environment: use npm run bench:adapt, or "source scripts/env.sh"');
  const earlier = soakFrom && (await readReport<AdaptReport>(soakFrom, COMMAND)).soak;
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, 101)}`;
  onEnd(stopAllNodes);
  const machine = describeMachine(log);
  const modelPath = resolve(resolveFile(model));
  log('a step');
  const costs = await measureSteps(modelPath, drive, steps);
  const folder = await mkdtemp(join(tmpdir(), 'depthgrad-bench-'));
  onEnd(() => rm(folder, { recursive: true, force: true }));
  const beside = await measureBeside({ python, modelPath, threads: THREADS, drive, folder, rounds, seconds, log });
  const report = { machine, model, threads: THREADS, rounds, seconds_per_measurement: seconds, ...beside, ...costs };
  if (earlier) return { ...report, soak: earlier };
  if (soak === undefined) return report;
  log(`${soak} minutes of a looped drive`);
  const options = { seconds: 60 * soak, modelPath, threads: THREADS, drive: SOAK_MODEL_DRIVE };
  return { ...report, soak: await measureAdaptSoak(options) };
}

type StepCosts = Record<'frozen_encoder' | 'trained_encoder', StepCost>;

/** In a process of its own, with one thread as on the vehicle. */
async function measureSteps(modelPath: string, drive: string, steps: number): Promise<StepCosts> {
  const script = [join(__dirname, 'stepCost.js'), modelPath, drive, `${steps}`];
  const env = { ...process.env, TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' };
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, ...script], { env });
  return JSON.parse(stdout) as StepCosts;
}

const program = new Command('bench:adapt')
  .description('Measures what learning on the vehicle costs depth_node, and what a step of it costs.')
  .option('--json <file>', 'write the figures to this file')
  .option('--table <file>', 'write the table between the marks of this Markdown file')
  .option('--from <file>', 'do not measure: take the figures from this file, for --table')
  .option('--model <file>', 'ONNX model', 'models/default.onnx')
  .option('--drive <recording>', 'what the camera sees', 'challenge03.mp4')
  .option('--rounds <n>', 'rounds of depth_node alone and with adaptation_node', positiveInteger, 3)
  .option('--seconds <n>', 'length of each measurement', positive, 20)
  .option('--steps <n>', 'steps to measure', positiveInteger, 20)
  .option('--soak <minutes>', 'also play a looped drive through all nodes', positive)
  .option('--soak-from <file>', 'take the looped drive out of the figures of an earlier run')
  .action(main);

program.parseAsync().catch((error: Error) => {
  log(error.message);
  void end(1);
});
