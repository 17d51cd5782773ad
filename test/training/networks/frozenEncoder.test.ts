/** Feature alignment (Depth Anything): the encoder's start beside the encoder. */
import { perturbForStudent } from '../../../src/training/batches/perturb';
import type { TrainingBatch } from '../../../src/training/losses/loss';
import { createNetwork, networkSchema } from '../../../src/training/networks';
import { FlatAdam } from '../../../src/training/optimizer';
import { Random } from '../../../src/training/random';
import { computeStep } from '../../../src/training/step';
import { plainBatch } from '../../support/lossFixture';
import { noise } from '../../support/gradientCheck';

const [size, height, width] = [3, 64, 96];
const none = { jitterChance: 0, blurChance: 0, blurSigma: [1, 1], cutMixChance: 0 } as const;
const settings = networkSchema.parse({ encoder: 'lite0', pretrained: false, height, width, frozen_encoder: true });
const network = createNetwork(settings, { seed: 1 });
afterAll(() => network.dispose());

function labelled(): TrainingBatch {
  const target = noise(3, size * height * width * 3, 0, 1);
  const networkImages = new Float32Array([...target, ...target]);
  const teacher = { disparity: noise(4, size * height * width, 0.1, 1) };
  return plainBatch(size, height, width, { target, previous: target, networkImages, teacher });
}

function features(batch: TrainingBatch): { own: Float32Array; frozen: Float32Array; shape: number[] } {
  const { features: own, frozenFeatures: frozen } = network.forward(batch, { alignPoses: false });
  return { own: own!.dataSync<'float32'>(), frozen: frozen!.dataSync<'float32'>(), shape: frozen!.shape };
}

test('at the start both encoders say the same of the same images, at stride 16', () => {
  const { own, frozen, shape } = features(labelled());
  expect(shape).toEqual([size, height / 16, width / 16, 112]);
  expect(frozen).toEqual(own);
  expect(new Set(frozen).size).toBeGreaterThan(1000);
});

test('what CutMix pasted has the features it had in its own image', () => {
  const batch = labelled();
  const whole = features(batch).frozen;
  const mixed = perturbForStudent(batch, new Random(5), { ...none, cutMixChance: 1 });
  const { frozen, own, shape } = features(mixed);
  const [, rows, columns, channels] = shape;
  const fromNext = [0, 0];
  for (let cell = 0; cell < size * rows * columns; cell++) {
    const b = Math.floor(cell / (rows * columns));
    const at = cell % (rows * columns);
    const middle = (16 * Math.floor(at / columns) + 8) * width + 16 * (at % columns) + 8;
    const pasted = mixed.teacher!.pasted![b * height * width + middle];
    const from = (((b + pasted) % size) * rows * columns + at) * channels;
    expect(frozen.subarray(cell * channels, (cell + 1) * channels)).toEqual(whole.subarray(from, from + channels));
    fromNext[pasted]++;
  }
  expect(Math.min(...fromNext)).toBeGreaterThan(3);
  // The student has seen the pasted pictures.
  expect(own).not.toEqual(whole);
});

test('steps change the encoder and not its start, which is no part of a checkpoint', () => {
  const batch = perturbForStudent(labelled(), new Random(6), {
    ...none,
    jitterChance: 1,
    blurChance: 1,
    blurSigma: [2, 3],
  });
  const { frozen } = features(batch);
  const variables = network.namedVariables();
  const step = () =>
    computeStep(
      network,
      [...variables.values()],
      batch,
      { losses: { feature_alignment: 1 }, align_poses: false },
      new Random(1),
    );
  const adam = new FlatAdam(variables);
  const before = step();
  expect(before.loss).toBeGreaterThan(0.1);
  const reached = [...variables].filter(([, { name }]) => before.gradients[name]).map(([name]) => name);
  expect(reached.length).toBeGreaterThan(30);
  for (const name of reached) expect(name).toMatch(/^encoder\//);
  adam.apply(before.gradients, () => 1e-4);
  for (let i = 0; i < 3; i++) adam.apply(step().gradients, () => 1e-4);
  expect(step().scalars['feature_alignment/mean_cosine']).toBeGreaterThan(
    before.scalars['feature_alignment/mean_cosine'],
  );
  expect(features(batch).frozen).toEqual(frozen);
});
