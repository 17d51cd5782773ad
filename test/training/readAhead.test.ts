/** Batches of the worker thread against those made in turn. The thread is the compiled one: builds on dist/. */
import { join } from 'node:path';
import type { ReadAhead as ReadAheadClass } from '../../src/training/readAhead';
import { BatchesInTurn, stepState } from '../../src/training/batches/batchSource';
import { openDataSets } from '../../src/training/data';
import { Random } from '../../src/training/random';
import { readRecipe, type Recipe } from '../../src/training/recipe';

// eslint-disable-next-line @typescript-eslint/no-require-imports -- the compiled class: run from TypeScript there is no worker to start
const { ReadAhead } = require(join(__dirname, '../../dist/src/training/readAhead.js')) as {
  ReadAhead: typeof ReadAheadClass;
};

function smallRecipe(drives: string[]): Recipe {
  const recipe = readRecipe('config/recipes/quick.yaml');
  const stages = recipe.stages.map((stage) => ({ ...stage, steps: 3, height: 32, width: 64, batch_size: 2 }));
  return { ...recipe, stages, data: { ...recipe.data, drives, synthetic_samples: 50 } };
}

test('the thread makes the same batches, over the stages, from any step on', async () => {
  const recipe = smallRecipe(['challenge03.mp4']);
  const random = new Random(0);
  const inTurn = new BatchesInTurn(recipe, await openDataSets(recipe, random), random);
  for (const from of [0, 4]) {
    const ahead = ReadAhead.start(recipe)!;
    try {
      for (let step = from; step < 6; step++) expect(await ahead.at(step)).toMatchObject(inTurn.at(step));
      await expect(ahead.at(6)).rejects.toThrow('no step 6');
    } finally {
      ahead.close();
    }
  }
});

test('what goes wrong in the thread is said by the step that asks', async () => {
  const ahead = ReadAhead.start(smallRecipe(['no-such-drive.mp4']))!;
  try {
    await expect(ahead.at(0)).rejects.toThrow('no file no-such-drive.mp4');
  } finally {
    ahead.close();
  }
});

test('neighbouring steps and seeds start from unlike states', () => {
  const states = [1, 2, 3].flatMap((seed) => Array.from({ length: 2000 }, (_, step) => stepState(seed, step)));
  expect(new Set(states).size).toBe(states.length);
  const draws = states.slice(0, 2000).map((state) => new Random(state).uniform());
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
  const product = draws.slice(1).reduce((sum, draw, i) => sum + (draw - mean) * (draws[i] - mean), 0) / draws.length;
  expect(Math.abs(product) * 12).toBeLessThan(0.1); // correlation of one step's first draw with the next one's
});
