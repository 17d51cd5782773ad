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
