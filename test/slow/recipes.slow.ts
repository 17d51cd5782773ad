/** Every recipe of config/recipes overfits a few rendered frames: what it trains can be learnt by the network it names. */
import { readdirSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { createNetwork } from '../../src/training/networks';
import { readRecipe, type Recipe, type Stage } from '../../src/training/recipe';
import { meanOfLast, overfit } from '../support/overfit';
import { TinySet } from '../support/tinySet';

const SIZE = { height: 64, width: 128, batch_size: 2 };
const MOST_STEPS = 300;
/** Few samples bear a high rate, and no minutes are to be lost. */
const LEARNING_RATE = 1e-3;
/** The loss must fall below this share of its start. */
const SHARE = 0.5;
/** A constant brings the squared error of depth down to about half: its start is a room, and these are roads. */
const SQUARED_ERROR_SHARE = 0.2;

/** ResNet-50 without batch normalisation: at 1e-4 its loss already jumps before it settles. */
function heavy({ network }: Recipe): boolean {
  return network.kind === 'cnn_residual' && network.encoder === 'resnet50';
}

const recipes = readdirSync('config/recipes')
  .filter((file) => extname(file) === '.yaml')
  .sort();
const table: string[] = [];
afterAll(() => console.log(['recipe, stage: loss at first -> at last, steps, seconds', ...table].join('\n')));

/** Stages that train other terms than the stages before them. */
function distinctStages({ stages }: Recipe): Stage[] {
  const terms = ({ losses, align_poses }: Stage): string =>
    JSON.stringify([Object.entries(losses).sort(), align_poses]);
  return stages.filter((stage, i) => stages.findIndex((other) => terms(other) === terms(stage)) === i);
}

const cases = recipes.flatMap((file) =>
  distinctStages(readRecipe(`config/recipes/${file}`)).map((stage): [string, string, Stage] => [
    basename(file, '.yaml'),
    stage.name,
    stage,
  ]),
);

test.each(cases)('%s, %s: overfits two rendered scenes', (name, stageName, stage) => {
  const recipe = readRecipe(`config/recipes/${name}.yaml`);
  const { height, width } = SIZE;
  const source = new TinySet();
  const network = createNetwork({ ...recipe.network, height, width }, { seed: recipe.seed, images: source });
  const share = 'depth_mse' in stage.losses ? SQUARED_ERROR_SHARE : SHARE;
  const started = performance.now();
  const rate = heavy(recipe) ? stage.learning_rate : LEARNING_RATE;
  const small = { ...stage, ...SIZE, learning_rate: rate, final_learning_rate: undefined };
  const losses = overfit(network, source, small, recipe.optimizer, { steps: MOST_STEPS, share });
  network.dispose();
  const [first, last] = [losses[0], meanOfLast(losses)];
  const seconds = (performance.now() - started) / 1000;
  table.push(
    `${`${name}, ${stageName}`.padEnd(40)} ${first.toPrecision(3)} -> ${last.toPrecision(3)} (${(last / first).toFixed(2)}, wanted ${share}), ` +
      `${losses.length} steps, ${seconds.toFixed(0)} s`,
  );
  expect(last).toBeLessThan(share * first);
});
