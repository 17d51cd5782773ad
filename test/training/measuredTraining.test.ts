/** The recipes on measured depth, stereo pairs and a teacher's labels, a few steps each, on made recordings and on the shared data. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { BatchesInTurn, type DataSets } from '../../src/training/batches/batchSource';
import { openDataSets, openValidation } from '../../src/training/data';
import { openRecording } from '../../src/training/datasets/openRecording';
import { prepare } from '../../src/training/datasets/prepare';
import { labelDrive } from '../../src/training/datasets/teacherLabels';
import { createNetwork } from '../../src/training/networks';
import { Random } from '../../src/training/random';
import { readRecipe, withData, type GivenData, type Recipe } from '../../src/training/recipe';
import { LOG_FILE, readLog } from '../../src/training/runFolder';
import { train } from '../../src/training/trainer';
import { Validator } from '../../src/training/validation';
import { cameraInfoMessage, imageMessage, twistMessage, writeMcap } from '../support/bagWriter';
import { makeMiddlebury, makeStereoDepthFolder, PAIR } from '../support/measuredScenes';
import { tinyModel } from '../support/tinyModel';

const shared = resolve(process.env.DEPTHGRAD_SHARED_DATA ?? join(__dirname, '../../../shared/data'));
const size = { height: 32, width: 64 };
let root: string;
let made: string;
let teacher: string;
const cacheBefore = process.env.DEPTHGRAD_CACHE;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'depthgrad-measured-'));
  process.env.DEPTHGRAD_CACHE = join(root, 'cache');
  made = await makeStereoDepthFolder(root, 10);
  teacher = join(root, 'teacher.onnx');
  writeFileSync(teacher, tinyModel({ height: 280, width: 416 }));
});
afterAll(() => {
  if (cacheBefore === undefined) delete process.env.DEPTHGRAD_CACHE;
  else process.env.DEPTHGRAD_CACHE = cacheBefore;
  rmSync(root, { recursive: true, force: true });
});

/** A recipe of config/recipes cut down to three small steps, on other data. */
function small(name: string, given: GivenData): Recipe {
  const recipe = readRecipe(`config/recipes/${name}.yaml`, given);
  if (recipe.network.kind !== 'depthgrad') throw new Error(`${name} is a recipe for depthgrad's own network`);
  return {
    ...recipe,
    network: { ...recipe.network, ...size, pretrained: false },
    validation: { ...recipe.validation, every: 3, samples: 2, share: 0.25 },
    stages: recipe.stages.map((stage) => ({ ...stage, ...size, steps: 3, batch_size: 2 })),
    log_every: 1,
  };
}

/** Trains it; the log's entries of the steps, and of the validation. */
async function run(recipe: Recipe): Promise<{ steps: Record<string, unknown>[]; validation: Record<string, unknown> }> {
  const random = new Random(recipe.seed);
  const dataSets: DataSets = await openDataSets(recipe, random);
  const images = dataSets.measured ?? dataSets.unlabelled;
  const network = createNetwork(recipe.network, { seed: recipe.seed, images });
  const kept = new Random(recipe.seed);
  const validator = new Validator(recipe, (await openValidation(recipe, kept))!, kept);
  const out = mkdtempSync(join(root, 'run-'));
  const weights = (): [string, Float32Array][] =>
    [...network.namedVariables()].map(([name, variable]) => [name, variable.dataSync<'float32'>().slice()]);
  const before = new Map(weights());
  await train(recipe, network, new BatchesInTurn(recipe, dataSets, random), { out, quiet: true, validator });
  const moved = weights().filter(([name, values]) => values.some((x, i) => x !== before.get(name)![i]));
  expect(moved.some(([name]) => name.startsWith('depth/'))).toBe(true);
  expect(moved.some(([name]) => name.startsWith('pose/'))).toBe(false);
  const entries = readLog(join(out, LOG_FILE)) as unknown as Record<string, unknown>[];
  const isValidation = (entry: Record<string, unknown>): boolean => 'validation/loss' in entry;
  return { steps: entries.filter((entry) => !isValidation(entry)), validation: entries.find(isValidation)! };
}

test.each([
  ['midas', ['affine_invariant', 'gradient_matching']],
  ['semi_supervised', ['berhu_inverse_depth', 'stereo_from_depth', 'smoothness']],
])('%s trains on measured recordings', async (name, terms) => {
  const { steps, validation } = await run(small(name, { measured: [made] }));
  expect(steps).toHaveLength(3);
  for (const entry of steps) for (const term of terms) expect(entry[`measured/${term}`]).toBeGreaterThan(0);
  for (const term of terms) expect(validation[`validation/${term}`]).toBeGreaterThan(0);
});

test('a bag with a speed and nothing else measured brings the pose head to metres', async () => {
  const path = join(root, 'drive.mcap');
  const messages = Array.from({ length: 12 }, (_, i) => {
    const seconds = 1 + 0.1 * i;
    const data = Uint8Array.from(
      { length: 32 * 24 * 3 },
      (_, at) => 128 + 100 * Math.sin(Math.floor(at / 3) * 0.7 + i),
    );
    return [imageMessage('/front/image_raw', seconds, 32, 24, { data }), twistMessage('/speed', seconds, 3)];
  });
  await writeMcap(path, [cameraInfoMessage('/front/camera_info', 1), ...messages.flat()]);
  const given = small('midas', { measured: [path] });
  const losses = { photometric: 1, velocity: 1 };
  const recipe: Recipe = {
    ...given,
    stages: given.stages.map((stage) => ({
      ...stage,
      steps: 12,
      batch_size: 1,
      learning_rate: 2e-3,
      final_learning_rate: 1e-3,
      frozen: [],
      align_poses: false,
      losses,
    })),
  };
  const random = new Random(recipe.seed);
  const dataSets = await openDataSets(recipe, random);
  const network = createNetwork(recipe.network, { seed: recipe.seed, images: dataSets.measured });
  const out = mkdtempSync(join(root, 'run-'));
  await train(recipe, network, new BatchesInTurn(recipe, dataSets, random), { out, quiet: true });
  const entries = readLog(join(out, LOG_FILE)) as unknown as Record<string, number>[];
  for (const entry of entries) expect(entry).toHaveProperty(['measured/photometric']);
  // Untrained it stands still, 0.3 m short of the true way.
  expect(entries[0]['measured/velocity']).toBeGreaterThan(0.2);
  expect(entries.at(-1)!['measured/velocity']).toBeLessThan(0.8 * entries[0]['measured/velocity']);
});

test('depth_anything trains on a teacher’s labels, made once; without perturbations no label is pasted', async () => {
  const recipe = small('depth_anything', { unlabelled: [made], teacher });
  const { steps, validation } = await run(recipe);
  expect(steps).toHaveLength(3);
  for (const entry of steps) {
    expect(entry['unlabelled/teacher_disparity']).toBeGreaterThan(0);
    expect(entry['unlabelled/feature_alignment/mean_cosine']).toBeLessThan(1);
  }
  // The figure is there where the labels were cut and mixed: not in validations, which see whole pictures.
  expect(validation['validation/teacher_disparity/pasted_share']).toBeUndefined();
  const next = async (data: Partial<Recipe['data']>) =>
    (await openDataSets({ ...recipe, data: { ...recipe.data, ...data } }, new Random(1))).unlabelled!.next(2, 32, 64);
  const [perturbed, plain] = [await next({}), await next({ student: undefined })];
  expect(perturbed.teacher?.pasted).toBeDefined();
  expect(plain.teacher?.pasted).toBeUndefined();
  expect(plain.networkImages.slice(plain.target.length)).toEqual(plain.target);
  const missing = { ...recipe, data: { ...recipe.data, teacher: join(made, 'calib.yaml') } };
  await expect(openDataSets(missing, new Random(1))).rejects.toThrow(/calib\.yaml: not an ONNX model/);
});

test('a teacher’s labels are its disparity of every frame to be trained on', async () => {
  const drive = await prepare(await openRecording(made), join(root, 'labels'), { width: 96, progress: false });
  // The tiny model takes pictures of its own size only; its depth is the mean of r, g and b by 255, times 100.
  const own = join(root, 'own_size.onnx');
  writeFileSync(own, tinyModel({ height: 64, width: 96 }));
  const labels = await labelDrive(drive, own);
  expect(labels).toMatchObject({ count: 8, height: 64, width: 96 });
  expect([labels.has(7), labels.has(8)]).toEqual([true, false]);
  const written = readdirSync(drive.folder).filter((name) => name.startsWith('teacher-'));
  expect(written.map((name) => name.replace(/^teacher-[0-9a-f]{12}/, '')).sort()).toEqual(['.bin', '.json']);
  const disparity = new Float32Array(64 * 96);
  labels.read(3, disparity);
  const frame = new Uint8Array(96 * 64 * 3);
  drive.readFrame(3, frame);
  for (const pixel of [0, 1000, 96 * 64 - 1]) {
    const [r, g, b] = frame.subarray(3 * pixel, 3 * pixel + 3);
    expect(1 / disparity[pixel]).toBeCloseTo((100 * (r + g + b)) / 3 / 255, 2);
  }
  drive.close();
});

test('measured depth and pair of prepared recordings fit: the right image by the depth is the left one', async () => {
  const recipe = small('semi_supervised', { measured: [made] });
  const { measured } = await openDataSets({ ...recipe, data: { ...recipe.data, min_crop: [1, 1] } }, new Random(1));
  const { target, stereo, depth, intrinsics } = measured!.next(1, PAIR.height, PAIR.width);
  const { fx, cx } = intrinsics[0];
  expect([fx, cx]).toEqual([expect.closeTo(PAIR.fx, 4), expect.closeTo(PAIR.cx, 4)]);
  let [warped, unwarped, count] = [0, 0, 0];
  depth!.forEach((z, i) => {
    const from = Math.round((i % PAIR.width) - (fx * stereo!.baseline[0]) / z);
    if (!(z > 0) || from < 0) return;
    const at = i - (i % PAIR.width) + from;
    warped += Math.abs(target[3 * i] - stereo!.right[3 * at]);
    unwarped += Math.abs(target[3 * i] - stereo!.right[3 * i]);
    count++;
  });
  expect(count).toBeGreaterThan(500);
  expect(warped).toBeLessThan(0.25 * unwarped);
});

test('scenes of Middlebury’s layout feed the pair’s losses', async () => {
  const scenes = [];
  for (const name of ['A', 'B', 'C', 'D', 'E']) scenes.push(await makeMiddlebury(join(root, 'middlebury'), name));
  const recipe = small('semi_supervised', { measured: scenes });
  const { measured } = await openDataSets(recipe, new Random(1));
  const { stereo, depth, previous, target, next } = measured!.next(3, 32, 64);
  expect([...stereo!.baseline]).toEqual([0.1, 0.1, 0.1].map(Math.fround));
  expect([previous === target, next]).toEqual([true, undefined]);
  expect(new Set(depth)).toEqual(new Set([PAIR.box, PAIR.wall]));
});

test('the command line’s recordings take the recipe’s place, in the kept text too', () => {
  const path = join(root, 'recipe.yaml');
  const recipe = { name: 'r', description: 'd', network: { encoder: 'lite0' }, data: { measured: ['a'] } };
  const stage = {
    name: 's',
    steps: 1,
    height: 32,
    width: 32,
    batch_size: 1,
    learning_rate: 1,
    losses: { smoothness: 1 },
  };
  const write = (mix: object): void => writeFileSync(path, stringify({ ...recipe, stages: [{ ...stage, mix }] }));
  write({ measured: 1 });
  expect(readRecipe(path, { measured: ['b', 'c'] }).data.measured).toEqual(['b', 'c']);
  expect(withData('# why\ndata: { measured: [a] } # mine\n', { measured: ['b'] })).toMatch(/# why[^]*b[^]*# mine/);
  expect(() => readRecipe(path, { measured: [] })).toThrow(/mix asks for measured but data\.measured is empty/);
  write({ unlabelled: 1 });
  expect(() => readRecipe(path, { unlabelled: ['b'] })).toThrow(/data\.teacher names no model file/);
  write({ measured: 0 });
  expect(() => readRecipe(path)).toThrow(/mix must give drives, synthetic, measured, unlabelled/);
});

function sharedTest(name: string): jest.It {
  const path = join(shared, name);
  if (!existsSync(path)) console.log(`not trained on: no ${path}`);
  return existsSync(path) ? test : test.skip;
}

sharedTest('7scenes_redkitchen_f000-699')(
  '7-Scenes feeds midas, the first four fifths of it',
  async () => {
    const recipe = small('midas', { measured: [join(shared, '7scenes_redkitchen_f000-699')] });
    const { measured } = await openDataSets(recipe, new Random(1));
    const { depth, stereo } = measured!.next(2, 32, 64);
    const metres = depth!.filter((z) => z > 0);
    expect(metres.length).toBeGreaterThan(0.5 * depth!.length);
    expect([Math.min(...metres) > 0.3, Math.max(...metres) < 10, stereo]).toEqual([true, true, undefined]);
    // Every fifth of 700 frames has depth; a fifth is held out, and a quarter of the rest kept for validation.
    expect(measured).toMatchObject({ count: 84 });
    const { steps } = await run(recipe);
    for (const entry of steps) expect(entry['measured/affine_invariant']).toBeGreaterThan(0);
  },
  300_000,
);

sharedTest('kitti_raw_0926_lidar')(
  'KITTI’s LiDAR and stereo frames feed semi_supervised, each batch its terms',
  async () => {
    const names = ['kitti_raw_0926_lidar', 'kitti_odo01_stereo_f000-050'];
    const recipe = small('semi_supervised', { measured: names.map((name) => join(shared, name)) });
    const longer = { ...recipe, stages: recipe.stages.map((stage) => ({ ...stage, steps: 8 })) };
    const { steps } = await run(longer);
    const having = (term: string): number => steps.filter((entry) => Number(entry[`measured/${term}`]) > 0).length;
    const [lidar, stereo] = [having('berhu_inverse_depth'), having('stereo_from_depth')];
    expect([lidar > 0, stereo > 0, lidar + stereo]).toEqual([true, true, 8]);
  },
  300_000,
);
