import { alignmentCost, alignPose, blockMeans, type AlignmentLevel } from '../src/geometry/alignment';
import { native } from '../src/native';
import { photometricErrorInto, PhotometricWorkspace, warpIntoTarget } from '../src/training/losses/photometricKernel';
import { noise } from './support/gradientCheck';

const camera = { fx: 10, fy: 10, cx: 4, cy: 3 };
const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];

test('an array of the wrong length or type is refused, not written over', () => {
  expect(() => photometricErrorInto(new Float32Array(36), new Float32Array(36), 4, 3, new Float32Array(11))).toThrow(
    'argument 4 must be a typed array of 12 elements of 4 bytes',
  );
  const doubles = new Float64Array(36) as unknown as Float32Array;
  expect(() => photometricErrorInto(doubles, new Float32Array(36), 4, 3, new Float32Array(12))).toThrow('argument 2');
  const work = new PhotometricWorkspace(6, 8);
  const turned = [work, new Float32Array(144), new Float32Array(47), camera, identity, [0, 0, 0]] as const;
  expect(() => warpIntoTarget(...turned)).toThrow('argument 10 must be a typed array of 48 elements');
});

test('images too small for a window have no error, and none to sample is refused', () => {
  const out = Float32Array.of(1, 2, 3, 4);
  photometricErrorInto(new Float32Array(12), new Float32Array(12), 2, 2, out);
  expect([...out]).toEqual([0, 0, 0, 0]);
  const thin = new PhotometricWorkspace(1, 8);
  expect(() => warpIntoTarget(thin, new Float32Array(24), new Float32Array(8), camera, identity, [0, 0, 0])).toThrow(
    'at least 2x2',
  );
});

test('NaN and infinite depths count as outside', () => {
  const work = new PhotometricWorkspace(3, 3);
  const depths = Float32Array.of(NaN, Infinity, -Infinity, 0, 0, 0, 0, 0, 0);
  warpIntoTarget(work, noise(1, 27, 0, 1), depths, { fx: 3, fy: 3, cx: 1, cy: 1 }, identity, [0, 0, 0]);
  expect([...work.valid]).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1]);
  expect(work.warped.every(Number.isFinite)).toBe(true);
});

test('sums and averages over weights are right for any length', () => {
  for (const length of [0, 1, 15, 16, 33, 70000]) {
    const values = noise(length, length, -1, 1);
    const expected = values.reduce((sum, x) => sum + x * x, 0);
    expect(native.sumOfSquares(values)).toBeCloseTo(expected, 6);
    const average = new Float32Array(length).fill(0.5);
    native.moveAverage(0.25, values, average);
    expect(average.every((a, i) => Math.abs(a - (0.375 + 0.25 * values[i])) < 1e-6)).toBe(true);
  }
});

/** Waves that move by half a pixel, under a sloping ground. */
function level(height = 16, width = 24): AlignmentLevel {
  const grey = (moved: number): Float32Array =>
    Float32Array.from({ length: height * width }, (_, i) => {
      const [u, v] = [(i % width) + moved, Math.floor(i / width)];
      return 0.5 + 0.2 * Math.sin(0.7 * u + 0.3 * v) + 0.2 * Math.sin(0.4 * v - 0.5 * u);
    });
  const logDisparity = Float32Array.from({ length: height * width }, (_, i) => -1 + Math.floor(i / width) / height);
  const pinhole = { fx: 20, fy: 20, cx: width / 2, cy: height / 2 };
  return { height, width, target: grey(0), source: grey(0.5), logDisparity, iterations: [4, 4], ...pinhole };
}

test('the alignment refuses arrays of the wrong length, and images too small to sample', () => {
  const rest = new Float64Array(6);
  for (const [name, argument] of [
    ['target', 3],
    ['source', 4],
    ['logDisparity', 5],
  ] as const) {
    const short = { ...level(), [name]: new Float32Array(383) };
    const message = `argument ${argument} must be a typed array of 384 elements of 4 bytes`;
    expect(() => alignPose(rest, [short])).toThrow(message);
    expect(() => alignmentCost(rest, short)).toThrow(message);
  }
  expect(() => alignPose(rest, [level(1)])).toThrow('at least 2x2');
  expect(() => alignmentCost(rest, level(16, 1))).toThrow('at least 2x2');
  expect(() => native.smallMotion(rest, new Float64Array(11))).toThrow(
    'argument 1 must be a typed array of 12 elements',
  );
  const constants = new Float64Array(5);
  const matrix = new Float64Array(36);
  expect(() => native.invertNormalMatrix(constants, matrix, new Float64Array(35))).toThrow('argument 2');
  expect(() => native.invertNormalMatrix(new Float64Array(4), matrix, matrix)).toThrow('argument 0');
  const { height, width, target, source, logDisparity } = level();
  const given = [height, width, new Float32Array(4), target, source, logDisparity, constants] as const;
  expect(() => native.refineMotion(...given, new Int32Array(1), new Float64Array(6))).toThrow('argument 8');
  expect(() => native.alignmentCost(...given, new Float64Array(6))).toThrow('argument 7');
});

test('pixels without a depth do not spoil an alignment', () => {
  const whole = level();
  const holed = { ...whole, logDisparity: whole.logDisparity.slice() };
  holed.logDisparity.set([NaN, Infinity, -Infinity, 200, -200], 100);
  const [expected, found] = [whole, holed].map((one) => alignPose(new Float64Array(6), [one]));
  expect(Math.hypot(...expected)).toBeGreaterThan(0.01);
  found.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(0.01));
  expect(alignmentCost(found, holed)).toBeLessThan(0.5 * alignmentCost(new Float64Array(6), holed));
});

test('means over blocks are right, and blocks that do not fill the map are refused', () => {
  const map = noise(5, 4 * 6 * 3, 0, 1);
  const means = blockMeans(map, 4, 6, 3, 2);
  for (let o = 0; o < 6; o++) {
    const [row, column] = [2 * Math.floor(o / 3), 2 * (o % 3)];
    const pixel = (v: number, u: number): number[] => [...map.subarray(3 * (6 * v + u), 3 * (6 * v + u) + 3)];
    const all = [0, 1].flatMap((v) => [0, 1].flatMap((u) => pixel(row + v, column + u)));
    expect(means[o]).toBeCloseTo(all.reduce((sum, x) => sum + x, 0) / 12, 6);
  }
  expect(() => blockMeans(map, 4, 6, 2, 2)).toThrow('argument 4 must be a typed array of 48 elements');
  expect(() => native.blockMeans(4, 6, 3, 2, map, new Float32Array(5))).toThrow('argument 5');
  expect(() => native.blockMeans(4, 6, 3, 4, map, new Float32Array(1))).toThrow('blocks of 4 do not fill 6x4');
});
