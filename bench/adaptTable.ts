/** The adaptation's table in docs/benchmarks.md, made from the JSON of npm run bench:adapt. */
import { alignedTable, replaceBetween, type Marks } from '../src/markdown';
import type { AdaptReport, AdaptSoak } from './adaptReport';
import { describeLoad } from './machine';
import { verdict } from './verdict';

const MARKS: Marks = {
  begin: '<!-- adapt:begin (npm run bench:adapt writes what is between these two marks) -->',
  end: '<!-- adapt:end -->',
};

const LEAST_RATE = 0.75;
const MOST_LATENCY = 1.5;
const MOST_STEP = 0.5;
/** Of the memory's last quarter against its second: the first may still be filling buffers. */
const MOST_GROWTH = 0.05;

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replaceAdaptTable(path: string, report: AdaptReport): Promise<void> {
  await replaceBetween(path, MARKS, adaptTable(report));
}

export function adaptTable(report: AdaptReport): string {
  const { machine, alone, learning, frozen_encoder: frozen, trained_encoder: trained } = report;
  const rate = learning.fps / alone.fps;
  const latency = learning.latency_ms.p95 / alone.latency_ms.p95;
  const step = frozen.step_ms / trained.step_ms;
  const [paced, fast] = learning.steps_per_s;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${describeLoad(machine)}; Node ${machine.node}; ${report.model}, ${report.threads} threads of onnxruntime, one of the learner; ` +
      `${report.rounds} rounds of ${report.seconds_per_measurement} s each way; images ${report.image}.`,
    '',
    ...alignedTable(
      ['', 'depth_node alone', 'with a learner beside it', 'ratio', 'asked for'],
      [
        [
          'depths/s, as fast as it goes',
          alone.fps.toFixed(1),
          `${learning.fps.toFixed(1)} (${fast.toFixed(2)} steps/s)`,
          rate.toFixed(2),
          `at least ${LEAST_RATE}: ${verdict(rate >= LEAST_RATE)}`,
        ],
        [
          `depths per image, ${report.camera_rate} images/s`,
          alone.depths_per_image.toFixed(3),
          `${learning.depths_per_image.toFixed(3)} (${paced.toFixed(2)} steps/s)`,
          (learning.depths_per_image / alone.depths_per_image).toFixed(2),
          '',
        ],
        ['latency p50 there, ms', ...both((of) => of.latency_ms.p50), ''],
        [
          'latency p95 there, ms',
          ...both((of) => of.latency_ms.p95),
          `at most ${MOST_LATENCY}: ${verdict(latency <= MOST_LATENCY)}`,
        ],
      ],
    ),
    '',
    ...alignedTable(
      ['a step on one thread', 'encoder frozen', 'encoder trained', 'ratio', 'asked for'],
      [
        [
          'with a new triplet, ms',
          frozen.step_ms.toFixed(0),
          trained.step_ms.toFixed(0),
          step.toFixed(2),
          `at most ${MOST_STEP}: ${verdict(step <= MOST_STEP)}`,
        ],
        ['of it taking the triplet in', frozen.intake_ms.toFixed(0), trained.intake_ms.toFixed(0), '', ''],
      ],
    ),
  ];
  if (report.soak) lines.push('', ...soakTable(report.soak));
  return `${lines.join('\n')}\n`;

  function both(of: (one: typeof alone) => number): [string, string, string] {
    return [of(alone).toFixed(1), of(learning).toFixed(1), (of(learning) / of(alone)).toFixed(2)];
  }
}

function soakTable(soak: AdaptSoak): string[] {
  const memory = ['depth_node', 'adaptation_node'].map((name): string[] => {
    const { quarters, most } = soak.rss_mib[name];
    const growth = quarters[3] / quarters[1] - 1;
    return [
      `memory of ${name}, means of quarters`,
      `${quarters.join(', ')} MiB (most ${most})`,
      `last within 5 % of second: ${(100 * growth).toFixed(1)} %, ${verdict(Math.abs(growth) <= MOST_GROWTH)}`,
    ];
  });
  const frame = (1000 * soak.seconds) / soak.published;
  const swap = soak.longest_swap_gap_ms;
  return alignedTable(
    [`${soak.image}, ${(soak.seconds / 60).toFixed(0)} minutes, looped`, 'measured', 'asked for'],
    [
      ...memory,
      ["the learner's folder, MiB", `${soak.folder_mib.map((size) => size.toFixed(0)).join(' to ')}`, 'bounded'],
      [
        'steps, promoted, rolled back, taken by depth_node',
        [soak.steps, soak.promoted, soak.rolled_back, soak.updates_accepted].join(', '),
        '',
      ],
      [
        'longest time between the depths on both sides of a swap',
        swap === undefined ? 'no swap' : `${swap.toFixed(0)} ms`,
        swap === undefined ? '' : `one frame more than a frame's ${frame.toFixed(0)} ms: ${verdict(swap <= 2 * frame)}`,
      ],
      ['longest time between any two depths', `${soak.longest_gap_ms.toFixed(0)} ms`, ''],
      ['images without a depth', `${soak.published - soak.depths} of ${soak.published}`, ''],
      [
        'cores used, depth_node / adaptation_node',
        `${soak.cores_used.depth_node} / ${soak.cores_used.adaptation_node}`,
        '',
      ],
    ],
  );
}
