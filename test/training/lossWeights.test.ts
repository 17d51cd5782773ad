/** Weights of loss terms that move over a stage. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOG_FILE, readLog } from '../../src/training/runFolder';
import { figuresOf } from '../../src/training/report/curves';
import type { LossWeight } from '../../src/training/recipe';
import { finalLossWeights, lossWeights } from '../../src/training/schedule';
import { Validator } from '../../src/training/validation';
import { createNetwork } from '../../src/training/networks';
import { FlatAdam } from '../../src/training/optimizer';
import { Random } from '../../src/training/random';
import { expectResumes, PatternWithDepth, tinyRecipe, trainTiny } from '../support/tinyRun';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-weights-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const network = '{ kind: pure_cnn, height: 32, width: 64, width_factor: 0.25 }';

/** The term's weight at these steps of a stage of 11. */
function at(smoothness: LossWeight, steps: number[]): number[] {
  return steps.map((step) => lossWeights({ steps: 11, losses: { smoothness } }, step).smoothness);
}

test('by hand: a number is constant, a schedule a straight line between its steps and constant outside', () => {
  expect(at(0.3, [0, 10])).toEqual([0.3, 0.3]);
  expect(at({ from: 0, to: 1, start: 0 }, [0, 1, 5, 10])).toEqual([0, 0.1, 0.5, 1]);
  expect(at({ from: 2, to: 1, start: 4, end: 8 }, [0, 4, 5, 6, 8, 10])).toEqual([2, 2, 1.75, 1.5, 1, 1]);
});

test('a term is switched off by a plain 0, not by a schedule that is at 0', () => {
  const stage = { steps: 11, losses: { smoothness: 0, depth_mse: { from: 0, to: 1, start: 5 }, depth_truth: 1 } };
  expect(lossWeights(stage, 2)).toEqual({ depth_mse: 0, depth_truth: 1 });
  expect(finalLossWeights(stage)).toEqual({ depth_mse: 1, depth_truth: 1 });
});

test('the loss is the sum of the terms by the step’s weights, which are logged where they move', async () => {
  const losses =
    '{ depth_mse: { from: 0, to: 0.6, start: 1, end: 4 }, depth_truth: { from: 1, to: 0 }, smoothness: 0.1 }';
  const log = await trainTiny(tinyRecipe(folder, { network, losses, steps: 5 }), folder);
  expect(log.map((entry) => entry['weight/depth_mse'])).toEqual([0, 0, 0.2, 0.4, 0.6].map(near));
  expect(log.map((entry) => entry['weight/depth_truth'])).toEqual([1, 0.75, 0.5, 0.25, 0]);
  for (const entry of log) {
    expect(entry).not.toHaveProperty('weight/smoothness');
    const value = (key: string): number => entry[key] as number;
    const sum =
      value('weight/depth_mse') * value('drives/depth_mse') +
      value('weight/depth_truth') * value('drives/depth_truth') +
      0.1 * value('drives/smoothness');
    expect(Math.abs(value('drives/loss') / sum - 1)).toBeLessThan(1e-5);
  }
  const curve = figuresOf(log).find(({ name }) => name === 'weight/depth_truth')!;
  expect([...curve.lines]).toEqual([['run', [1, 0.75, 0.5, 0.25, 0].map((weight, i) => [i + 1, weight])]]);
});

function near(value: number): unknown {
  return expect.closeTo(value, 12);
}

test('a run that is cut off amid a schedule goes on as one that is not', async () => {
  const losses = '{ depth_mse: { from: 0, to: 1 }, depth_truth: { from: 1, to: 0 } }';
  await expectResumes(folder, { network, losses });
  const [whole, parts] = ['whole', 'parts'].map((run) =>
    readLog(join(folder, run, LOG_FILE)).map((entry) => [entry.step, entry['weight/depth_mse']]),
  );
  expect(parts).toEqual(whole);
  expect(whole).toEqual([0, 1 / 3, 2 / 3, 1].map((weight, i) => [i + 1, near(weight)]));
});

test('a run ends well where the only term that fits its data has come down to 0', async () => {
  const log = await trainTiny(tinyRecipe(folder, { network, losses: '{ depth_mse: { from: 1, to: 0 } }' }), folder);
  expect(log.map((entry) => [entry['drives/loss'], entry['drives/gradient_norm']])[3]).toEqual([0, 0]);
  expect(log[3]['drives/depth_mse']).toBeGreaterThan(0);
});

test('validations use the weights that the last stage ends with, at any step', () => {
  const figures = ['{ depth_mse: { from: 5, to: 0.5 } }', '{ depth_mse: 0.5 }'].map((losses) => {
    const recipe = tinyRecipe(folder, { network, losses });
    const random = new Random(1);
    const trained = createNetwork(recipe.network, { seed: 1 });
    const validator = new Validator(recipe, new PatternWithDepth(random), random);
    const { figures: found } = validator.run(trained, new FlatAdam(trained.namedVariables()));
    trained.dispose();
    return found;
  });
  expect(figures[0]).toEqual(figures[1]);
  expect(figures[0].loss).toBeCloseTo(0.5 * figures[0].depth_mse, 4);
});
