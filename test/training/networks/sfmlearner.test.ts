import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetwork } from '../../../src/training/networks';
import { Random } from '../../../src/training/random';
import { expectResumes, PatternWithDepth, tinyRecipe, trainTiny } from '../../support/tinyRun';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-sfmlearner-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const network = '{ kind: sfmlearner, width_factor: 0.25, gradient_decoder: true, height: 32, width: 64 }';
const losses = '{ explained_photometric: 1, second_order_smoothness: 0.1, mask_regulariser: 0.2, ch001_gradient: 1 }';

test('goes on after an interruption as without one', () => expectResumes(folder, { network, losses }));

test('aligned poses, which it does not have, are refused with what to write', async () => {
  const recipe = tinyRecipe(folder, { network, losses });
  recipe.stages[0].align_poses = true;
  await expect(trainTiny(recipe, folder)).rejects.toThrow(/set align_poses: false/);
});

test('a batch without a next frame has depth and gradient alone', () => {
  const { network: settings } = tinyRecipe(folder, { network, losses });
  const own = createNetwork(settings, { seed: 1 });
  const batch = new PatternWithDepth(new Random(1)).next(2, 32, 64);
  const outputs = own.forward({ ...batch, next: undefined }, { alignPoses: false });
  expect(outputs.poseFromPrevious).toBeUndefined();
  expect(outputs.fused.shape).toEqual([2, 32, 64, 1]);
  expect(outputs.gradient!.shape).toEqual([2, 32, 64, 2]);
  own.dispose();
});
