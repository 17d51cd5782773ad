/** The swaps' table in docs/benchmarks.md, made from the JSON of npm run bench:swap. */
import { alignedTable, replaceBetween, type Marks } from '../src/markdown';
import { percentiles } from '../src/demo/percentiles';
import { describeLoad } from './machine';
import type { SwapReport } from './swapReport';
import { verdict } from './verdict';

const MARKS: Marks = {
  begin: '<!-- swap:begin (npm run bench:swap writes what is between these two marks) -->',
  end: '<!-- swap:end -->',
};

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replaceSwapTable(path: string, report: SwapReport): Promise<void> {
  await replaceBetween(path, MARKS, swapTable(report));
}

export function swapTable(report: SwapReport): string {
  const { machine, without_update: calm, while_an_update_is_taken: busy, swaps } = report;
  const frame = 1000 / report.rate;
  const gaps = swaps.map((swap) => swap.between_depths_ms);
  const longest = Math.max(...gaps);
  const both = (of: (share: typeof calm) => string): [string, string] => [of(calm), of(busy)];
  const span = ({ p50, p95 }: { p50: number; p95: number }): string => `${p50.toFixed(0)}, ${p95.toFixed(0)}`;
  const weights = swaps.filter(({ kind }) => kind === 'weights').length;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${describeLoad(machine)}; Node ${machine.node}; ${report.model}, ${report.threads} threads of onnxruntime; ` +
      `${report.width}x${report.height}, ${report.rate} images/s; ${weights} updates of the heads alone, ${swaps.length - weights} with another encoder.`,
    '',
    ...alignedTable(
      ['', 'without an update', 'while one is taken'],
      [
        ['images without a depth', ...both(({ missing, images }) => `${missing} of ${images}`)],
        ['latency p50, p95, ms', ...both((share) => span(share.latency_ms))],
        ['between two depths p50, p95, ms', ...both((share) => span(share.between_depths_ms))],
      ],
    ),
    '',
    ...alignedTable(
      ['at the swap', 'ms', 'asked for'],
      [
        [
          "old model's last depth to the new one's first, p50, p95, longest",
          `${span(percentiles(gaps))}, ${longest.toFixed(0)}`,
          `one frame (${frame.toFixed(0)} ms) more than between any two: ${verdict(longest <= 2 * frame)}`,
        ],
        ['frames waited, p50, p95', span(percentiles(swaps.map((swap) => swap.frames_waited_ms))), ''],
        ['update sent to answered, p50, p95', span(percentiles(swaps.map((swap) => swap.taken_after_ms))), ''],
      ],
    ),
  ];
  return `${lines.join('\n')}\n`;
}
