/** report.json, report.html, log.jsonl and the adapted model of the offline twin. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeContactSheet } from '../media/pictureFiles';
import { depthPicture, depthRange, type Picture } from '../media/pictures';
import { writeFileAtomically } from '../model/safetensors';
import { drawFigure, figuresOf } from '../training/report/curves';
import { number, page, pngFigure, table } from '../training/report/page';
import { LOG_FILE, REPORT_FILE } from '../training/runFolder';
import { versions } from '../training/versions';
import type { TwinReport, TwinResult, TwinSample } from './twin';

export const TWIN_FILES = {
  model: 'model.onnx',
  middle: 'model_half.onnx',
  report: 'report.json',
  depth: 'depth.png',
} as const;

function rowOf({ triplet, before, after }: TwinSample, height: number, width: number): Picture[] {
  const [first, second] = [before, after].map((map) => map.map((u) => Math.exp(-u)));
  const range = depthRange(first);
  return [
    { height, width, data: triplet.images[1] },
    depthPicture(first, height, width, range),
    depthPicture(second, height, width, range),
  ];
}

const change = (before: number, after: number): string => `${(100 * (after / before - 1)).toFixed(1)} %`;

function htmlOf(report: TwinReport, log: TwinResult['log'], depth: Uint8Array, heading: string): string {
  const { place_error: place, source_error: source } = report;
  const end = log.reduce((last, { step }) => Math.max(last, step), 1);
  const promotions = report.judgements.filter(({ verdict }) => verdict === 'promoted').map(({ step }) => step);
  // The frame is an axis of its own, not a curve.
  const curves = figuresOf(log.map(({ frame: _, ...entry }) => ({ stage: '', ...entry })));
  const errors = table(
    ['unmasked photometric error', 'triplets', 'before', 'after', 'change'],
    [
      ['place, second half, learning on', place.before, place.after, place.triplets] as const,
      [
        'place, second half, by the weights of the middle',
        place.before,
        place.after_first_half,
        place.triplets,
      ] as const,
      ['source, held-out part', source.before, source.after, source.triplets] as const,
    ].map(([name, before, after, count]) => [
      name,
      String(count),
      number(before),
      number(after),
      change(before, after),
    ]),
  );
  const counts: [string, string][] = [
    ['steps', String(report.steps)],
    ['promoted', String(report.promoted)],
    ['refused', String(report.refused)],
    ['rolled back', String(report.rolled_back)],
    ['paused', report.paused_because ?? 'no'],
    ['published version', report.version],
    ['triplets', String(report.triplets)],
    ...Object.entries(report.skipped).map(([reason, count]): [string, string] => [
      `frames left out: ${reason}`,
      String(count),
    ]),
  ];
  const judgements = report.judgements.map(({ step, verdict, reasons }) => [String(step), verdict, reasons.join('; ')]);
  return page(
    heading,
    'adaptation report',
    `<h2>Figures</h2>
${errors}
<p>Un-warped neighbours: ${number(place.unwarped)}. Every triplet was measured before anything was learned from it.</p>
${table(['run', ''], counts)}
<h2>Depth of the second half</h2>
<p>Camera, the model given, the last one published. Near is bright; both maps of a row have the same range.</p>
${pngFigure('', 'depth before and after', depth)}
<h2>Curves</h2>
<p>Over training steps; grey lines are promotions.</p>
<div class="curves">
${curves.map((figure) => `<div>${drawFigure(figure, { end, borders: promotions })}</div>`).join('\n')}
</div>
<h2>Judgements</h2>
${table(['step', 'verdict', 'why'], judgements)}
<h2>Options</h2>
${table(
  ['', ''],
  Object.entries(report.options).map(([name, value]) => [
    name,
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ]),
)}
<h2>Versions</h2>
${table(['', ''], Object.entries(versions()))}`,
  );
}

/** @param heading of the page: what was adapted to what @throws Error naming the file that cannot be written */
export async function writeTwin(
  folder: string,
  { report, onnx, middleOnnx, log, samples, size }: TwinResult,
  heading: string,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, content: string | Uint8Array): void =>
    writeFileAtomically(join(folder, name), [typeof content === 'string' ? Buffer.from(content) : content]);
  write(TWIN_FILES.model, onnx);
  write(TWIN_FILES.middle, middleOnnx);
  write(LOG_FILE, log.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  write(TWIN_FILES.report, `${JSON.stringify(report, null, 2)}\n`);
  const { height, width } = size;
  const rows = samples.map((sample) => rowOf(sample, height, width));
  const depth = join(folder, TWIN_FILES.depth);
  await writeContactSheet(depth, rows, width, height, ['camera', 'depth before', 'depth after']);
  write(REPORT_FILE, htmlOf(report, log, readFileSync(depth), heading));
}
