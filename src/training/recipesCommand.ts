/** `depthgrad recipes`: what there is to train, what each recipe needs, and what was measured of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { packageRoot } from '../paths';
import { lossTerms } from './losses';
import type { LossNeed } from './losses/loss';
import { readRecipe, type Recipe } from './recipe';

const RECIPES_FOLDER = join('config', 'recipes');
/** NAME.json per recipe NAME.yaml: the figures of its run, as `depthgrad evaluate --format json` prints them. */
const RESULTS_FOLDER = join(RECIPES_FOLDER, 'results');

const resultSchema = z.record(z.string(), z.union([z.number(), z.string(), z.null()]));

export interface RecipeEntry {
  name: string;
  /** Relative to the package. */
  file: string;
  description: string;
  paper: string | null;
  network: Recipe['network']['kind'];
  /** Names of all stages' terms whose weight is above 0. */
  losses: string[];
  /** Data sets the stages take a share of, and the parts of a batch that the terms are about. */
  data: { sets: string[]; needs: LossNeed[] };
  /** Figures of a run of this recipe; null where none was recorded. */
  result: z.infer<typeof resultSchema> | null;
}

/** @throws Error naming the file when it is no object of figures */
function readResult(path: string): RecipeEntry['result'] {
  if (!existsSync(path)) return null;
  try {
    return resultSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new Error(`${path} is not what depthgrad evaluate --format json writes: ${(error as Error).message}`);
  }
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

/** @param root folder with config/recipes */
export function listRecipes(root = packageRoot()): RecipeEntry[] {
  const files = readdirSync(join(root, RECIPES_FOLDER)).filter((file) => extname(file) === '.yaml');
  return files.sort().map((file) => {
    const path = join(root, RECIPES_FOLDER, file);
    const { name, description, paper, network, stages } = readRecipe(path);
    const losses = unique(
      stages.flatMap((stage) => Object.keys(stage.losses).filter((term) => stage.losses[term] > 0)),
    );
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
      result: readResult(join(root, RESULTS_FOLDER, `${basename(file, '.yaml')}.json`)),
    };
  });
}

function lines({ name, file, description, paper, network, losses, data, result }: RecipeEntry): string {
  const figures = result && Object.entries(result).map(([figure, value]) => `${figure} ${value}`);
  return [
    name,
    `  ${description}`,
    `  file      ${file}`,
    `  paper     ${paper ?? 'none named'}`,
    `  network   ${network}`,
    `  losses    ${losses.join(', ')}`,
    `  data      ${data.sets.join(', ')}${data.needs.length > 0 ? ` with ${data.needs.join(', ')}` : ''}`,
    `  measured  ${figures?.join(', ') ?? 'nothing recorded yet'}`,
  ].join('\n');
}

export function registerRecipes(program: Command): void {
  program
    .command('recipes')
    .description('list the recipes that come with the package: paper, loss terms, data needs, measured result')
    .option('--json', 'as JSON')
    .action(({ json }: { json?: boolean }) => {
      const recipes = listRecipes();
      console.log(json ? JSON.stringify(recipes, null, 2) : recipes.map(lines).join('\n\n'));
    });
}
