/** The odometry's tables in docs/benchmarks.md, made from the JSON of npm run bench:odometry. */
import { alignedTable, replaceBetween, type Marks } from '../src/markdown';
import { describeLoad } from './machine';
import { STRETCH, type OdometryReport, type PathErrors, type ScaleErrors } from './odometryReport';
import { verdict } from './verdict';

const MARKS: Marks = {
  begin: '<!-- odometry:begin (npm run bench:odometry writes what is between these two marks) -->',
  end: '<!-- odometry:end -->',
};

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replaceOdometryTable(path: string, report: OdometryReport): Promise<void> {
  await replaceBetween(path, MARKS, odometryTable(report));
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const ASKED = { velocity: 0.05, camera_height: 0.1 } as const;
const LARGEST_STEP = 0.01;

export function odometryTable({ machine, model, recordings, cost_ms }: OdometryReport): string {
  const path = (name: string, who: string, errors: PathErrors, lost: number): string[] => [
    name,
    who,
    errors.ate_m.toFixed(2),
    errors.ate_scaled_m.toFixed(2),
    errors.rpe_scaled_m.toFixed(3),
    errors.rpe_deg.toFixed(3),
    `${lost}`,
  ];
  const within = (share: number): string => `${percent(share)}: ${verdict(share >= 0.85 && share <= 0.99)}`;
  const scaleRow = (name: string, { source, known, median, largest_step, outliers }: ScaleErrors): string[] => [
    name,
    source,
    percent(known),
    known > 0
      ? `${percent(median)} (${percent(ASKED[source])}: ${verdict(median < ASKED[source])})`
      : 'no usable speed',
    known > 0 ? `${percent(largest_step)} (${percent(LARGEST_STEP)}: ${verdict(largest_step < LARGEST_STEP)})` : '',
    `${outliers}`,
  ];
  return [
    `${machine.cpu}, ${machine.cores} cores, ${describeLoad(machine)}; Node ${machine.node}; ${model}. A frame's odometry (fit, covariance, chaining) takes ${cost_ms.toFixed(2)} ms (asked for: under 1).`,
    '',
    ...alignedTable(
      ['recording', 'odometry', 'ATE, m', 'ATE with scale, m', 'RPE with scale, m', 'RPE, degrees', 'lost'],
      recordings.flatMap(({ name, own, by_speed, peer, lost, frames, scales }) => [
        path(`${name}, ${frames} frames, ${own.path_m.toFixed(0)} m`, "in the model's unit", own, lost),
        ...(scales.some(({ known }) => known > 0) ? [path('', 'scale from true speed', by_speed, lost)] : []),
        path('', 'five-point, steps of true length', peer, peer.lost),
      ]),
    ),
    '',
    ...alignedTable(
      [
        'recording',
        'motions within the 95 % region (85 to 99 %)',
        `poses of paths of up to ${STRETCH} frames within it (85 to 99 %)`,
        'poses of the whole path, one sample, within it',
        'mean normalised errors of the three (6 is right)',
      ],
      recordings.map(({ name, consistency: c }) => [
        name,
        within(c.motion_within),
        within(c.stretch_within),
        percent(c.pose_within),
        [c.motion_mean, c.stretch_mean, c.pose_mean].map((value) => value.toFixed(1)).join(', '),
      ]),
    ),
    '',
    ...alignedTable(
      [
        'recording',
        'scale from',
        'known',
        'median error (asked for)',
        'largest step per frame (asked for)',
        'outliers',
      ],
      recordings.flatMap(({ name, scales }) => scales.map((scale) => scaleRow(name, scale))),
    ),
    '',
  ].join('\n');
}
