/** The recipes that come with the package: what each needs, and what was measured of it. */
import { readdirSync } from 'node:fs';
import { basename, extname, join, relative } from 'node:path';
import { packageRoot } from '../paths';
import { lossTerms } from './losses';
import type { LossNeed } from './losses/loss';
import { readRecipe, type Recipe } from './recipe';
import { finalLossWeights } from './schedule';
import { readResults, type StudyRow } from './studies/study';
import { shortNumber } from './studies/resultTable';

const RECIPES_FOLDER = join('config', 'recipes');

export interface RecipeEntry {
  name: string;
  /** Relative to the package. */
  file: string;
  description: string;
  paper: string | null;
  network: Recipe['network']['kind'];
  /** Names of all stages' terms whose weight is not a plain 0. */
  losses: string[];
  /** Data sets the stages take a share of, and the parts of a batch that the terms are about. */
  data: { sets: string[]; needs: LossNeed[] };
  /** What was measured of runs of this recipe in the studies of config/studies. */
  results: ({ study: string } & Pick<StudyRow, 'variant' | 'figures'>)[];
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

/** @param root folder with config/recipes */
export function listRecipes(root = packageRoot()): RecipeEntry[] {
  const results = readResults(root).flatMap(({ study, rows }) => rows.map((row) => ({ study, ...row })));
  const files = readdirSync(join(root, RECIPES_FOLDER)).filter((file) => extname(file) === '.yaml');
  return files.sort().map((file) => {
    const path = join(root, RECIPES_FOLDER, file);
    const { name, description, paper, network, stages } = readRecipe(path);
    const losses = unique(stages.flatMap((stage) => Object.keys(finalLossWeights(stage))));
    const sets = unique(
      stages.flatMap(({ mix }) => Object.entries(mix).flatMap(([set, share]) => (share > 0 ? [set] : []))),
    );
    const needs = unique(losses.map((term) => lossTerms.get(term)!.needs));
    return {
      name,
      file: relative(root, path),
      description,
      paper: paper ?? null,
      network: network.kind,
      losses,
      data: { sets, needs: needs.filter((need) => need !== 'nothing') },
      results: results
        .filter(({ recipe }) => recipe === basename(file, '.yaml'))
        .map(({ study, variant, figures }) => ({ study, variant, figures })),
    };
  });
}

/** For people. */
export function describeRecipe({
  name,
  file,
  description,
  paper,
  network,
  losses,
  data,
  results,
}: RecipeEntry): string {
  const measured = results.map(({ study, variant, figures }) => {
    const shown = Object.entries(figures).map(
      ([figure, value]) => `${figure} ${value === null ? '-' : shortNumber(value)}`,
    );
    return `  measured  ${shown.join(', ')} (study ${study}, ${variant})`;
  });
  return [
    name,
    `  ${description}`,
    `  file      ${file}`,
    `  paper     ${paper ?? 'none named'}`,
    `  network   ${network}`,
    `  losses    ${losses.join(', ')}`,
    `  data      ${data.sets.join(', ')}${data.needs.length > 0 ? ` with ${data.needs.join(', ')}` : ''}`,
    ...(measured.length > 0 ? measured : ['  measured  nothing recorded yet']),
  ].join('\n');
}
