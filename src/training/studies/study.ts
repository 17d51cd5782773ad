/**
 * A question to the recipes, as one YAML file of config/studies: variants of a recipe trained on the same data in the same number of steps,
 * what is measured of each, and what is claimed of the figures.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { packageRoot } from '../../paths';
import { DEPTH_SCALINGS, SUMMARY_FIGURES } from '../evaluation/metrics';
import { RESULTS_FOLDER } from './studyFiles';

/** Value by path in a recipe, such as `stages.0.steps: 300`; null takes the path out. */
const settings = z.record(z.string(), z.unknown());

const variantSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9_]+$/, 'small letters, digits and _ are needed: it names a folder'),
    description: z.string().optional(),
    /** Trained, or one of the two below. By default the study's recipe. */
    recipe: z.string().optional(),
    set: settings.default({}),
    /** Exported model that is measured as it is. */
    model: z.string().optional(),
    baseline: z.enum(['constant', 'ground-plane']).optional(),
  })
  .refine(({ model, baseline }) => model === undefined || baseline === undefined, 'a model or a baseline, not both');

const measureSchema = z.strictObject({
  name: z.string().min(1),
  /** Recording with measured depth. */
  dataset: z.string(),
  part: z.enum(['all', 'train', 'heldOut']).default('all'),
  /** Leaves out the frames whose depth `data.depth_every` of this number gives to training. */
  without_every: z.int().min(2).optional(),
  min_depth: z.number().positive().optional(),
  max_depth: z.number().positive().optional(),
  crop: z.enum(['garg', 'none']).default('garg'),
  scale: z.enum(DEPTH_SCALINGS).default('median'),
  /** The depth head alone, before the fusion; of trained variants. */
  depth_head: z.boolean().default(false),
  figures: z.array(z.enum(SUMMARY_FIGURES)).min(1),
});

const claimSchema = z.strictObject({
  /** What the figure says in words. */
  text: z.string(),
  /** `VARIANT FIGURE`, as the columns are named. */
  of: z.string(),
  below: z.array(z.string()).optional(),
  above: z.array(z.string()).optional(),
});

/** Known of every trained variant, besides what the study measures and logs. */
const RUN_FIGURES = ['parameters', 'steps'] as const;
export type RunFigure = (typeof RUN_FIGURES)[number];

const studySchema = z.strictObject({
  name: z.string().min(1),
  recipe: z.string(),
  question: z.string(),
  /** For all variants. */
  set: settings.default({}),
  variants: z.array(variantSchema).min(1),
  measure: z.array(measureSchema).default([]),
  /** Figures of the run's log: the last value, by name. */
  log: z.record(z.string(), z.string()).default({}),
  claims: z.array(claimSchema).default([]),
});

export type Study = z.infer<typeof studySchema>;
export type StudyVariant = Study['variants'][number];
export type StudyMeasure = Study['measure'][number];

const resultSchema = z.strictObject({
  study: z.string(),
  question: z.string(),
  machine: z.record(z.string(), z.string()),
  rows: z.array(
    z.strictObject({
      variant: z.string(),
      description: z.string(),
      /** Name of the recipe it was trained by; null where it was not trained. */
      recipe: z.string().nullable(),
      figures: z.record(z.string(), z.number().nullable()),
    }),
  ),
  claims: z.array(z.strictObject({ text: z.string(), holds: z.boolean(), figures: z.string() })),
});

export type StudyResult = z.infer<typeof resultSchema>;
export type StudyRow = StudyResult['rows'][number];

export function isTrained({ model, baseline }: StudyVariant): boolean {
  return model === undefined && baseline === undefined;
}

/** The names of the figures that a variant will have. */
function figuresOf({ measure, log }: Study, variant: StudyVariant): string[] {
  const trained = isTrained(variant);
  const measured = measure
    .filter(({ depth_head: depthHead }) => trained || !depthHead)
    .flatMap(({ name, figures }) => figures.map((figure) => `${name} ${figure}`));
  return trained ? [...RUN_FIGURES, ...Object.keys(log), ...measured] : measured;
}

/** Trainings take hours: a claim that cannot be judged after them is found before them. */
function checkClaims(path: string, study: Study): void {
  const known = study.variants.flatMap((variant) => figuresOf(study, variant).map((name) => `${variant.name} ${name}`));
  for (const { of, below = [], above = [] } of study.claims)
    for (const what of [of, ...below, ...above])
      if (!known.includes(what) && (what === of || !Number.isFinite(Number(what))))
        throw new Error(
          `study ${path}: a claim is about "${what}"; VARIANT FIGURE is needed, one of ${known.join(', ')}`,
        );
}

/** @throws Error naming the file and the field or claim that is wrong */
export function readStudy(path: string): Study {
  const result = studySchema.safeParse(parse(readFileSync(path, 'utf8'), { merge: true }));
  if (!result.success) throw new Error(`study ${path} is not valid:\n${z.prettifyError(result.error)}`);
  checkClaims(path, result.data);
  return result.data;
}

/** Results of the studies that were run, in the order of their names. @throws Error naming the file that is none */
export function readResults(root = packageRoot()): StudyResult[] {
  const folder = join(root, RESULTS_FOLDER);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => extname(file) === '.json')
    .sort()
    .map((file) => {
      const result = resultSchema.safeParse(JSON.parse(readFileSync(join(folder, file), 'utf8')));
      if (!result.success)
        throw new Error(`${join(folder, file)} is no study's result:\n${z.prettifyError(result.error)}`);
      return result.data;
    });
}

/** What the claims come to. @throws Error naming the variant and figure that is not in the rows */
export function judge(claims: Study['claims'], rows: readonly StudyRow[]): StudyResult['claims'] {
  const valueOf = (what: string): number => {
    const [variant, ...figure] = what.split(' ');
    const value = rows.find((row) => row.variant === variant)?.figures[figure.join(' ')];
    if (value === undefined || value === null)
      throw new Error(`a claim is about "${what}", which was not measured: VARIANT FIGURE of the rows is needed`);
    return value;
  };
  return claims.map(({ text, of, below = [], above = [] }) => {
    const own = valueOf(of);
    const bound = (what: string): number => (Number.isFinite(Number(what)) ? Number(what) : valueOf(what));
    const holds = below.every((what) => own < bound(what)) && above.every((what) => own > bound(what));
    const shown = (sign: string, what: string): string => `${sign} ${Number(bound(what).toPrecision(4))}`;
    const figures = [
      `${Number(own.toPrecision(4))}`,
      ...below.map((what) => shown('<', what)),
      ...above.map((what) => shown('>', what)),
    ].join(' ');
    return { text, holds, figures };
  });
}
