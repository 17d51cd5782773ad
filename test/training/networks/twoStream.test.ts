import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSafetensors } from '../../../src/model/safetensors';
import { createNetwork } from '../../../src/training/networks';
import { CHECKPOINT_FILE } from '../../../src/training/runFolder';
import { expectResumes, tinyRecipe, trainTiny } from '../../support/tinyRun';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-two-stream-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const network = '{ kind: two_stream, encoder: lite0, pretrained: false, height: 32, width: 64 }';
const losses = '{ photometric: 1, gradient_consistency: 0.1, depth_truth: 0.5, pose_truth: 0.1 }';

test('goes on after an interruption as without one', () => expectResumes(folder, { network, losses }));

test('the encoder rate is that of both encoders', async () => {
  const stage = '    encoder_rate: 0';
  const recipe = tinyRecipe(folder, { network, losses, stage, steps: 2 });
  const start = createNetwork(recipe.network, { seed: recipe.seed }).namedVariables();
  await trainTiny(recipe, folder);
  const { tensors } = readSafetensors(join(folder, CHECKPOINT_FILE));
  const moved = [...start].flatMap(([name, variable]) => {
    const values = variable.dataSync<'float32'>();
    return tensors.get(`weights:${name}`)!.data.some((x, i) => x !== values[i]) ? [name] : [];
  });
  expect(moved.filter((name) => name.includes('encoder/'))).toEqual([]);
  for (const part of ['depth_stream/depth/', 'depth_stream/fusion/', 'gradient_stream/gradient/', 'pose/'])
    expect(moved.some((name) => name.startsWith(part))).toBe(true);
});
