/** The auxiliary heads trained on recordings with depth and label images, and left out of what is exported. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { UNLABELLED } from '../../src/media/labelImage';
import { readSafetensors } from '../../src/model/safetensors';
import { buildOnnx } from '../../src/model/onnx/exportOnnx';
import { BatchesInTurn } from '../../src/training/batches/batchSource';
import { openDataSets, openValidation } from '../../src/training/data';
import { createNetwork } from '../../src/training/networks';
import { TrainedDepthgrad } from '../../src/training/networks/depthgrad';
import { Random } from '../../src/training/random';
import { readRecipe, type Recipe } from '../../src/training/recipe';
import { CHECKPOINT_FILE, LOG_FILE, readLog } from '../../src/training/runFolder';
import { train } from '../../src/training/trainer';
import { openRun } from '../../src/training/trainedRun';
import { Validator } from '../../src/training/validation';
import { writeDepth, writeLabels } from '../support/layouts';
import { tinyRecipe, trainTiny } from '../support/tinyRun';

// As wide as prepared recordings are: depth is not enlarged to steps.
const [width, height] = [416, 208];
const focal = 300;
const horizon = 0.4 * height;
const FRAMES = 10;

let root: string;
let folder: string;
const cacheBefore = process.env.DEPTHGRAD_CACHE;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'depthgrad-auxiliary-'));
  process.env.DEPTHGRAD_CACHE = join(root, 'cache');
  folder = await makeRoom(join(root, 'room'));
});
afterAll(() => {
  if (cacheBefore === undefined) delete process.env.DEPTHGRAD_CACHE;
  else process.env.DEPTHGRAD_CACHE = cacheBefore;
  rmSync(root, { recursive: true, force: true });
});

/** Depth of a floor 1 m below the camera in front of a wall 4 m away. */
function roomDepth(v: number): number {
  return v > horizon ? Math.min(4, focal / (v - horizon)) : 4;
}

/** A poster on the wall, somewhere else in every frame. */
function isPoster(u: number, v: number, frame: number): boolean {
  const left = 20 + 24 * frame;
  return u >= left && u < left + 150 && v >= 10 && v < 120;
}

/** 0 wall, 1 floor, 2 poster; nobody said what the lowest rows are. */
function classAt(u: number, v: number, frame: number): number {
  if (v >= 196) return UNLABELLED;
  return isPoster(u, v, frame) ? 2 : roomDepth(v) < 4 ? 1 : 0;
}

const COLOURS = [
  [150, 140, 130],
  [60, 80, 70],
  [200, 60, 40],
];

async function makeRoom(at: string): Promise<string> {
  mkdirSync(join(at, 'image'), { recursive: true });
  const camera = { image_width: width, image_height: height, fx: focal, fy: focal, cx: width / 2 - 0.5, cy: horizon };
  const lines = Object.entries({ ...camera, fps: 10, depth_scale_per_m: 10000 }).map(
    ([key, value]) => `${key}: ${value}`,
  );
  writeFileSync(join(at, 'calib.yaml'), lines.join('\n'));
  const random = new Random(4);
  for (let frame = 0; frame < FRAMES; frame++) {
    const pixels = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
      const pixel = Math.floor(i / 3);
      const label = classAt(pixel % width, Math.floor(pixel / width), frame);
      return COLOURS[label === UNLABELLED ? 1 : label][i % 3] + 30 * (random.uniform() - 0.5);
    });
    const png = (name: string): string => join(at, name, `${frame}.png`);
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png({ compressionLevel: 1 })
      .toFile(png('image'));
    await writeLabels(png('labels'), width, height, (u, v) => classAt(u, v, frame));
    await writeDepth(png('depth'), width, height, (_, v) => Math.round(10000 * roomDepth(v)));
  }
  return at;
}

/** The recipe's stage on the room, small and for a few steps, with its validation at the end. */
async function trainOnRoom(
  name: 'normals' | 'semantic',
  size: { height: number; width: number },
  network: object,
  losses: Record<string, number>,
  steps: number,
): Promise<Record<string, unknown>> {
  const given = readRecipe(`config/recipes/${name}.yaml`, { measured: [folder] });
  if (given.network.kind !== 'depthgrad') throw new Error(`${name} is a recipe for depthgrad's own network`);
  const [stage] = given.stages;
  const recipe: Recipe = {
    ...given,
    network: { ...given.network, ...size, pretrained: false, ...network },
    optimizer: { ...given.optimizer, ema_decay: 0.9 },
    validation: { ...given.validation, every: steps, samples: 6, share: 0.25 },
    stages: [
      {
        ...stage,
        ...size,
        steps,
        batch_size: 2,
        learning_rate: 3e-3,
        mix: { ...stage.mix, synthetic: 0, measured: 1 },
        frozen: ['pose/'],
        losses,
      },
    ],
    log_every: 1,
  };
  const random = new Random(1);
  const batches = new BatchesInTurn(recipe, await openDataSets(recipe, random), random);
  const kept = new Random(2);
  const validator = new Validator(recipe, (await openValidation(recipe, kept))!, kept);
  const trained = createNetwork(recipe.network, { seed: 1 });
  const out = mkdtempSync(join(root, `${name}-`));
  await train(recipe, trained, batches, { out, quiet: true, validator });
  trained.dispose();
  const entries = readLog(join(out, LOG_FILE)) as unknown as Record<string, unknown>[];
  return { ...entries[0], ...entries.find((entry) => 'validation/loss' in entry) };
}

test('a normal head reaches the normals of a room’s floor and wall', async () => {
  const figures = await trainOnRoom('normals', { height: 32, width: 64 }, {}, { normal_truth: 1 }, 80);
  expect(figures['measured/normal_truth/angle_degrees']).toBeGreaterThan(30);
  expect(figures['validation/normal_truth/angle_degrees']).toBeLessThan(10);
  expect(figures['validation/normal_truth/within_11_degrees']).toBeGreaterThan(0.75);
}, 600_000);

test('a semantic head learns label images to more than 90 % of the pixels of frames it never saw', async () => {
  const network = { auxiliary: { normals: false, semantic_classes: 3 } };
  const size = { height: 64, width: 128 };
  const figures = await trainOnRoom('semantic', size, network, { semantic_cross_entropy: 1 }, 160);
  expect(figures['measured/semantic_cross_entropy/pixel_accuracy']).toBeLessThan(0.8);
  expect(figures['validation/semantic_cross_entropy/pixel_accuracy']).toBeGreaterThan(0.9);
  expect(figures['validation/semantic_cross_entropy/mean_iou']).toBeGreaterThan(0.75);
  expect(figures['validation/semantic_cross_entropy/labelled_share']).toBeLessThan(1);
}, 600_000);

test('the heads are in the checkpoint and not in the exported graph', async () => {
  const size = { height: 32, width: 64 };
  const settings = `{ encoder: lite0, pretrained: false, height: ${size.height}, width: ${size.width}`;
  const withHeads = `${settings}, auxiliary: { normals: true, semantic_classes: 4 } }`;
  const out = join(root, 'run');
  const losses = '{ depth_mse: 1, normal_truth: 1, semantic_cross_entropy: 1 }';
  await trainTiny(tinyRecipe(out, { network: withHeads, losses, steps: 2 }), out);
  const names = [...readSafetensors(join(out, CHECKPOINT_FILE)).tensors.keys()];
  expect(names).toEqual(expect.arrayContaining(['average:normals/head/kernel', 'average:semantic/head/bias']));
  const run = openRun(out).network as TrainedDepthgrad;
  const plainRecipe = tinyRecipe(join(root, 'plain'), {
    network: `${settings} }`,
    losses: '{ depth_mse: 1 }',
  });
  const plain = createNetwork(plainRecipe.network, { seed: 5 }) as TrainedDepthgrad;
  const intrinsics = { fx: 60, fy: 60, cx: 31.5, cy: 15.5 };
  const exported = (network: TrainedDepthgrad): Buffer =>
    Buffer.from(buildOnnx(network.network, { name: 'x', version: '1', intrinsics, ...size }));
  expect(exported(plain).equals(exported(run))).toBe(false);
  plain.network.setWeights(run.network.getWeights());
  expect(exported(plain).equals(exported(run))).toBe(true);
  for (const network of [run, plain]) network.dispose();
});
