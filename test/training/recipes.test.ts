/** The recipes that come with the package: listed, and each trained for a few steps at a small size. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRecipe } from '../../src/training/recipe';
import { listRecipes } from '../../src/training/recipesCommand';
import { trainTiny } from '../support/tinyRun';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-recipes-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ch001 = 'drives/ch001_gradient';
const ownFigures: Record<string, string[]> = {
  sfmlearner: [
    'drives/explained_photometric/unmasked_error',
    'drives/explained_photometric/mean_mask',
    'drives/second_order_smoothness',
    'drives/mask_regulariser',
  ],
  ch001_gradient: [
    'drives/explained_photometric/unmasked_error',
    `${ch001}/mean_mask`,
    `${ch001}/mean_depth`,
    ...['depth_gradient', 'estimated_gradient', 'pull'].flatMap((figure) => [
      `${ch001}/${figure}_x`,
      `${ch001}/${figure}_y`,
    ]),
  ],
  normals: [
    'synthetic/normal_truth/angle_degrees',
    'synthetic/normal_truth/within_11_degrees',
    'synthetic/depth_normals/angle_degrees',
    'synthetic/depth_truth/log_error',
  ],
  semantic: [
    'synthetic/semantic_cross_entropy/pixel_accuracy',
    'synthetic/semantic_cross_entropy/mean_iou',
    'synthetic/depth_truth/log_error',
  ],
  two_stream: ['drives/photometric/warped_error', 'drives/gradient_consistency', 'synthetic/gradient_truth'],
  monodepth_lr: ['photometric/left_error', 'consistency'].map((figure) => `measured/left_right_${figure}`),
  ...Object.fromEntries(
    // cnn_residual_average differs from cnn_residual by its unpooling alone, whose gradients resample.test.ts checks.
    ['eigen_coarse', 'pure_cnn', 'cnn_transpose', 'cnn_residual', 'cnn_residual_transferred'].map((name) => [
      name,
      ['measured/depth_mse'],
    ]),
  ),
};

test.each(Object.keys(ownFigures))(
  '%s trains a few steps on its own terms with a finite loss',
  async (name) => {
    const recipe = readRecipe(`config/recipes/${name}.yaml`);
    recipe.network.height = 32;
    recipe.network.width = 64;
    // The decoder of ResNet-50's size has 30 million weights: what is tested here is the recipe.
    if (recipe.network.kind === 'cnn_residual') recipe.network.decoder_channels = 64;
    recipe.stages = recipe.stages.map((stage) => ({ ...stage, steps: 3, height: 32, width: 64, batch_size: 1 }));
    recipe.log_every = 1;
    const log = await trainTiny(recipe, folder);
    expect(log).toHaveLength(3 * recipe.stages.length);
    const figures = new Map(log.flatMap((entry) => Object.entries(entry)));
    for (const figure of ownFigures[name])
      expect([figure, Number.isFinite(figures.get(figure))]).toEqual([figure, true]);
    for (const entry of log) {
      const losses = Object.entries(entry).filter(([figure]) => /^(drives|synthetic|measured)\/loss$/.test(figure));
      expect(losses.map(([, loss]) => Number.isFinite(loss))).toEqual([true]);
    }
  },
  300_000,
);

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
