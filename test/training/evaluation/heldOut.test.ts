import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FrameRange, FrameSequence } from '../../../src/training/datasets/dataset';
import {
  addGradientPairs,
  blankFault,
  Correlation,
  evaluateHeldOut,
  pairErrors,
  variationOf,
} from '../../../src/training/evaluation/heldOut';
import { tinyModel } from '../../support/tinyModel';

const WIDTH = 96;
const HEIGHT = 64;
const intrinsics = { width: WIDTH, height: HEIGHT, fx: 60, fy: 60, cx: 47.5, cy: 31.5 };

/** A wall's texture, seen by a camera that has moved by `shift` pixels' worth to the right. */
function wall(shift: number): Float32Array {
  const image = new Float32Array(HEIGHT * WIDTH * 3);
  for (let v = 0; v < HEIGHT; v++) {
    for (let u = 0; u < WIDTH; u++) {
      for (let c = 0; c < 3; c++) {
        image[3 * (v * WIDTH + u) + c] = 0.5 + 0.3 * Math.sin((u + shift) / (2 + c)) * Math.cos(v / 3);
      }
    }
  }
  return image;
}

test('the right depth and motion take the whole photometric error away, wrong ones do not', () => {
  // At 12 m, moving 1 m to the right moves the wall by fx / 12 = 5 pixels to the left.
  const depth = new Float32Array(HEIGHT * WIDTH).fill(12);
  const [source, target] = [wall(0), wall(5)];
  const measure = (x: number) =>
    pairErrors(
      target,
      source,
      { depth, egoMotion: Float32Array.of(x, 0, 0, 0, 0, 0), height: HEIGHT, width: WIDTH },
      { ...intrinsics, width: 2 * WIDTH, fx: 120, cx: 95.5 },
    ).result();
  const right = measure(1);
  expect(right.unwarped_error).toBeGreaterThan(0.1);
  expect(right.warped_error).toBeLessThan(1e-4);
  expect(right.reduction).toBeGreaterThan(0.999);
  // Columns 0..90 are covered, so 1..89 of 1..94 have a whole window; rounding may lose column 90 and row 63.
  expect(right.covered_share).toBeLessThanOrEqual(89 / 94);
  expect(right.covered_share).toBeGreaterThanOrEqual((88 * 61) / (94 * 62));
  expect(measure(-1).reduction).toBeLessThan(0.2);
  const still = measure(0);
  expect(still.reduction).toBeCloseTo(0, 6);
  expect(still.covered_share).toBeGreaterThanOrEqual(61 / 62);
});

test('Pearson’s correlation by hand', () => {
  const correlation = new Correlation();
  // Deviations (-1, 0, 1) and (-2, 1, 1): 3 / sqrt(2 * 6).
  for (const [x, y] of [
    [1, 1],
    [2, 4],
    [3, 4],
  ]) {
    correlation.add(x, y);
  }
  expect(correlation.compute()).toBeCloseTo(3 / Math.sqrt(12), 12);
  const flat = new Correlation();
  flat.add(1, 1);
  flat.add(2, 1);
  expect(flat.compute()).toBeNaN();
});

test('gradient pairs: last column and last row have no difference of their axis', () => {
  const [height, width] = [5, 7];
  const logDisparity = Float64Array.from({ length: height * width }, (_, i) => Math.sin(3 * i) - 2);
  const depth = Float32Array.from(logDisparity, (u) => Math.exp(-u));
  const gradient = new Float32Array(height * width * 2);
  for (let v = 0; v < height; v++) {
    for (let u = 0; u < width; u++) {
      const i = v * width + u;
      gradient[2 * i] = u < width - 1 ? logDisparity[i + 1] - logDisparity[i] : 1000;
      gradient[2 * i + 1] = v < height - 1 ? logDisparity[i + width] - logDisparity[i] : -1000;
    }
  }
  const measure = (g: Float32Array) => {
    const correlation = new Correlation();
    addGradientPairs(correlation, { depth, gradient: g, height, width });
    return correlation.compute();
  };
  expect(measure(gradient)).toBeCloseTo(1, 5);
  expect(measure(gradient.map((value) => -value))).toBeCloseTo(-1, 5);
});

/** A drive in memory whose frames are `frameOf(index)` everywhere. */
function drive(
  name: string,
  count: number,
  pixelOf: (index: number, pixel: number) => number,
  reads: number[] = [],
): FrameSequence {
  const border = Math.floor(0.8 * count);
  return {
    name,
    count,
    width: WIDTH,
    height: HEIGHT,
    framesPerSecond: 25,
    intrinsics,
    motion: new Float32Array(count),
    split: (): { train: FrameRange; heldOut: FrameRange } => ({ train: [0, border], heldOut: [border, count] }),
    readFrame(index, into) {
      reads.push(index);
      for (let i = 0; i < WIDTH * HEIGHT * 3; i++) into[i] = pixelOf(index, i);
    },
  };
}

describe('a model on drives', () => {
  const model = join(mkdtempSync(join(tmpdir(), 'depthgrad-heldout-')), 'tiny.onnx');
  beforeAll(() => writeFileSync(model, tinyModel({ height: HEIGHT, width: WIDTH })));

  test('only the last fifth is read, each stride is measured, a still camera has nothing to gain', async () => {
    const reads: number[] = [];
    // A texture that flickers between frames, with the same block means: the tiny model sees no motion.
    const texture = (index: number, pixel: number) => 100 + 30 * ((Math.floor(pixel / 3) + index) % 2);
    const result = await evaluateHeldOut(model, [drive('still', 100, texture, reads)], { strides: [1, 2], every: 4 });
    expect(Math.min(...reads)).toBe(81 - 1);
    expect(Math.max(...reads)).toBeLessThan(100);
    // Targets 82, 86, .. 98.
    expect(result.frames).toBe(10);
    expect(result.by_drive_and_stride.map(({ drive: name, stride, frames }) => [name, stride, frames])).toEqual([
      ['still', 1, 5],
      ['still', 2, 5],
    ]);
    const [odd, even] = result.by_drive_and_stride;
    expect(odd.unwarped_error).toBeGreaterThan(0.1);
    expect(odd.reduction).toBeCloseTo(0, 5);
    expect(even.unwarped_error).toBeCloseTo(0, 6);
  });

  test('a blank map is told from one with near and far', async () => {
    const measure = (pixelOf: (index: number, pixel: number) => number) =>
      evaluateHeldOut(model, [drive('road', 100, pixelOf)], { strides: [1], every: 10 });
    const blank = await measure(() => 100);
    expect(blank.depth_variation).toBeCloseTo(0, 4);
    expect(blankFault(blank)).toMatch(/^the depth is nearly the same everywhere: .* varies by 0\.000\d over a frame/);
    // The tiny model's depth is the brightness: half of the pixels at 20, half at 200.
    const road = await measure((_, pixel) => (pixel < (WIDTH * HEIGHT * 3) / 2 ? 20 : 200));
    expect(road.depth_variation).toBeCloseTo(Math.log(10) / 2, 3);
    expect(blankFault(road)).toBeUndefined();
    expect(variationOf(Float32Array.of(1, Math.E))).toBeCloseTo(0.5, 6);
    expect(blankFault({ depth_variation: 0.049 })).toBeDefined();
  });

  test('on the part trained on nothing of the last fifth is read', async () => {
    const reads: number[] = [];
    const drives = [drive('still', 100, () => 100, reads)];
    await evaluateHeldOut(model, drives, { strides: [1], part: 'train', every: 10 });
    expect(Math.min(...reads)).toBe(0);
    expect(Math.max(...reads)).toBeLessThan(80);
  });

  test('a drive too short for the strides is named', async () => {
    const short = drive('short', 10, () => 100);
    await expect(evaluateHeldOut(model, [short], { strides: [3] })).rejects.toThrow(
      /short: its heldOut part has only 2 frames/,
    );
  });
});
