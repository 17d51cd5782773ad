import { enlargeDepth } from '../../src/geometry/enlargeDepth';
import type { ImageSize } from '../../src/geometry/imageResizer';

const SMALL: ImageSize = { width: 26, height: 8 };
const LARGE: ImageSize = { width: 80, height: 45 };

function enlarged(depth: ArrayLike<number>, size = SMALL, output = LARGE): Float32Array {
  const into = new Float32Array(output.width * output.height);
  enlargeDepth(Float32Array.from(depth), size, into, output);
  return into;
}

const map = (value: (u: number, v: number) => number, { width, height } = SMALL): number[] =>
  Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)));

test('a slanted plane stays the plane: its inverse depth is linear in the image', () => {
  const inverse = (u: number, v: number): number => 0.1 + 0.0005 * u + 0.001 * v;
  const out = enlarged(map((u, v) => 1 / inverse(u, v)));
  for (let v = 0; v < LARGE.height; v++)
    for (let u = 0; u < LARGE.width; u++) {
      const at = (place: number, from: number, to: number): number =>
        Math.min(Math.max(((place + 0.5) * to) / from - 0.5, 0), to - 1);
      const [x, y] = [at(u, LARGE.width, SMALL.width), at(v, LARGE.height, SMALL.height)];
      expect(out[v * LARGE.width + u]).toBeCloseTo(1 / inverse(x, y), 4);
    }
});

test('no point between a near object and what is behind it; each keeps its outline to half a pixel of the map', () => {
  const out = enlarged(map((u, v) => (u >= 10 && u < 16 && v > 2 ? 8 : 30)));
  expect(new Set(out)).toEqual(new Set([Math.fround(1 / Math.fround(1 / 8)), 30].map((z) => Math.fround(z))));
  const near = [...out].filter((z) => z < 9).length;
  expect(near / out.length).toBeCloseTo((6 * 5) / (26 * 8), 1);
});

test('invalid stays invalid, sky stays sky, too near stays too near, and none of them spreads', () => {
  for (const special of [NaN, Infinity, -Infinity]) {
    const out = enlarged(map((u) => (u < 13 ? special : 20)));
    for (const [i, z] of out.entries()) expect(z).toBe(i % LARGE.width < 40 ? special : 20);
  }
});

test('the same size is the same map; one pixel fills any image', () => {
  const depth = map((u, v) => 2 + u * v);
  expect(enlarged(depth, SMALL, SMALL).map((z) => Math.round(z * 1e4))).toEqual(
    Float32Array.from(depth, (z) => z * 1e4),
  );
  expect(enlarged([7], { width: 1, height: 1 }).every((z) => Math.abs(z - 7) < 1e-5)).toBe(true);
});
