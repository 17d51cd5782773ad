import {
  alignmentCost,
  alignmentLevels,
  alignPose,
  blockMeans,
  invertNormalMatrix,
} from '../../src/geometry/alignment';
import { SyntheticScenes } from '../../src/training/datasets/synthetic';

const height = 96;
const width = 320;

/** A rendered pair of frames with its exact depth, as the alignment sees it. */
function levelsOf(index: number) {
  const { images, depths, poses, intrinsics } = new SyntheticScenes(4).render(index, height, width, 2);
  const grey = (image: Uint8Array): Float32Array =>
    blockMeans(
      Float32Array.from(image, (level) => level / 255),
      height,
      width,
      3,
      2,
    );
  const logDisparity = blockMeans(
    Float32Array.from(depths[1], (z) => -Math.log(z)),
    height,
    width,
    1,
    2,
  );
  const fine = {
    height: height / 2,
    width: width / 2,
    target: grey(images[1]),
    source: grey(images[0]),
    logDisparity,
  };
  const fromRest = alignmentLevels(fine, intrinsics, true);
  return { fine, levels: alignmentLevels(fine, intrinsics), fromRest, pose: poses[0] };
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>, from: number): number =>
  Math.hypot(...[0, 1, 2].map((i) => a[from + i] - b[from + i]));

test('finds the exact motion of rendered scenes from a start that is 30 % off', () => {
  const errors = Array.from({ length: 7 }, (_, index) => {
    const { levels, pose } = levelsOf(index);
    const start = Float64Array.from(pose, (value, i) => 1.3 * value + (i >= 3 ? 0.003 : 0.03));
    const found = alignPose(start, levels);
    return {
      before: [distance(start, pose, 0), distance(start, pose, 3)],
      after: [distance(found, pose, 0), distance(found, pose, 3)],
    };
  });
  // Moving cars and new lighting spoil a scene now and then: the median has to be right, and most must have become better.
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
  expect(median(errors.map(({ after }) => after[1]))).toBeLessThan(0.002);
  expect(median(errors.map(({ before, after }) => after[0] / before[0]))).toBeLessThan(0.5);
});

test('one level more finds motions from rest that two levels do not', () => {
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
  const scenes = Array.from({ length: 7 }, (_, index) => levelsOf(index));
  const error = (choice: 'levels' | 'fromRest'): number =>
    median(scenes.map((scene) => distance(alignPose(new Float64Array(6), scene[choice]), scene.pose, 0)));
  expect(error('fromRest')).toBeLessThan(0.03);
  expect(error('levels')).toBeGreaterThan(0.2);
});

test('stays where it is when nothing is to be seen or the frames are the same', () => {
  const { levels, fine } = levelsOf(3);
  const flat = levels.map((level) => ({
    ...level,
    target: new Float32Array(level.target.length).fill(0.5),
    source: new Float32Array(level.target.length).fill(0.5),
  }));
  const start = [0.1, 0, 0.4, 0, 0.01, 0];
  expect(distance(alignPose(start, flat), start, 0)).toBeLessThan(1e-6);
  const still = levels.map((level) => ({ ...level, source: level.target }));
  const found = alignPose([0.02, 0, 0.1, 0, 0.002, 0], still);
  expect(distance(found, [0, 0, 0], 0)).toBeLessThan(0.02);
  expect(fine.height).toBe(48);
});

test('a refinement that runs away is not taken', () => {
  const { levels } = levelsOf(5);
  const broken = levels.map((level) => ({ ...level, logDisparity: level.logDisparity.map(() => NaN) }));
  const start = [0, 0, 0.4, 0, 0, 0];
  expect(Array.from(alignPose(start, broken))).toEqual(start);
});

test('the normal matrix is inverted', () => {
  const rows = Array.from({ length: 9 }, (_, r) =>
    Array.from({ length: 6 }, (_, c) => Math.sin(3.7 * r * (c + 1) + c)),
  );
  const h = Float64Array.from({ length: 36 }, (_, i) =>
    rows.reduce((sum, row) => sum + row[Math.floor(i / 6)] * row[i % 6], 0),
  );
  const inverse = invertNormalMatrix(h);
  for (let i = 0; i < 6; i++) {
    for (let j = 0; j < 6; j++) {
      let sum = 0;
      for (let k = 0; k < 6; k++) sum += h[6 * i + k] * inverse[6 * k + j];
      expect(sum).toBeCloseTo(i === j ? 1 : 0, 2);
    }
  }
});

test('the cost is lowest at the true motion, and that of a motion that leaves the picture is that of rest', () => {
  const rest = new Float64Array(6);
  let better = 0;
  for (let index = 0; index < 7; index++) {
    const { levels, pose } = levelsOf(index);
    const fine = levels[1];
    const atRest = alignmentCost(rest, fine);
    better += alignmentCost(pose, fine) < atRest ? 1 : 0;
    expect(alignmentCost([1e4, 0, 0, 0, 0, 0], fine)).toBeCloseTo(atRest, 6);
    expect(alignmentCost([0, 0, 1e4, 0, 0, 0], fine)).toBeGreaterThan(0);
  }
  expect(better).toBeGreaterThan(4);
});
