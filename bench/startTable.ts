/** The table of starts in docs/benchmarks.md, made from the JSON of npm run bench:start. */
import { percentiles } from '../src/demo/percentiles';
import { alignedTable, replaceBetween, type Marks } from '../src/markdown';
import { describeLoad, type Machine } from './machine';
import { verdict } from './verdict';

/** What depth_node says of its start, in its order. */
export const STEPS = [
  { name: 'modules', text: 'Node.js, rclnodejs and the other modules are loaded' },
  { name: 'node', text: 'the node is in the ROS graph: context, parameters, services' },
  { name: 'model', text: 'the model is read, checked, optimised and has run once' },
  { name: 'active', text: 'topics are there, the node is active' },
] as const;

export interface Start {
  /** Seconds from before the process was there to its line that it is ready. */
  readonly active_s: number;
  /** Seconds from the process's own beginning to the end of each of STEPS. */
  readonly steps_s: readonly number[];
}

/** The JSON file of npm run bench:start. */
export interface StartReport {
  readonly machine: Machine;
  readonly model: string;
  readonly threads: number;
  readonly starts: readonly Start[];
}

const ASKED_S = 2;
const MARKS: Marks = {
  begin: '<!-- start:begin (npm run bench:start writes what is between these two marks) -->',
  end: '<!-- start:end -->',
};

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replaceStartTable(path: string, report: StartReport): Promise<void> {
  await replaceBetween(path, MARKS, startTable(report));
}

export function startTable({ machine, model, threads, starts }: StartReport): string {
  const active = starts.map((start) => start.active_s);
  const { p50, p95 } = percentiles(active);
  const spent = (step: number): string => {
    const own = starts.map(({ steps_s: ends }) => ends[step] - (step === 0 ? 0 : ends[step - 1]));
    return percentiles(own).p50.toFixed(2);
  };
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${describeLoad(machine)}; Node ${machine.node}; ${model}, ${threads} threads of onnxruntime; ` +
      `${starts.length} starts with warm caches.`,
    '',
    ...alignedTable(
      ['from the start of the process', 's', 'asked for'],
      [
        [
          'to active, p50, p95, longest',
          `${p50.toFixed(2)}, ${p95.toFixed(2)}, ${Math.max(...active).toFixed(2)}`,
          `under ${ASKED_S} s: ${verdict(p50 < ASKED_S)}`,
        ],
        ...STEPS.map(({ text }, step) => [`of that, until ${text}, p50`, spent(step), '']),
      ],
    ),
  ];
  return `${lines.join('\n')}\n`;
}
