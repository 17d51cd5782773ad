/** The Markdown tables of `npm run bench:train`. */
import { alignedTable, type Marks } from '../src/markdown';
import { describeLoad, type Machine } from './machine';
import { verdict } from './verdict';

/** A line of the file's `rows`. */
export interface TrainRow {
  height: number;
  width: number;
  batch: number;
  /** With which each side is fastest. */
  threads: number;
  pytorch_threads: number;
  /** Medians over all steps of all rounds. */
  depthgrad_ms: number;
  pytorch_ms: number;
  /** depthgrad_ms / pytorch_ms. */
  ratio: number;
  /** Relative differences of loss and gradient norm with the same weights. */
  loss_difference: number;
  gradient_difference: number;
}

export interface MemoryFigures {
  first_step: number;
  last_step: number;
  first_rss_mib: number;
  last_rss_mib: number;
  growth_percent: number;
  data_share_percent: number;
  validation_share_percent: number;
}

export interface TrainReport {
  machine: Machine;
  pytorch: string;
  recipe: string;
  losses: readonly string[];
  rounds: number;
  steps_per_round: number;
  rows: TrainRow[];
  /** Null where it was not measured. */
  memory: MemoryFigures | null;
}

/** Asked of every size, of the ratio to PyTorch, and of the growth of memory. */
const MOST_RATIO = 1;
const MOST_GROWTH_PERCENT = 3;
const MOST_DATA_SHARE_PERCENT = 5;

export const TRAIN_MARKS: Marks = {
  begin: '<!-- train:begin (npm run bench:train writes what is between these two marks) -->',
  end: '<!-- train:end -->',
};

function withThreads(ms: number, threads: number): string {
  return `${ms.toFixed(0)} ms, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

export function trainTable({
  machine,
  pytorch,
  recipe,
  losses,
  rounds,
  steps_per_round,
  rows,
  memory,
}: TrainReport): string {
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${describeLoad(machine)}; ` +
      `Node ${machine.node}, PyTorch ${pytorch}; ${rounds} turns of ${steps_per_round} steps; the network of ${recipe} under ${losses.join(', ')}.`,
    '',
    ...alignedTable(
      [
        'size, batch',
        'depthgrad',
        'PyTorch',
        `ratio, asked at most ${MOST_RATIO.toFixed(2)}`,
        'loss, gradient differ by',
      ],
      rows.map((row) => [
        `${row.width}x${row.height}, ${row.batch}`,
        withThreads(row.depthgrad_ms, row.threads),
        withThreads(row.pytorch_ms, row.pytorch_threads),
        `${row.ratio.toFixed(2)}: ${verdict(row.ratio <= MOST_RATIO)}`,
        `${row.loss_difference.toExponential(0)}, ${row.gradient_difference.toExponential(0)}`,
      ]),
    ),
  ];
  if (memory) {
    const { first_step: first, last_step: last } = memory;
    lines.push(
      '',
      ...alignedTable(
        [`a run of ${last} steps`, 'measured', 'asked for'],
        [
          [
            `resident memory at step ${first} and ${last}`,
            `${memory.first_rss_mib.toFixed(0)} and ${memory.last_rss_mib.toFixed(0)} MiB: ${memory.growth_percent.toFixed(1)} %`,
            `under ${MOST_GROWTH_PERCENT} % more: ${verdict(memory.growth_percent <= MOST_GROWTH_PERCENT)}`,
          ],
          [
            'waiting for data',
            `${memory.data_share_percent.toFixed(1)} % of a step`,
            `under ${MOST_DATA_SHARE_PERCENT} %: ${verdict(memory.data_share_percent <= MOST_DATA_SHARE_PERCENT)}`,
          ],
          ['validation', `${memory.validation_share_percent.toFixed(1)} % of the run`, ''],
        ],
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}
