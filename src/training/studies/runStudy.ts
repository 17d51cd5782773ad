/** Trains a study's variants one after the other, each as `depthgrad train` does, and measures them. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { packageRoot, resolveFile, splitPart } from '../../paths';
import { writeFileAtomically } from '../../model/safetensors';
import type { EvaluateOptions } from '../evaluation/evaluate';
import { evaluateDepth } from '../evaluation/evaluateDepth';
import type { DepthSummary } from '../evaluation/metrics';
import { RECORDING_LISTS } from '../recipe';
import { LOG_FILE, readLog } from '../runFolder';
import { openRun } from '../trainedRun';
import { versions } from '../versions';
import {
  isTrained,
  judge,
  type RunFigure,
  type Study,
  type StudyMeasure,
  type StudyResult,
  type StudyRow,
  type StudyVariant,
} from './study';

export interface RunStudyOptions {
  /** Folder of the variants' runs. */
  out: string;
  /** Folder in which recordings are looked for that are in none of the usual places. */
  data?: string;
  /** Variants to run; by default all. Claims are judged only then. */
  only?: readonly string[];
  /** In place of the recipes'. Two studies side by side on one thread each take half as many steps more than one on two. */
  threads?: number;
}

/** Stands for the model exported from another variant's run, as in `data.teacher: '@teacher'`. */
const EXPORTED = '@';

/** @throws Error naming the variant whose training ended badly, or the recording that is nowhere */
export async function runStudy(study: Study, options: RunStudyOptions): Promise<StudyResult> {
  const runs = new Map<string, string>();
  const rows: StudyRow[] = [];
  for (const variant of study.variants) {
    if (options.only && !options.only.includes(variant.name)) continue;
    const run = isTrained(variant) ? await trainVariant(study, variant, options, runs) : undefined;
    if (run !== undefined) runs.set(variant.name, run);
    const figures = {
      ...(run === undefined ? {} : runFigures(run, study.log)),
      ...(await measure(study, variant, options, run)),
    };
    rows.push({
      variant: variant.name,
      description: variant.description ?? '',
      recipe: run === undefined ? null : basename(variant.recipe ?? study.recipe, '.yaml'),
      figures,
    });
    console.error(`${study.name} ${variant.name}: ${JSON.stringify(figures)}`);
  }
  return {
    study: study.name,
    question: study.question,
    machine: versions(),
    rows,
    claims: options.only ? [] : judge(study.claims, rows),
  };
}

/** A recording in the usual places, else in the folder given. */
function find(path: string, data: string | undefined): string {
  const [name] = splitPart(path);
  if (data !== undefined && !existsSync(name) && existsSync(join(data, name))) return resolve(data, path);
  return resolve(resolveFile(path));
}

/** The variant's whole recipe, and the run folder that belongs to exactly this text. */
async function trainVariant(
  study: Study,
  { name, recipe, set }: StudyVariant,
  { out, data, threads }: RunStudyOptions,
  runs: ReadonlyMap<string, string>,
): Promise<string> {
  const document = parseDocument(readFileSync(resolveFile(recipe ?? study.recipe), 'utf8'));
  for (const [path, value] of Object.entries({ ...study.set, ...set })) {
    const keys = path.split('.').map((key) => (/^\d+$/.test(key) ? Number(key) : key));
    if (value === null) document.deleteIn(keys);
    else document.setIn(keys, document.createNode(await exportedModel(value, runs)));
  }
  for (const list of RECORDING_LISTS) {
    const given = document.getIn(['data', list]) as { toJSON(): string[] } | string[] | undefined;
    const paths = given === undefined ? undefined : Array.isArray(given) ? given : given.toJSON();
    if (paths)
      document.setIn(
        ['data', list],
        paths.map((path) => find(path, data)),
      );
  }
  const recipeThreads = document.get('threads');
  document.delete('threads');
  // By what is trained, neither by the study nor by the threads: a run that two studies ask for is made once.
  const key = createHash('sha256')
    .update(document.toString({ lineWidth: 0 }))
    .digest('hex')
    .slice(0, 8);
  const count = threads ?? recipeThreads;
  if (count !== undefined) document.set('threads', count);
  const run = join(out, `${basename(recipe ?? study.recipe, '.yaml')}-${key}`);
  mkdirSync(run, { recursive: true });
  const file = `${run}.yaml`;
  writeFileAtomically(file, [Buffer.from(document.toString({ lineWidth: 0 }))]);
  console.error(`${study.name} ${name}: npx depthgrad train ${file} --out ${run}`);
  await depthgrad('train', file, '--out', run);
  return run;
}

async function exportedModel(value: unknown, runs: ReadonlyMap<string, string>): Promise<unknown> {
  if (typeof value !== 'string' || !value.startsWith(EXPORTED)) return value;
  const run = runs.get(value.slice(EXPORTED.length));
  if (run === undefined) throw new Error(`"${value}" stands for a variant that is trained before; there is none`);
  const file = `${run}.onnx`;
  if (!existsSync(file)) await depthgrad('export', run, '--out', file);
  return resolve(file);
}

/** A process of its own: its memory and threads end with it. */
async function depthgrad(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, join(packageRoot(), 'dist', 'src', 'cli.js'), ...args], {
    stdio: ['ignore', 2, 2],
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((done, failed) => {
    child.once('error', failed);
    child.once('exit', (...end) => done(end));
  });
  if (code !== 0) throw new Error(`depthgrad ${args.join(' ')} ended with ${signal ?? `exit code ${code}`}`);
}

/** Size and length of a run, and the last logged values that are asked for. */
function runFigures(run: string, wanted: Study['log']): StudyRow['figures'] {
  const { network, position } = openRun(run);
  const parameters = [...network.namedVariables().values()].reduce((sum, { size }) => sum + size, 0);
  network.dispose();
  const log = readLog(join(run, LOG_FILE));
  const all = (tag: string): number[] => log.map((entry) => entry[tag]).filter((value) => typeof value === 'number');
  const figures: StudyRow['figures'] & Record<RunFigure, number> = {
    parameters,
    steps: position.step,
  };
  for (const [name, tag] of Object.entries(wanted)) figures[name] = all(tag).at(-1) ?? null;
  return figures;
}

async function measure(
  study: Study,
  variant: StudyVariant,
  { data }: RunStudyOptions,
  run: string | undefined,
): Promise<StudyRow['figures']> {
  const figures: StudyRow['figures'] = {};
  for (const wanted of study.measure) {
    if (wanted.depth_head && run === undefined) continue;
    const summary = await summaryOf(variant, wanted, find(wanted.dataset, data), run);
    for (const figure of wanted.figures) figures[`${wanted.name} ${figure}`] = summary[figure];
  }
  return figures;
}

async function summaryOf(
  { model, baseline }: StudyVariant,
  {
    part,
    without_every: withoutEvery,
    min_depth: minDepth,
    max_depth: maxDepth,
    crop,
    scale,
    depth_head: depthHead,
  }: StudyMeasure,
  dataset: string,
  run: string | undefined,
): Promise<DepthSummary> {
  const options: EvaluateOptions = { part, withoutEvery, crop, scale };
  if (minDepth !== undefined) options.minDepth = minDepth;
  if (maxDepth !== undefined) options.maxDepth = maxDepth;
  const file = model === undefined ? undefined : resolveFile(model);
  return evaluateDepth({ model: file, run, baseline, depthHead }, dataset, options);
}
