import { checkerboard } from '../../src/training/checkerboard';

const [height, width] = [34, 50];

function made(value: (u: number, v: number) => number): Float32Array {
  return Float32Array.from({ length: height * width }, (_, i) => value(i % width, Math.floor(i / width)));
}

function measure(value: (u: number, v: number) => number): number {
  return checkerboard(made(value), 1, height, width)!;
}

/** Numbers in -1..1 without a pattern. */
function noise(u: number, v: number): number {
  const x = Math.sin(12.9898 * u + 78.233 * v) * 43758.5453;
  return 2 * (x - Math.floor(x)) - 1;
}

test('ripples of period 2 along either axis, or both, are measured by their root mean square', () => {
  expect(measure((u) => 0.02 * (-1) ** u)).toBeCloseTo(0.02, 5);
  expect(measure((_, v) => 0.02 * (-1) ** v)).toBeCloseTo(0.02, 5);
  expect(measure((u, v) => 0.02 * (-1) ** (u + v))).toBeCloseTo(0.02, 5);
  // One pixel of four stands out, as under a 3x3 transposed convolution of stride 2: of 0.04 the deviation from the mean is 0.04 sqrt(3) / 4.
  expect(measure((u, v) => (u % 2 === 1 && v % 2 === 1 ? 0.04 : 0))).toBeCloseTo((0.04 * Math.sqrt(3)) / 4, 5);
});

test('planes and longer waves have none, edges and noise little; it is found on top of them', () => {
  const plane = (u: number, v: number): number => 0.3 * u - 0.2 * v + 4;
  expect(measure(plane)).toBeLessThan(1e-5);
  expect(measure((u) => Math.sin((2 * Math.PI * u) / 8))).toBeLessThan(1e-5);
  const edge = (u: number): number => (u < 23 ? 0 : 1);
  expect(measure(edge)).toBeLessThan(0.05);
  expect(measure((u, v) => 0.02 * noise(u, v))).toBeLessThan(0.005);
  const onTop = measure((u, v) => plane(u, v) + 0.02 * noise(u, v) + 0.02 * (-1) ** u);
  expect(onTop).toBeGreaterThan(0.019);
  expect(onTop).toBeLessThan(0.022);
});

test('a pattern that turns its sign between squares is not cancelled, and images count each for themselves', () => {
  const turning = (u: number): number => (u < 25 ? 0.02 : -0.02) * (-1) ** u;
  expect(measure(turning)).toBeGreaterThan(0.017);
  const two = new Float32Array(2 * height * width);
  two.set(made((u) => 0.02 * (-1) ** u));
  expect(checkerboard(two, 2, height, width)).toBeCloseTo(0.02 / Math.SQRT2, 5);
  expect(checkerboard(two, 1, 9, 50)).toBeUndefined();
});
