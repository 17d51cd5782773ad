import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-threads-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What TensorFlow is told before it is loaded by `depthgrad train RECIPE`. */
function threadsOf(recipe: string, env: Record<string, string> = {}): string {
  const file = join(folder, 'recipe.yaml');
  writeFileSync(file, recipe);
  const program = `
    require('./dist/src/training/recipeThreads').takeRecipeThreads(${JSON.stringify(file)});
    console.log(process.env.TF_NUM_INTRAOP_THREADS ?? 'none');`;
  return spawnSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  }).stdout.trim();
}

const stages = (height: number, width: number): string => `stages:
  - { height: 64, width: 96, batch_size: 1 }
  - { height: ${height}, width: ${width}, batch_size: 4 }`;

test('small batches train on one thread, large ones on all, and a recipe may say how many', () => {
  expect(threadsOf(stages(64, 208))).toBe('1');
  expect(threadsOf(stages(128, 416))).toBe(String(availableParallelism()));
  expect(threadsOf(`threads: 3\n${stages(64, 208)}`)).toBe('3');
  expect(threadsOf(`threads: 3\n${stages(64, 208)}`, { TF_NUM_INTRAOP_THREADS: '2' })).toBe('2');
});

test('what is no recipe is left to whoever reads it', () => {
  expect(threadsOf('stages: 7')).toBe('none');
  expect(threadsOf('][')).toBe('none');
});
