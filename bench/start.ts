/**
 * npm run bench:start: how long depth_node takes from the start of its process to active, and what of that is spent on what.
 *
 *     npm run bench:start -- --json start.json --table docs/benchmarks.md          measure
 *     npm run bench:start -- --from start.json --table docs/benchmarks.md          the table again from a file
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { nodeCommand } from '../src/demo/nodeProcess';
import { hundredth } from '../src/demo/percentiles';
import { resolveFile } from '../src/paths';
import { positiveInteger } from '../src/training/flags';
import { describeMachine } from './machine';
import { writeReport, type ReportFlags } from './reportFiles';
import { replaceStartTable, STEPS, type Start, type StartReport } from './startTable';

const LIMIT_MS = 60_000;
/** Before those that count: files and compiled code are in the caches then. */
const WARM_UPS = 2;

interface StartOptions extends ReportFlags {
  readonly model: string;
  readonly threads: number;
  readonly starts: number;
}

const log = (text: string): void => void process.stderr.write(`bench:start: ${text}\n`);

async function measureStarts({ model, threads, starts }: StartOptions): Promise<StartReport> {
  if (!process.env.ROS_DISTRO) throw new Error('ROS 2 is not in this environment: use npm run bench:start');
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, 101)}`;
  const machine = describeMachine(log);
  const path = resolve(resolveFile(model));
  for (let i = 0; i < WARM_UPS; i++) await start(path, threads);
  const measured: Start[] = [];
  for (let i = 0; i < starts; i++) measured.push(await start(path, threads));
  return { machine, model, threads, starts: measured };
}

/** One start, from before the process is there to its line that it is ready. */
async function start(model: string, threads: number): Promise<Start> {
  const [program, ...first] = nodeCommand('depthNode');
  const parameters = ['-p', `model:=${model}`, '-p', `threads:=${threads}`];
  const began = performance.now();
  const child = spawn(program, [...first, '--ros-args', ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const late = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  try {
    let output = '';
    const found = await new Promise<Start>((done, fail) => {
      const read = (line: string): void => {
        output += `${line}\n`;
        const times = /seconds after the start: (.*)$/.exec(line)?.[1];
        if (times) done({ active_s: hundredth((performance.now() - began) / 1000), ...stepsOf(times) });
      };
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', read);
      child.once('close', () => fail(new Error(`depth_node ended before it was ready:\n${output}`)));
    });
    return found;
  } finally {
    clearTimeout(late);
    child.kill('SIGINT');
    await ended;
  }
}

/** `modules 0.31, node 0.60, ...`: from the process's own beginning to the end of each step. */
function stepsOf(times: string): Omit<Start, 'active_s'> {
  const seconds = new Map(times.split(', ').map((one) => one.split(' ') as [string, string]));
  return { steps_s: STEPS.map(({ name }) => Number(seconds.get(name))) };
}

const program = new Command('bench:start')
  .description('Measures how long depth_node takes from the start of its process to active.')
  .option('--json <file>', 'write the figures to this file')
  .option('--table <file>', 'write the table between the marks of this file')
  .option('--from <file>', 'take the figures from this file instead of measuring')
  .option('--model <file>', 'ONNX model', 'models/default.onnx')
  .option('--threads <n>', 'threads of the onnxruntime session', positiveInteger, 2)
  .option('--starts <n>', 'starts that are measured', positiveInteger, 10)
  .action((options: StartOptions) =>
    writeReport(options, {
      command: 'npm run bench:start',
      measure: () => measureStarts(options),
      writeTable: replaceStartTable,
      log,
    }),
  );

program.parseAsync().catch((error: Error) => {
  log(error.message);
  process.exitCode = 1;
});
