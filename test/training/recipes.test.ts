/** The recipes that come with the package: listed, and each trained for a few steps at a small size. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { readRecipe, type Recipe } from '../../src/training/recipe';
import { listRecipes } from '../../src/training/recipeList';
import { trainTiny } from '../support/tinyRun';

/** Of each stage. */
const STEPS = 2;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-recipes-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const RECIPES = 'config/recipes';
const recipes = readdirSync(RECIPES)
  .filter((file) => extname(file) === '.yaml')
  .map((file) => basename(file, '.yaml'));

const ch001 = 'ch001_gradient';
/** What a recipe's log must show besides its terms, of whatever data set. */
const ownFigures: Record<string, string[]> = {
  sfmlearner: ['explained_photometric/unmasked_error', 'explained_photometric/mean_mask'],
  ch001_gradient: [
    'explained_photometric/unmasked_error',
    `${ch001}/mean_mask`,
    `${ch001}/mean_depth`,
    ...['depth_gradient', 'estimated_gradient', 'pull'].flatMap((figure) => [
      `${ch001}/${figure}_x`,
      `${ch001}/${figure}_y`,
    ]),
  ],
  normals: [
    'normal_truth/angle_degrees',
    'normal_truth/within_11_degrees',
    'depth_normals/angle_degrees',
    'depth_truth/log_error',
  ],
  semantic: ['semantic_cross_entropy/pixel_accuracy', 'semantic_cross_entropy/mean_iou', 'depth_truth/log_error'],
  two_stream: ['photometric/warped_error'],
  monodepth_lr: ['left_right_photometric/left_error'],
  depth_anything: ['feature_alignment/mean_cosine'],
};

/** The recipe's network as small as its options allow: what is tested here is the recipe. */
function small({ network }: Recipe): Recipe['network'] {
  const size = { height: 32, width: 64 };
  switch (network.kind) {
    case 'sfmlearner':
      return { ...network, ...size, width_factor: 0.25 };
    case 'cnn_residual':
      return { ...network, ...size, decoder_channels: 64 };
    default:
      return { ...network, ...size };
  }
}

test.each(recipes)(
  '%s trains a few steps on its own terms with a finite loss',
  async (name) => {
    const recipe = readRecipe(join(RECIPES, `${name}.yaml`));
    recipe.network = small(recipe);
    recipe.stages = recipe.stages.map((stage) => ({ ...stage, steps: STEPS, height: 32, width: 64, batch_size: 1 }));
    recipe.log_every = 1;
    const log = await trainTiny(recipe, folder);
    expect(log.map(({ stage }) => stage)).toEqual(recipe.stages.flatMap((stage) => Array(STEPS).fill(stage.name)));
    log.forEach((entry, step) => {
      const [loss] = Object.keys(entry).filter((figure) =>
        /^(drives|synthetic|measured|unlabelled)\/loss$/.test(figure),
      );
      const dataSet = loss.split('/')[0];
      // The pattern has what any term needs.
      const { losses } = recipe.stages[Math.floor(step / STEPS)];
      for (const figure of ['loss', 'gradient_norm', ...Object.keys(losses)])
        expect([figure, Number.isFinite(entry[`${dataSet}/${figure}`])]).toEqual([figure, true]);
    });
    const ofAnySet = (key: string): string => key.slice(key.indexOf('/') + 1);
    const figures = new Map(
      log.flatMap((entry) => Object.entries(entry).map(([key, value]) => [ofAnySet(key), value])),
    );
    for (const figure of ownFigures[name] ?? [])
      expect([figure, Number.isFinite(figures.get(figure))]).toEqual([figure, true]);
  },
  300_000,
);

test('the figures asked for above are of recipes that there are', () => {
  expect(recipes).toEqual(expect.arrayContaining(Object.keys(ownFigures)));
});

test('the list says what each recipe is, what it needs and that nothing is measured where no results file is', () => {
  const byFile = new Map(listRecipes().map((entry) => [entry.file, entry]));
  expect(byFile.get('config/recipes/ch001_gradient.yaml')).toMatchObject({
    name: 'ch001_gradient',
    network: 'sfmlearner',
    paper: expect.stringContaining('CH-001') as string,
    losses: ['explained_photometric', 'second_order_smoothness', 'mask_regulariser', 'ch001_gradient'],
    data: { sets: ['drives'], needs: ['next'] },
  });
  expect(byFile.get('config/recipes/default.yaml')!.data).toEqual({
    sets: ['synthetic', 'drives'],
    needs: ['truth', 'next'],
  });
});

test('what studies measured of a recipe is listed with it', () => {
  const recipes = join(folder, 'config/recipes');
  const results = join(folder, 'config/studies/results');
  for (const path of [recipes, results]) mkdirSync(path, { recursive: true });
  const text = `name: mine\ndescription: mine\nnetwork: { encoder: lite0 }\ndata: {}\nstages:\n  - { name: a, steps: 1, height: 32, width: 64, batch_size: 1, learning_rate: 1, mix: { synthetic: 1 }, losses: { depth_truth: 1 } }\n`;
  for (const name of ['mine', 'other']) writeFileSync(join(recipes, `${name}.yaml`), text);
  const row = { variant: 'all', description: '', recipe: 'mine', figures: { 'kitti abs_rel': 0.31 } };
  const result = { study: 's', question: 'q', machine: {}, rows: [row, { ...row, recipe: null }], claims: [] };
  writeFileSync(join(results, 's.json'), JSON.stringify(result));
  expect(listRecipes(folder).map(({ file, results: measured }) => [file, measured])).toEqual([
    ['config/recipes/mine.yaml', [{ study: 's', variant: 'all', figures: { 'kitti abs_rel': 0.31 } }]],
    ['config/recipes/other.yaml', []],
  ]);
  writeFileSync(join(results, 's.json'), '{}');
  expect(() => listRecipes(folder)).toThrow(/s\.json is no study's result/);
});
