/** What adaptation did in each place, as the table of docs/benchmarks.md. */
import type { TwinReport } from '../src/adaptation/twin';
import { alignedTable, replaceBetween, type Marks } from '../src/markdown';
import { verdict } from './verdict';

const MARKS: Marks = {
  begin: '<!-- places:begin (npm run bench:places writes what is between these two marks) -->',
  end: '<!-- places:end -->',
};

interface DepthFigures {
  readonly abs_rel: number;
  readonly rms: number;
  readonly a1: number;
}

export interface PlaceFigures {
  readonly name: string;
  readonly minutes: number;
  readonly steps_per_frame: number;
  readonly twin: TwinReport;
  /** Against LiDAR, Eigen protocol. */
  readonly truth_before?: DepthFigures;
  readonly truth_after?: DepthFigures;
}

export interface PlacesReport {
  readonly cpu: string;
  readonly node: string;
  readonly seed: number;
  readonly places: readonly PlaceFigures[];
}

const MOST_PLACE_CHANGE = -10;
const MOST_SOURCE_CHANGE = 2;

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replacePlacesTable(path: string, report: PlacesReport): Promise<void> {
  await replaceBetween(path, MARKS, placesTable(report));
}

const change = (before: number, after: number): number => 100 * (after / before - 1);

function asked(percent: number, most: number): string {
  const how = most < 0 ? `at least ${-most} % less` : `at most ${most} % more`;
  return `${how}: ${verdict(percent <= most)}`;
}

export function placesTable({ cpu, node, seed, places }: PlacesReport): string {
  const lines = [`${cpu}; Node ${node}; seed ${seed}.`];
  for (const place of places) lines.push('', ...alignedTable(headings(place), rows(place)));
  return `${lines.join('\n')}\n`;
}

function headings({ name, minutes, steps_per_frame: often, twin }: PlaceFigures): string[] {
  const { steps, promoted, refused, rolled_back: rolledBack } = twin;
  const pace = often === 1 ? 'a piece of work' : `${often} pieces of work`;
  return [
    `${name}: ${steps} steps, ${pace} per frame, ${minutes.toFixed(0)} min; ${promoted} promoted, ${refused} refused, ${rolledBack} rolled back`,
    'frozen',
    'adapted',
    'change',
    'asked for',
  ];
}

function rows({ name, twin, truth_before: frozen, truth_after: adapted }: PlaceFigures): string[][] {
  const { place_error: place, source_error: source } = twin;
  const row = (what: string, before: number, after: number, most?: number, digits = 4): string[] => {
    const percent = change(before, after);
    return [
      what,
      before.toFixed(digits),
      after.toFixed(digits),
      `${percent > 0 ? '+' : ''}${percent.toFixed(1)} %`,
      most === undefined ? '' : asked(percent, most),
    ];
  };
  // With measured depth, that is what was asked for.
  const mostPlace = frozen ? undefined : MOST_PLACE_CHANGE;
  const all = [
    row(
      `photometric error, second half, by what was published when each of its ${place.triplets} triplets came`,
      place.before,
      place.after,
      mostPlace,
    ),
    row('the same by what was published in the middle', place.before, place.after_first_half),
    row(
      `photometric error on the source's held-out part (${source.triplets} triplets)`,
      source.before,
      source.after,
      MOST_SOURCE_CHANGE,
    ),
  ];
  if (frozen && adapted) {
    const there = `after ${name}, against LiDAR of other streets`;
    all.push(
      row(`abs_rel ${there}`, frozen.abs_rel, adapted.abs_rel, MOST_PLACE_CHANGE, 3),
      row('rms there, m', frozen.rms, adapted.rms, undefined, 2),
      row('a1 there', frozen.a1, adapted.a1, undefined, 3),
    );
  }
  return all;
}
