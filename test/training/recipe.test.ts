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

test.each(['default', 'quick', 'midas', 'semi_supervised', 'depth_anything'])(
  'config/recipes/%s.yaml is valid',
  (name) => {
    const recipe = readRecipe(`config/recipes/${name}.yaml`);
    expect(recipe.stages.length).toBeGreaterThan(0);
  },
);

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
