import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { fromVector6, toMatrix4, type Se3 } from '../../../src/geometry/se3';
import type { FrameRange, FrameSequence } from '../../../src/training/datasets/dataset';
import { chooseFrames, estimateTrajectory } from '../../../src/training/evaluation/estimateTrajectory';
import { measureTrajectory } from '../../../src/training/evaluation/measureTrajectory';
import { chainEgoMotions } from '../../../src/training/evaluation/trajectory';
import { makeKittiOdometry, makePictureFolder } from '../../support/layouts';
import { Program } from '../../support/program';
import { tinyModel } from '../../support/tinyModel';

const [WIDTH, HEIGHT] = [96, 64];
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-trajectory-'));
afterAll(() => rmSync(folder, { recursive: true }));
const model = join(folder, 'tiny.onnx');
writeFileSync(model, tinyModel({ height: HEIGHT, width: WIDTH }));

/** Grey levels of a drive's frames; the tiny model's motion is d = (change of the level) / 255 on every axis, and d / 10 about each. */
const LEVELS = [100, 110, 130, 120, 150, 155, 150, 160, 180, 175];
const tinyMotion = (before: number, after: number) => {
  const d = (after - before) / 255;
  return [d, d, d, d / 10, d / 10, d / 10];
};
const PATH = chainEgoMotions(LEVELS.slice(1).map((level, i) => tinyMotion(LEVELS[i], level)));

function drive(parts: Partial<FrameSequence> = {}): FrameSequence {
  const count = LEVELS.length;
  return {
    name: 'grey',
    count,
    width: WIDTH,
    height: HEIGHT,
    framesPerSecond: 4,
    intrinsics: { width: WIDTH, height: HEIGHT, fx: 60, fy: 60, cx: 47.5, cy: 31.5 },
    motion: new Float32Array(count),
    split: (): { train: FrameRange; heldOut: FrameRange } => ({ train: [0, 6], heldOut: [6, count] }),
    readFrame: (index, into) => void into.fill(LEVELS[index]),
    ...parts,
  };
}

function expectPath(own: readonly Se3[], expected: readonly Se3[]): void {
  expect(own).toHaveLength(expected.length);
  own.forEach((pose, i) => {
    const wanted = toMatrix4(expected[i]);
    toMatrix4(pose).forEach((value, k) => expect(Math.abs(value - wanted[k])).toBeLessThan(1e-5));
  });
}

test('the model’s motions, frame by frame, are added up', async () => {
  const { frames, poses } = await estimateTrajectory(model, drive());
  expect(frames).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expectPath(poses, PATH);
});

test('every n-th frame of a part', async () => {
  const { frames, poses } = await estimateTrajectory(model, drive(), { every: 2, part: 'heldOut' });
  expect(frames).toEqual([6, 8]);
  expectPath(poses, chainEgoMotions([tinyMotion(150, 180)]));
  expect(chooseFrames(drive(), { part: 'train', every: 3 })).toEqual([0, 3]);
});

test('a model that is right but for the scale has no error, and its files say so', async () => {
  const world = fromVector6([3, 4, 5, 0.1, 0.9, -0.3]);
  const truth = PATH.map(({ rotation, translation }) => ({ rotation, translation: translation.map((x) => 20 * x) }));
  const poses = chainFrom(world, truth);
  poses[1] = undefined;
  const stamps = Float64Array.from(LEVELS, (_, i) => 1341845948.75 + i / 4);
  const files = {
    plot: join(folder, 'new', 'plot.png'),
    tum: join(folder, 'new', 'estimate.tum'),
    tumTruth: join(folder, 'truth.tum'),
  };
  const result = await measureTrajectory(model, drive({ poses, stamps }), {}, files);
  expect(result).toMatchObject({ drive: 'grey', frames: 9 });
  expect(result.scale).toBeCloseTo(20, 3);
  expect(result.ate_sim3_rmse_m).toBeLessThan(1e-4);
  expect(result.rpe_rotation_rmse_deg).toBeLessThan(1e-3);

  const read = (file: string) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ').map(Number));
  const [estimate, actual] = [read(files.tum), read(files.tumTruth)];
  // The frame without a true pose is in neither.
  expect(estimate.map(([stamp]) => stamp)).toEqual([...stamps].filter((_, i) => i !== 1));
  expect(actual.map(([stamp]) => stamp)).toEqual(estimate.map(([stamp]) => stamp));
  expect(actual[0].slice(1)).toEqual([0, 0, 0, 0, 0, 0, 1]);
  estimate.forEach((line, i) => {
    expect(line).toHaveLength(8);
    line.slice(1, 4).forEach((x, k) => expect(20 * x).toBeCloseTo(actual[i][1 + k], 3));
    line.slice(4).forEach((x, k) => expect(x).toBeCloseTo(actual[i][4 + k], 5));
  });
  expect(await sharp(files.plot).metadata()).toMatchObject({ format: 'png' });
});

function chainFrom(world: Se3, path: readonly Se3[]): (Se3 | undefined)[] {
  const [w, ...rows] = [world, ...path].map(toMatrix4);
  return rows.map((m) => {
    const product = new Float64Array(16);
    for (let r = 0; r < 4; r++)
      for (let c = 0; c < 4; c++) for (let k = 0; k < 4; k++) product[4 * r + c] += w[4 * r + k] * m[4 * k + c];
    return {
      rotation: Float64Array.of(...[0, 1, 2, 4, 5, 6, 8, 9, 10].map((i) => product[i])),
      translation: Float64Array.of(product[3], product[7], product[11]),
    };
  });
}

test('the camera that goes straight ahead misses what turns', async () => {
  const straight = LEVELS.map((_, z) => fromVector6([0, 0, 2 * z, 0, 0, 0]));
  const exact = await measureTrajectory(undefined, drive({ poses: straight }));
  expect(exact.ate_sim3_rmse_m).toBeLessThan(1e-9);
  expect(exact.scale).toBeCloseTo(2, 9);
  const turning = chainEgoMotions(LEVELS.slice(1).map(() => [0, 0, 2, 0, Math.PI / 180, 0]));
  const missed = await measureTrajectory(undefined, drive({ poses: turning }));
  expect(missed.rpe_rotation_rmse_deg).toBeCloseTo(1, 9);
});

test('recordings without a trajectory are named', async () => {
  await expect(measureTrajectory(model, drive())).rejects.toThrow(/grey: it has no true poses to compare with/);
  const pictures = drive({ poses: PATH, motion: new Float32Array(10).fill(-1) });
  await expect(measureTrajectory(model, pictures)).rejects.toThrow(/frame 1 does not follow frame 0 in time/);
  const short = { every: 20 };
  await expect(measureTrajectory(model, drive({ poses: PATH }), short)).rejects.toThrow(/two frames, 1 can be taken/);
});

describe('the command', () => {
  const CLI = 'src/cli.js';
  const cacheBefore = process.env.DEPTHGRAD_CACHE;
  beforeAll(() => void (process.env.DEPTHGRAD_CACHE = join(folder, 'cache')));
  afterAll(() => {
    if (cacheBefore === undefined) delete process.env.DEPTHGRAD_CACHE;
    else process.env.DEPTHGRAD_CACHE = cacheBefore;
  });
  const run = (...args: string[]) => new Program(CLI, ['evaluate', ...args]).ended;

  test('measures a KITTI sequence and a folder of pictures in their own layouts', async () => {
    const sequence = await makeKittiOdometry(folder);
    const tum = join(folder, 'cli.tum');
    const json = await run(
      '--model',
      model,
      '--trajectory',
      sequence,
      '--tum',
      tum,
      '--lengths',
      '1',
      '--format',
      'json',
    );
    expect(json).toMatchObject({ code: 0 });
    const figures = JSON.parse(json.output) as Record<string, unknown>;
    expect(figures).toMatchObject({ drive: 'kitti_odometry_07', frames: 3, path_length_m: 2 });
    expect(figures.drift_by_length).toMatchObject([{ length_m: 1, segments: 1 }]);
    expect(readFileSync(tum, 'utf8').trim().split('\n')).toHaveLength(4);

    const pictures = await makePictureFolder(folder);
    const text = await run('--baseline', 'straight-ahead', '--trajectory', pictures, '--scale', 'none');
    expect(text).toMatchObject({ code: 0 });
    // These drive to the right by a metre a frame, and nothing is scaled: each motion misses by the diagonal.
    expect(text.output).toMatch(/^rpe_translation_mean_m +1\.4142$/m);
  });

  test('says what belongs together', async () => {
    const both = await run('--model', model, '--trajectory', 'a', '--dataset', 'b');
    expect(both.code).toBe(1);
    expect(both.errors).toMatch(/one of --dataset DIR, --heldout and --trajectory RECORDING/);
    const plot = await run('--model', model, '--dataset', 'b', '--plot', 'c.png');
    expect(plot.errors).toMatch(/--plot, --tum and --tum-truth belong to --trajectory/);
  });
});
