/**
 * npm run bench: bare session.run, depth_node and its Python peer, in turns, so that a drift of the machine meets all of them.
 *
 *     npm run bench -- --json bench.json                               measure
 *     npm run bench -- --json bench.json --soak --table docs/benchmarks.md    everything, and into the documentation
 *     npm run bench -- --from bench.json --table docs/benchmarks.md   the table again from a file
 */
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { stopAllNodes } from '../src/demo/nodeProcess';
import { hundredth, percentiles } from '../src/demo/percentiles';
import { readModelFile, type ModelFile } from '../src/inference/modelFile';
import { resolveFile } from '../src/paths';
import { positive, positiveInteger } from '../src/training/flags';
import { describeMachine } from './machine';
import type { BenchReport } from './report';
import { writeReport, type ReportFlags } from './reportFiles';
import { measureSessionRun } from './sessionRun';
import { measureSoak } from './soak';
import { replaceTable } from './table';
import { measure, startTarget, type Target, type TargetName } from './targets';

interface BenchOptions extends ReportFlags {
  readonly model: string;
  readonly threads: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly soak?: number | true;
  readonly quick: boolean;
}

const HIGHEST_DOMAIN = 100;
const CAMERA_RATE = 25;
const SOAK_SECONDS = 60;
const TARGETS: readonly TargetName[] = ['node', 'peer', 'peer_opencv'];

const program = new Command('bench')
  .description('Measures bare session.run, depth_node and its Python peer, and compares them.')
  .option('--json <file>', 'write the figures to this file')
  .option('--table <file>', 'write the tables between the marks of this Markdown file')
  .option('--from <file>', 'do not measure: take the figures from this file, for --table')
  .option('--model <file>', 'ONNX model', 'models/default.onnx')
  .option('--threads <n>', 'threads of every onnxruntime session', positiveInteger, 2)
  .option('--rounds <n>', 'rounds over all candidates', positiveInteger, 3)
  .option('--seconds <n>', 'length of each measurement', positive, 10)
  .option(
    '--soak [seconds]',
    `also play 1280x720 through replay_node and depth_node (default ${SOAK_SECONDS} s)`,
    positive,
  )
  .option('--quick', 'one round of 2 s each: checks that it works, the figures are rough', false);

function main(options: BenchOptions): Promise<void> {
  return writeReport(options, {
    command: 'npm run bench',
    measure: () => measureAll(options),
    writeTable: replaceTable,
    log,
  });
}

async function measureAll(options: BenchOptions): Promise<BenchReport> {
  const python = process.env.DEPTHGRAD_PYTHON;
  if (!process.env.ROS_DISTRO || !python)
    throw new Error('ROS 2 is not in this environment: use npm run bench, or "source scripts/env.sh"');
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, HIGHEST_DOMAIN + 1)}`;
  const machine = describeMachine(log);
  const modelPath = resolve(resolveFile(options.model));
  const model = await readModelFile(modelPath);
  const { threads } = options;
  const rounds = options.quick ? 1 : options.rounds;
  const seconds = options.quick ? 2 : options.seconds;

  const figures = await compare({ model, modelPath, python, threads, rounds, seconds });
  const { name, version, sha256, width, height } = model.description;
  const conditions = {
    ...machine,
    ros: `${process.env.ROS_DISTRO}, ${process.env.RMW_IMPLEMENTATION ?? 'default rmw'}`,
    threads,
    rounds,
    seconds_per_measurement: seconds,
    model: { name, version, sha256, width, height },
  };
  if (options.soak === undefined) return { ...figures, conditions };
  const soakSeconds = options.soak === true ? SOAK_SECONDS : options.soak;
  log(`1280x720 through replay_node and depth_node for ${soakSeconds} s`);
  const soak = await measureSoak({ seconds: soakSeconds, modelPath, threads });
  log(
    `  ${soak.depths_per_s} depths/s, ${(100 * soak.dropped_share).toFixed(2)} % of ${soak.published} images without a depth`,
  );
  return { ...figures, conditions, soak };
}

interface CompareOptions {
  readonly model: ModelFile;
  readonly modelPath: string;
  readonly python: string;
  readonly threads: number;
  readonly rounds: number;
  readonly seconds: number;
}

/** Figures of all candidates, in turns. */
async function compare(options: CompareOptions): Promise<Omit<BenchReport, 'conditions' | 'soak'>> {
  const { model, modelPath, python, threads, rounds, seconds } = options;
  const { width, height } = model.description;
  const bare = { modelBytes: model.bytes, description: model.description, threads, seconds: seconds / 2 };
  const runs = new Series<number>();
  const rates = new Series<number>();
  const targets: Target[] = TARGETS.map((name) => startTarget(name, { python, modelPath, threads }));
  try {
    for (let round = 0; round < rounds; round++) {
      log(`round ${round + 1} of ${rounds}`);
      runs.add('session', await measureSessionRun({ ...bare, width, height }));
      runs.add('session 640x480', await measureSessionRun({ ...bare, width: 640, height: 480 }));
      log(`  session.run ${describe(runs.get('session'))} ms`);
      for (const target of targets) {
        const { name } = target;
        const vga = { python, width: 640, height: 480, seconds };
        const paced = await measure(target, { ...vga, rate: CAMERA_RATE });
        runs.add(name, paced.latencies_ms);
        const fast = await measure(target, { ...vga, rate: 0 });
        rates.add(name, [fast.per_second]);
        if (name !== 'peer_opencv') {
          const hd = await measure(target, { ...vga, width: 1280, height: 720, rate: 0 });
          rates.add(`${name} 1280x720`, [hd.per_second]);
        }
        log(
          `  ${name} ${describe(runs.get(name))} ms (${paced.received} of ${paced.published} images), ${fast.per_second.toFixed(1)} depths/s`,
        );
      }
    }
  } finally {
    await Promise.all(targets.map(({ process }) => process.stop()));
  }
  const rate = (name: string): number => hundredth(mean(rates.get(name)));
  return {
    session_run_ms: percentiles(runs.get('session')),
    node_latency_ms: percentiles(runs.get('node')),
    peer_latency_ms: percentiles(runs.get('peer')),
    node_fps: rate('node'),
    peer_fps: rate('peer'),
    session_run_640x480_ms: percentiles(runs.get('session 640x480')),
    peer_opencv_latency_ms: percentiles(runs.get('peer_opencv')),
    peer_opencv_fps: rate('peer_opencv'),
    node_fps_1280x720: rate('node 1280x720'),
    peer_fps_1280x720: rate('peer 1280x720'),
  };
}

/** Values under names, over all rounds. */
class Series<T> {
  readonly #values = new Map<string, T[]>();

  add(name: string, values: readonly T[]): void {
    this.#values.set(name, [...this.get(name), ...values]);
  }

  get(name: string): readonly T[] {
    return this.#values.get(name) ?? [];
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function describe(values: readonly number[]): string {
  const { p50, p95 } = percentiles(values);
  return `p50 ${p50.toFixed(1)} p95 ${p95.toFixed(1)}`;
}

function log(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

let ending = false;
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    if (ending) return;
    ending = true;
    log(`ended by ${signal}, nothing written`);
    void stopAllNodes().finally(() => process.exit(code));
  });
}
program.parse();
main(program.opts<BenchOptions>()).then(
  () => void (ending || process.exit(0)),
  (error: unknown) => {
    if (ending) return;
    log(error instanceof Error ? error.message : String(error));
    void stopAllNodes().finally(() => process.exit(1));
  },
);
