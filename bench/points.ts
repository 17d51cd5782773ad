/**
 * npm run bench:points: what a subscriber of ~/points costs depth_node's process, in turns with none.
 *
 *     npm run bench:points -- --json points.json --table docs/benchmarks.md          measure
 *     npm run bench:points -- --from points.json --table docs/benchmarks.md          the table again from a file
 */
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { stopAllNodes } from '../src/demo/nodeProcess';
import { hundredth } from '../src/demo/percentiles';
import { resolveFile } from '../src/paths';
import { positive, positiveInteger } from '../src/training/flags';
import { describeMachine } from './machine';
import {
  cloudMilliseconds,
  replacePointsTable,
  type PointsReport,
  type PointsRound,
  type PointsRun,
} from './pointsTable';
import { writeReport, type ReportFlags } from './reportFiles';
import { measure, startTarget, type MeasureOptions } from './targets';

/** Whole, JSON would write it as an integer, which ROS refuses for a double. */
const NO_RANGE = 1e6 - 0.5;

interface PointsOptions extends ReportFlags {
  readonly model: string;
  readonly threads: number;
  readonly width: number;
  readonly height: number;
  readonly rate: number;
  readonly rounds: number;
  readonly seconds: number;
}

const log = (text: string): void => void process.stderr.write(`bench:points: ${text}\n`);

async function measureAll(options: PointsOptions): Promise<PointsReport> {
  const python = process.env.DEPTHGRAD_PYTHON;
  if (!process.env.ROS_DISTRO || !python) throw new Error('ROS 2 is not in this environment: use npm run bench:points');
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, 101)}`;
  const machine = describeMachine(log);
  const { model, threads, width, height, rate, seconds } = options;
  const parameters = { max_range: NO_RANGE };
  const target = startTarget('node', { python, modelPath: resolve(resolveFile(model)), threads, parameters });
  const common = { python, width, height, rate, seconds };
  const run = async (more: Partial<MeasureOptions>): Promise<PointsRun> => {
    const { received, per_second, processor_s, clouds, points } = await measure(target, { ...common, ...more });
    return {
      depths: received,
      depths_per_s: hundredth(per_second),
      processor_s: hundredth(processor_s),
      clouds,
      points,
    };
  };
  const rounds: PointsRound[] = [];
  try {
    await run({ seconds: 1 }); // what is compiled and loaded with the first images
    while (rounds.length < options.rounds) {
      // Each goes first now and then: a machine that slows down with time favours none.
      const first = rounds.length % 2 === 0 ? await run({}) : undefined;
      const subscribed = await run({ points: true });
      const round = { without: first ?? (await run({})), subscribed };
      rounds.push(round);
      const { clouds, depths, points } = subscribed;
      const cost = cloudMilliseconds(round).toFixed(2);
      log(
        `round ${rounds.length}: ${clouds} clouds of ${points} points, ${depths} depths; ${cost} ms of processor each`,
      );
    }
  } finally {
    await target.process.stop();
  }
  return { machine, model, threads, width, height, images_per_s: rate, seconds_per_measurement: seconds, rounds };
}

const program = new Command('bench:points')
  .description("Measures what a subscriber of ~/points costs depth_node's process.")
  .option('--json <file>', 'write the figures to this file')
  .option('--table <file>', 'write the table between the marks of this file')
  .option('--from <file>', 'take the figures from this file instead of measuring')
  .option('--model <file>', 'ONNX model', 'models/default.onnx')
  .option('--threads <n>', 'threads of the onnxruntime session', positiveInteger, 2)
  .option('--width <n>', 'of the camera images', positiveInteger, 640)
  .option('--height <n>', 'of the camera images', positiveInteger, 480)
  .option('--rate <n>', 'images per second', positiveInteger, 25)
  .option('--rounds <n>', 'measurements of each', positiveInteger, 6)
  .option('--seconds <n>', 'of each measurement', positive, 20)
  .action((options: PointsOptions) =>
    writeReport(options, {
      command: 'npm run bench:points',
      measure: () => measureAll(options),
      writeTable: replacePointsTable,
      log,
    }),
  );

program.parseAsync().then(
  () => process.exit(0),
  (error: Error) => {
    log(error.message);
    void stopAllNodes().finally(() => process.exit(1));
  },
);
