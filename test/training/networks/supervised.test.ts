import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { readSafetensors } from '../../../src/model/safetensors';
import { checkerboard } from '../../../src/training/checkerboard';
import { createNetwork } from '../../../src/training/networks';
import { Random } from '../../../src/training/random';
import { CHECKPOINT_FILE } from '../../../src/training/runFolder';
import { computeLosses } from '../../../src/training/step';
import { openRun } from '../../../src/training/trainedRun';
import { expectResumes, PatternWithDepth, tinyRecipe, trainTiny } from '../../support/tinyRun';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-supervised-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const size = 'height: 32, width: 64';
const networks = [
  `{ kind: eigen_coarse, ${size}, width_factor: 0.25 }`,
  `{ kind: pure_cnn, ${size}, width_factor: 0.25 }`,
  `{ kind: cnn_transpose, ${size}, width_factor: 0.25 }`,
  `{ kind: cnn_residual, encoder: resnet18, unpooling: average, decoder_channels: 32, ${size} }`,
];
const losses = '{ depth_mse: 1, depth_truth: 0.1 }';

test.each(networks)('%s trains from a recipe on measured depth', async (network) => {
  const log = await trainTiny(tinyRecipe(folder, { network, losses, steps: 3 }), folder);
  expect(log).toHaveLength(3);
  for (const entry of log) {
    expect(entry['drives/depth_mse']).toBeGreaterThan(0);
    expect(Number(entry['drives/loss'])).toBeLessThan(100);
  }
});

test('dropout and running statistics go on after an interruption as without one', async () => {
  await expectResumes(folder, { network: networks[0], losses });
  const { tensors } = readSafetensors(join(folder, 'whole', CHECKPOINT_FILE));
  const variances = [...tensors].filter(([name]) => /^statistic:.*\/moving_variance$/.test(name));
  expect(variances).toHaveLength(6);
  for (const [, { data }] of variances) expect(data.some((x) => x !== 1)).toBe(true);
});

test('a run gives back its averaged weights and running statistics', async () => {
  const recipe = tinyRecipe(folder, { network: networks[0], losses });
  await trainTiny(recipe, folder);
  const { network, position } = openRun(folder);
  expect(position.step).toBe(4);
  const { tensors } = readSafetensors(join(folder, CHECKPOINT_FILE));
  for (const [part, variables] of [
    ['average', network.namedVariables()],
    ['statistic', network.namedStatistics()],
  ] as const)
    for (const [name, variable] of variables)
      expect([...variable.dataSync()]).toEqual([...tensors.get(`${part}:${name}`)!.data]);
  network.dispose();
});

test('only a training pass drops units and moves the running statistics', () => {
  const recipe = tinyRecipe(folder, { network: networks[0], losses });
  const network = createNetwork(recipe.network, { seed: 1 });
  const batch = new PatternWithDepth(new Random(3)).next(2, 32, 64);
  const pass = (random?: Random): number =>
    tf.tidy(() => tf.sum(network.forward(batch, { alignPoses: false, random }).fused).dataSync()[0]);
  const statistics = (): number[] => [...network.namedStatistics().values()].flatMap((v) => [...v.dataSync()]);
  const before = statistics();
  expect(pass()).toBe(pass());
  expect(statistics()).toEqual(before);
  expect(pass(new Random(1))).not.toBe(pass(new Random(2)));
  expect(statistics()).not.toEqual(before);
  network.dispose();
});

test('validations measure the checkerboard before the map is enlarged, where it is large enough', () => {
  const stage = { losses: { depth_mse: 1 }, align_poses: false };
  const measured = (size: 32 | 64): number | undefined => {
    const network = createNetwork({ kind: 'cnn_transpose', height: size, width: 64, width_factor: 0.25 }, { seed: 1 });
    const batch = new PatternWithDepth(new Random(3)).next(2, size, 64);
    const { scalars } = computeLosses(network, batch, stage);
    const { coarse } = network.forward(batch, { alignPoses: false });
    expect(coarse!.shape).toEqual([2, size / 4, 16, 1]);
    expect(scalars.checkerboard).toBe(checkerboard(coarse!.dataSync<'float32'>(), 2, size / 4, 16));
    network.dispose();
    return scalars.checkerboard;
  };
  expect(measured(32)).toBeUndefined();
  expect(measured(64)).toBeGreaterThan(0);
});

test('a stage of another size and a start that there are no weights for are refused', async () => {
  const network = '{ kind: pure_cnn, height: 64, width: 64, width_factor: 0.25 }';
  await expect(trainTiny(tinyRecipe(folder, { network, losses }), folder)).rejects.toThrow(
    /pure_cnn of network\.height 64 and width 64 .*a stage has 32 and 64/,
  );
  const pretrained = tinyRecipe(folder, { network: '{ kind: cnn_residual, pretrained: true }', losses });
  expect(() => createNetwork(pretrained.network, { seed: 1 })).toThrow(/encoder: lite0 alone, not for resnet50/);
});
