import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRecipe } from '../../src/training/recipe';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-recipe-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function changed(from: RegExp, to: string): string {
  const path = join(folder, 'recipe.yaml');
  const text = readFileSync('config/recipes/default.yaml', 'utf8');
  expect(text).toMatch(from);
  writeFileSync(path, text.replace(from, to));
  return path;
}

test('a missing file, a wrong field and an unknown loss are named', () => {
  expect(() => readRecipe(join(folder, 'none.yaml'))).toThrow(/none\.yaml/);
  expect(() => readRecipe(changed(/batch_size: \d+/, 'batch_size: 0'))).toThrow(/batch_size/);
  expect(() => readRecipe(changed(/batch_size:/, 'batchsize:'))).toThrow(/batchsize/);
  expect(() => readRecipe(changed(/photometric: 1/, 'photometrik: 1'))).toThrow(
    /no loss "photometrik"; there are photometric/,
  );
  expect(() => readRecipe(changed(/encoder: lite0/, 'encoder: vgg'))).toThrow(/network/);
  expect(() => readRecipe(changed(/drives: \[.*\]/, 'drives: []'))).toThrow(/data\.drives is empty/);
});

/** The default recipe whose second stage, of 1600 steps, has this weight of the photometric loss. */
const weighted = (weight: string): string => changed(/photometric: 1\n/, `photometric: ${weight}\n`);

test('a weight may be a schedule over its stage', () => {
  const [, stage] = readRecipe(weighted('{ from: 0, to: 1, end: 1600 }')).stages;
  expect(stage.losses).toMatchObject({ photometric: { from: 0, to: 1, start: 0, end: 1600 }, smoothness: 0.001 });
});

test.each([
  ['{ from: 0, to: 1, ends: 300 }', /"ends".*stages\[1\]\.losses\.photometric/s],
  ['{ from: 0 }', /a weight is a number .*stages\[1\]\.losses\.photometric/s],
  ['rising', /a weight is a number .*stages\[1\]\.losses\.photometric/s],
  ['-1', /stages\[1\]\.losses\.photometric/],
  ['{ from: 0, to: -1 }', /stages\[1\]\.losses\.photometric\.to/],
  ['{ from: 0, to: 1, end: 1.5 }', /two whole steps of the stage .*stages\[1\]\.losses\.photometric/s],
  ['{ from: 1, to: 1 }', /"drives": losses\.photometric goes from 1 to 1; write photometric: 1/],
  ['{ from: 0, to: 1, start: 300, end: 300 }', /"drives": losses\.photometric moves from step 300 to step 300/],
  ['{ from: 0, to: 1, start: 1599 }', /losses\.photometric moves from step 1599 to step 1599/],
  ['{ from: 0, to: 1, end: 1601 }', /moves from step 0 to step 1601; .*the stage's 1600 steps/],
])('the weight %s is refused by name', (weight, message) => {
  expect(() => readRecipe(weighted(weight))).toThrow(message);
});

test('a stage that weighs nothing is refused', () => {
  const path = changed(/losses: \{.*\}/, 'losses: { depth_truth: 0 }');
  expect(() => readRecipe(path)).toThrow(/stage "synthetic": losses must give at least one term a weight above 0/);
});
