/** The table of the point cloud's cost in docs/benchmarks.md, made from the JSON of npm run bench:points. */
import { percentiles } from '../src/demo/percentiles';
import { alignedTable, replaceBetween, type Marks } from '../src/markdown';
import { describeLoad, type Machine } from './machine';
import { verdict } from './verdict';

/** One measurement. */
export interface PointsRun {
  readonly depths: number;
  readonly depths_per_s: number;
  /** Of depth_node's process, user and system time. */
  readonly processor_s: number;
  readonly clouds: number;
  /** Of the last cloud. */
  readonly points: number;
}

export interface PointsRound {
  readonly without: PointsRun;
  readonly subscribed: PointsRun;
}

/** The JSON file of npm run bench:points. */
export interface PointsReport {
  readonly machine: Machine;
  readonly model: string;
  readonly threads: number;
  readonly width: number;
  readonly height: number;
  readonly images_per_s: number;
  readonly seconds_per_measurement: number;
  readonly rounds: readonly PointsRound[];
}

const ASKED_MS = 3;
/** Clouds to depths: best effort may lose one. */
const ASKED_SHARE = 0.98;
const MARKS: Marks = {
  begin: '<!-- points:begin (npm run bench:points writes what is between these two marks) -->',
  end: '<!-- points:end -->',
};

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replacePointsTable(path: string, report: PointsReport): Promise<void> {
  await replaceBetween(path, MARKS, pointsTable(report));
}

/** Processor time of one cloud, ms: what the depths of a run took more than those of the run without a subscriber. */
export function cloudMilliseconds({ without, subscribed }: PointsRound): number {
  const depthsAlone = (without.processor_s / without.depths) * subscribed.depths;
  return ((subscribed.processor_s - depthsAlone) / subscribed.clouds) * 1000;
}

export function pointsTable(report: PointsReport): string {
  const { machine, model, threads, width, height, rounds } = report;
  const costs = rounds.map(cloudMilliseconds);
  const cost = percentiles(costs).p50;
  const shares = rounds.map(({ subscribed }) => subscribed.clouds / subscribed.depths);
  const median = (of: (round: PointsRound) => number): string => percentiles(rounds.map(of)).p50.toFixed(2);
  const share = percentiles(shares).p50;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${describeLoad(machine)}; Node ${machine.node}; ${model}, ${threads} threads of onnxruntime; ` +
      `${width}x${height} at ${report.images_per_s}/s, ${rounds.length} rounds of ${report.seconds_per_measurement} s each way, in turns.`,
    '',
    ...alignedTable(
      ['`~/points`', 'measured', 'asked for'],
      [
        ['points in a cloud', `${Math.min(...rounds.map(({ subscribed }) => subscribed.points))}`, ''],
        [
          'processor time of a cloud, ms, median (least, most of the rounds)',
          `${cost.toFixed(2)} (${Math.min(...costs).toFixed(2)}, ${Math.max(...costs).toFixed(2)})`,
          `under ${ASKED_MS} ms: ${verdict(cost < ASKED_MS)}`,
        ],
        [
          'clouds received per depth received',
          share.toFixed(2),
          `one each (${ASKED_SHARE}): ${verdict(share >= ASKED_SHARE)}`,
        ],
        ['depths/s with a subscriber of the cloud', median(({ subscribed }) => subscribed.depths_per_s), ''],
        ['depths/s without', median(({ without }) => without.depths_per_s), ''],
        [
          'processor time of a whole frame without, ms',
          median(({ without }) => (without.processor_s / without.depths) * 1000),
          '',
        ],
      ],
    ),
  ];
  return `${lines.join('\n')}\n`;
}
