import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { createNetwork } from '../../../src/training/networks';
import { Random } from '../../../src/training/random';
import { LOG_FILE, readLog } from '../../../src/training/runFolder';
import { expectResumes, PairWithDepth, tinyRecipe } from '../../support/tinyRun';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-monodepth-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const network = '{ kind: monodepth, encoder: dispnet, decoder_factor: 0.25, height: 32, width: 64 }';
const losses = '{ left_right_photometric: 1, left_right_consistency: 1, stereo_smoothness: 0.1 }';

test('trains on pairs from a recipe, and goes on after an interruption as without one', async () => {
  await expectResumes(folder, { network, losses });
  const log = readLog(join(folder, 'whole', LOG_FILE));
  expect(log).toHaveLength(4);
  for (const entry of log)
    for (const term of ['left_right_photometric', 'left_right_consistency', 'stereo_smoothness'])
      expect(entry[`drives/${term}`]).toBeGreaterThan(0);
});

test('depth is metric with the pair’s baseline, and the disparity in widths without it', () => {
  const recipe = tinyRecipe(folder, { network, losses });
  const trained = createNetwork(recipe.network, { seed: 1 });
  const batch = new PairWithDepth(new Random(1)).next(2, 32, 64);
  const { stereo, ...alone } = batch;
  const run = (of: typeof batch): number[] =>
    tf.tidy(() => [...tf.exp(tf.neg(trained.forward(of, { alignPoses: false }).fused)).dataSync()]);
  const [metric, relative] = [run(batch), run(alone)];
  // fx 50 pixels, 64 wide; the samples' baselines differ.
  const perSample = 32 * 64;
  for (const i of [0, 700, perSample, 2 * perSample - 1]) {
    const baseline = stereo!.baseline[Math.floor(i / perSample)];
    expect(metric[i] / relative[i]).toBeCloseTo((50 * baseline) / 64, 4);
  }
  const image = tf.tensor4d(batch.networkImages.subarray(2 * perSample * 3, 4 * perSample * 3), [2, 32, 64, 3]);
  const estimated = [...tf.exp(tf.neg(trained.estimate(image).fused)).dataSync()];
  expect(Math.max(...estimated.map((z, i) => Math.abs(z / relative[i] - 1)))).toBeLessThan(1e-4);
  trained.dispose();
});
