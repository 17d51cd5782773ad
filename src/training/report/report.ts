/** report.html of a run: curves, depth maps, figures, recipe, versions, in one file that needs nothing else. Made of the run folder alone. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from '../../model/safetensors';
import { checkpointPosition, type RunPosition } from '../checkpoint';
import { readRecipe, type Recipe } from '../recipe';
import {
  BEST_FILE,
  CHECKPOINT_FILE,
  LOG_FILE,
  readLog,
  RECIPE_FILE,
  runRecipe,
  REPORT_FILE,
  SAMPLES_FOLDER,
  VERSIONS_FILE,
  type LogEntry,
} from '../runFolder';
import { totalSteps } from '../schedule';
import type { Versions } from '../versions';
import { drawFigure, figuresOf } from './curves';
import { escape, number, page, pngFigure, table } from './page';

function validationTable(log: readonly LogEntry[], position: RunPosition): string {
  const validations = log.filter((entry) => Object.keys(entry).some((key) => key.startsWith('validation/')));
  const last = validations[validations.length - 1];
  if (!last) return '<p>No validation was made (recipe: validation.every, validation.share).</p>';
  const first = validations[0];
  const best = validations.find(({ step }) => step === position.best?.step) ?? last;
  const names = Object.keys(last).filter((key) => key.startsWith('validation/'));
  const rows = names.map((key) => [
    key.slice('validation/'.length) + (key === `validation/${position.best?.figure}` ? ' (decides)' : ''),
    ...[first, best, last].map((entry) => number(entry[key])),
  ]);
  return table(
    [
      'averaged weights, data kept out',
      `first (step ${first.step})`,
      `best (step ${best.step})`,
      `last (step ${last.step})`,
    ],
    rows,
  );
}

function runTable(log: readonly LogEntry[], position: RunPosition, recipe: Recipe): string {
  const numbers = (key: string): number[] =>
    log.map((entry) => entry[key]).filter((value): value is number => typeof value === 'number');
  const mean = (key: string): number => {
    const all = numbers(key);
    return all.reduce((sum, value) => sum + value, 0) / all.length;
  };
  const memory = numbers('memory/rss_mib');
  const shares = numbers('time/validation_share');
  return table(
    ['run', ''],
    [
      ['steps', `${position.step} of ${totalSteps(recipe)}`],
      ['time', `${(position.seconds / 60).toFixed(1)} min`],
      ['per step', `${number(mean('time/step_ms'))} ms`],
      ['waiting for data', `${number(100 * mean('time/data_share'))} %`],
      ['validation', shares.length > 0 ? `${number(100 * shares[shares.length - 1])} %` : '–'],
      ['resident memory, first and last', `${number(memory[0])} and ${number(memory[memory.length - 1])} MiB`],
      ['corrupt frames', String(position.corruptFrames.length)],
    ],
  );
}

function samples(run: string, best: number | undefined): string {
  const folder = join(run, SAMPLES_FOLDER);
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => /^\d+\.png$/.test(name)) : [];
  const byStep = new Map(files.sort().map((name) => [Number.parseInt(name, 10), name]));
  const steps = [...byStep.keys()];
  const shown = [...new Set([steps[0], best, steps[steps.length - 1]])].filter((step) => step !== undefined);
  if (steps.length === 0) return '<p>No validation was made, so there are none.</p>';
  return shown
    .filter((step) => byStep.has(step))
    .map((step) => {
      const title = `step ${step}${step === best ? ' (best)' : ''}`;
      return pngFigure(title, `depth maps of ${title}`, readFileSync(join(folder, byStep.get(step)!)));
    })
    .join('\n');
}

function readVersions(run: string): Versions {
  const path = join(run, VERSIONS_FILE);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Versions) : {};
}

/** Steps at which a stage ends and another begins. */
function stageBorders({ stages }: Recipe): number[] {
  const borders: number[] = [];
  for (const { steps } of stages.slice(0, -1)) borders.push((borders[borders.length - 1] ?? 0) + steps);
  return borders;
}

/** @returns the page @throws Error naming the file, when the folder is not of a run that has a checkpoint */
export function reportPage(run: string): string {
  const recipe = readRecipe(runRecipe(run));
  const position = checkpointPosition(join(run, CHECKPOINT_FILE));
  const log = readLog(join(run, LOG_FILE));
  const { best } = position;
  const bestLine =
    best && existsSync(join(run, BEST_FILE))
      ? `<p>Best: step ${best.step}, ${escape(best.figure)} ${number(best.value)} (${BEST_FILE}); last: step ${position.step} (${CHECKPOINT_FILE}).</p>`
      : '';
  const corrupt = position.corruptFrames.map((frame) => `<li>${escape(frame)}</li>`).join('\n');
  const span = { end: totalSteps(recipe), borders: stageBorders(recipe) };
  return page(
    recipe.name,
    'training report',
    `<p>${escape(recipe.description)}${recipe.paper ? ` (${escape(recipe.paper)})` : ''}</p>
${bestLine}
<h2>Figures</h2>
${validationTable(log, position)}
<p></p>
${runTable(log, position, recipe)}
${corrupt ? `<h2>Corrupt frames</h2>\n<ul>${corrupt}</ul>` : ''}
<h2>Depth maps of data kept out of training</h2>
<p>Averaged weights. Depth in magma, near is bright; the gradient's hue is its direction, its brightness its size.</p>
${samples(run, best?.step)}
<h2>Curves</h2>
<p>Over steps; grey lines are borders of stages.</p>
<div class="curves">
${figuresOf(log)
  .map((figure) => `<div>${drawFigure(figure, span)}</div>`)
  .join('\n')}
</div>
<h2>Recipe</h2>
<pre>${escape(readFileSync(join(run, RECIPE_FILE), 'utf8'))}</pre>
<h2>Versions</h2>
${table(['', ''], Object.entries(readVersions(run)))}`,
  );
}

/** Writes report.html into the run folder. @returns its path */
export function writeReport(run: string): string {
  const path = join(run, REPORT_FILE);
  writeFileAtomically(path, [Buffer.from(reportPage(run))]);
  return path;
}
