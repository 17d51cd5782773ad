import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DepthNetwork } from '../../src/model/network';
import { readSafetensors } from '../../src/model/safetensors';
import { averagedWeights } from '../../src/training/checkpoint';
import type { TrainingBatch } from '../../src/training/losses/loss';
import { Random } from '../../src/training/random';
import { readRecipe, type Recipe } from '../../src/training/recipe';
import { CHECKPOINT_FILE, train, type BatchSource } from '../../src/training/trainer';

const size = { height: 32, width: 64 };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-trainer-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function tinyRecipe(steps: number): Recipe {
  const recipe = readRecipe('config/recipes/default.yaml');
  const stages = recipe.stages.filter((stage) => stage.mix.drives > 0).slice(0, 1);
  return {
    ...recipe,
    stages: stages.map((stage) => ({ ...stage, ...size, steps, batch_size: 1, mix: { drives: 1, synthetic: 0 } })),
    log_every: 1,
    checkpoint_every: 1000,
    images_every: 2,
  };
}

/** A picture that moves by a pixel from frame to frame, drawn from the run's own random numbers as the real sources do. */
class MovingPattern implements BatchSource {
  constructor(
    private readonly random: Random,
    private readonly spoiled = false,
  ) {}

  next(count: number, height: number, width: number): TrainingBatch {
    const phase = this.random.between(0, 6);
    const frame = (shift: number): Float32Array =>
      Float32Array.from({ length: count * height * width * 3 }, (_, i) => {
        const u = Math.floor(i / 3) % width;
        const v = Math.floor(i / 3 / width);
        return this.spoiled ? NaN : 0.5 + 0.3 * Math.sin(0.4 * (u + shift) + 0.3 * v + phase) + 0.1 * Math.sin(i);
      });
    const [previous, target, next] = [-1, 0, 1].map(frame);
    const networkImages = Float32Array.from([...previous, ...target, ...next]);
    const intrinsics = Array.from({ length: count }, () => ({
      width,
      height,
      fx: 50,
      fy: 50,
      cx: width / 2,
      cy: height / 2,
    }));
    return { size: count, height, width, intrinsics, previous, target, next, networkImages };
  }
}

function network(): DepthNetwork {
  return DepthNetwork.create({ encoder: 'lite0', ...size, seed: 3 });
}

async function run(steps: number, out: string): Promise<void> {
  const random = new Random(5);
  // The schedule is the whole run's, also for the part that is cut off early.
  const recipe = tinyRecipe(6);
  const source = new MovingPattern(random);
  let left = steps;
  const counting: BatchSource = {
    next: (...args) => {
      if (left-- <= 0) throw new Error('cut off');
      return source.next(...args);
    },
  };
  await train({ ...recipe, checkpoint_every: 3 }, network(), { drives: counting }, random, { out, quiet: true });
}

test('a run that is cut off goes on to the same weights as one that is not', async () => {
  const whole = join(folder, 'whole');
  const parts = join(folder, 'parts');
  await run(6, whole);
  await expect(run(4, parts)).rejects.toThrow('cut off');
  await run(6, parts);
  const expected = readSafetensors(join(whole, CHECKPOINT_FILE)).tensors;
  const got = readSafetensors(join(parts, CHECKPOINT_FILE)).tensors;
  let largest = 0;
  for (const [name, { data }] of expected) {
    const other = got.get(name)!.data;
    data.forEach((x, i) => (largest = Math.max(largest, Math.abs(x - other[i]))));
  }
  expect(largest).toBeLessThan(1e-5);
});

test('writes the log, TensorBoard scalars and pictures, and averaged weights for the export', async () => {
  const random = new Random(5);
  await train(tinyRecipe(2), network(), { drives: new MovingPattern(random) }, random, { out: folder, quiet: true });
  const lines = readFileSync(join(folder, 'log.jsonl'), 'utf8').trim().split('\n');
  expect(lines).toHaveLength(2);
  const entry = JSON.parse(lines[1]) as Record<string, number>;
  expect(entry['drives/photometric/unwarped_error']).toBeGreaterThan(0);
  expect(entry['drives/gradient_consistency']).toBeGreaterThan(0);
  const [events] = readdirSync(join(folder, 'tensorboard'));
  const bytes = readFileSync(join(folder, 'tensorboard', events));
  expect(bytes.includes('drives/depth')).toBe(true);
  expect(bytes.includes(Buffer.from([0x89, 0x50, 0x4e, 0x47]))).toBe(true); // the picture, a PNG
  expect(bytes.includes('drives/photometric/warped_error')).toBe(true);
  const { weights, position } = averagedWeights(join(folder, CHECKPOINT_FILE));
  expect(position.step).toBe(2);
  network().setWeights(weights);
});

test('a loss that stays NaN ends the run with the terms named and leaves the checkpoint alone', async () => {
  const good = new Random(5);
  await train(tinyRecipe(2), network(), { drives: new MovingPattern(good) }, good, { out: folder, quiet: true });
  const before = readFileSync(join(folder, CHECKPOINT_FILE));
  const random = new Random(5);
  const spoiled = train(tinyRecipe(40), network(), { drives: new MovingPattern(random, true) }, random, {
    out: folder,
    quiet: true,
  });
  await expect(spoiled).rejects.toThrow(/not finite.*photometric=.*checkpoint/s);
  expect(readFileSync(join(folder, CHECKPOINT_FILE)).equals(before)).toBe(true);
});

test('a checkpoint that is cut off or of something else is named', async () => {
  const random = new Random(5);
  await train(tinyRecipe(1), network(), { drives: new MovingPattern(random) }, random, { out: folder, quiet: true });
  const path = join(folder, CHECKPOINT_FILE);
  const bytes = readFileSync(path);
  for (const damaged of [bytes.subarray(0, bytes.length / 2), Buffer.from('no checkpoint at all'), Buffer.alloc(0)]) {
    writeFileSync(path, damaged);
    await expect(
      train(tinyRecipe(2), network(), { drives: new MovingPattern(random) }, random, { out: folder, quiet: true }),
    ).rejects.toThrow(path);
  }
  expect(existsSync(path)).toBe(true);
});
