import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { AnimatedWebp, writeContactSheet } from '../../src/media/pictureFiles';
import {
  confidencePicture,
  depthPicture,
  depthRange,
  gradientPicture,
  magma,
  type Picture,
} from '../../src/media/pictures';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-pictures-'));
const pixel = (picture: Picture, index: number) => [...picture.data.subarray(3 * index, 3 * index + 3)];

function flat(width: number, height: number, colour: readonly number[]): Picture {
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]) };
}

test('magma is matplotlib’s at its ends and in the middle', () => {
  // matplotlib.colormaps['magma']([0, 64, 128, 255]) in bytes.
  const reference = [
    [0, [0, 0, 4]],
    [64, [81, 18, 124]],
    [128, [183, 55, 121]],
    [255, [252, 253, 191]],
  ] as const;
  for (const [level, colour] of reference) {
    magma(level / 255).forEach((value, c) => expect(Math.abs(value - colour[c])).toBeLessThanOrEqual(3));
  }
});

test('depth is drawn by log-disparity: near bright, far dark, infinity black, none grey', () => {
  const picture = depthPicture(Float32Array.of(2, 20, 200, Infinity, NaN, 0.5), 2, 3, { near: 2, far: 200 });
  expect([0, 1, 2, 3, 4, 5].map((i) => pixel(picture, i))).toEqual([
    [...magma(1)],
    [...magma(0.5)],
    [...magma(0)],
    [0, 0, 4],
    [96, 96, 96],
    [...magma(1)],
  ]);
  expect(depthRange(Float32Array.from({ length: 101 }, (_, i) => i + 1))).toEqual({ near: 3, far: 99 });
  expect(() => depthPicture(new Float32Array(5), 2, 3)).toThrow(/depth has 5 values, not 2x3x1/);
});

test('the gradient’s direction is the hue, its size the brightness', () => {
  const picture = gradientPicture(Float32Array.of(0.1, 0, 0, 0.1, -0.1, 0, 0, -0.1, 0, 0, 0.025, 0), 1, 6, 0.1);
  expect(pixel(picture, 0)).toEqual([255, 0, 0]);
  expect(pixel(picture, 1)).toEqual([128, 255, 0]);
  expect(pixel(picture, 2)).toEqual([0, 255, 255]);
  expect(pixel(picture, 3)).toEqual([128, 0, 255]);
  expect(pixel(picture, 4)).toEqual([0, 0, 0]);
  expect(pixel(picture, 5)).toEqual([128, 0, 0]);
});

test('confidence is grey', () => {
  const picture = confidencePicture(Float32Array.of(0, 0.5, 1, 2, NaN), 1, 5);
  expect([0, 1, 2, 3, 4].map((i) => pixel(picture, i)[0])).toEqual([0, 128, 255, 255, 0]);
});

test('a contact sheet has its pictures where they belong', async () => {
  const path = join(folder, 'frames.png');
  const [red, green, blue] = [flat(8, 4, [255, 0, 0]), flat(5, 5, [0, 255, 0]), flat(16, 9, [0, 0, 255])];
  await writeContactSheet(path, [[red, green], [blue]], 20, 10);
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([44, 24]);
  const at = (x: number, y: number) => [...data.subarray(3 * (y * 44 + x), 3 * (y * 44 + x) + 3)];
  expect([at(10, 5), at(34, 5), at(10, 19), at(34, 19), at(22, 5)]).toEqual([
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [0, 0, 0],
    [0, 0, 0],
  ]);
  await expect(writeContactSheet(path, [], 20, 10)).rejects.toThrow(/no pictures/);
});

test('a contact sheet with titles has white letters above its columns', async () => {
  const path = join(folder, 'titled.png');
  const blue = flat(8, 4, [0, 0, 255]);
  await writeContactSheet(path, [[blue, blue]], 80, 40, ['camera', 'depth']);
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const top = info.height - 40;
  const whites = (from: number, to: number): number => {
    let count = 0;
    for (let y = 0; y < top; y++) for (let x = from; x < to; x++) if (data[3 * (y * info.width + x)] > 200) count++;
    return count;
  };
  expect(top).toBeGreaterThan(16);
  expect([whites(0, 80) > 20, whites(84, 164) > 20]).toEqual([true, true]);
  expect(whites(0, 80)).not.toBe(whites(84, 164));
});

test('an animation keeps speed and order, and thins out when it gets long', async () => {
  const path = join(folder, 'depth.webp');
  const animation = new AnimatedWebp(path, { width: 16, height: 12, framesPerSecond: 20, maxFrames: 8 });
  for (let i = 0; i < 20; i++) await animation.add(flat(16, 12, [12 * i, 0, 255 - 12 * i]));
  await animation.finish();
  const { pages, delay, pageHeight, loop } = await sharp(path, { animated: true }).metadata();
  expect({ pages, delay, pageHeight, loop }).toEqual({
    pages: 5,
    delay: [200, 200, 200, 200, 200],
    pageHeight: 12,
    loop: 0,
  });
  for (const [page, original] of [0, 4, 8, 12, 16].entries()) {
    const [red] = await sharp(path, { page }).raw().toBuffer();
    expect(Math.abs(red - 12 * original)).toBeLessThan(8);
  }
  await expect(new AnimatedWebp(path, { width: 4, height: 4, framesPerSecond: 1 }).finish()).rejects.toThrow(
    /no frame to write/,
  );
});
