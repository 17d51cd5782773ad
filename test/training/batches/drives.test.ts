import { DriveBatches, type DriveBatchOptions } from '../../../src/training/batches/drives';
import type { FrameSequence } from '../../../src/training/datasets/dataset';
import { Random } from '../../../src/training/random';

/** Twelve frames of 8x8, frame i of grey level 10 i; the last two are held out. */
function drive(motion: number[]): FrameSequence {
  return {
    name: 'made',
    count: 12,
    width: 8,
    height: 8,
    framesPerSecond: 10,
    intrinsics: { width: 8, height: 8, fx: 8, fy: 8, cx: 3.5, cy: 3.5 },
    motion,
    readFrame: (index, into) => void into.fill(10 * index, 0, 8 * 8 * 3),
    split: () => ({ train: [0, 10], heldOut: [10, 12] }),
  };
}

/** Frames [previous, target, next] of 200 samples, each triplet once. */
function triplets(motion: number[], options: Partial<DriveBatchOptions>): string[] {
  const all: DriveBatchOptions = {
    strides: [1],
    minMotion: 0,
    strideMotion: 0,
    minCrop: [1, 1],
    validationShare: 0,
    part: 'train',
    ...options,
  };
  const batches = new DriveBatches([drive(motion)], all, new Random(1));
  const seen = new Set<string>();
  const { previous, target, next } = batches.next(200, 8, 8);
  for (let b = 0; b < 200; b++) {
    const frames = [previous, target, next].map((part) => Math.round((part?.[b * 192] ?? NaN) * 25.5));
    seen.add(frames.join('-'));
  }
  expect(seen.size).toBe(batches.count);
  return [...seen].sort();
}

test('every stride serves every target of the training part', () => {
  expect(triplets(new Array<number>(12).fill(1), { strides: [1, 4] })).toEqual(
    ['0-1-2', '1-2-3', '2-3-4', '3-4-5', '4-5-6', '5-6-7', '6-7-8', '7-8-9', '0-4-8', '1-5-9'].sort(),
  );
});

test('static frames and frames without a successor are left out', () => {
  const motion = [1, 1, 0.2, 1, 1, 1, -1, 1, 1, 1, 1, 0];
  expect(triplets(motion, {})).toEqual(['0-1-2', '1-2-3', '2-3-4', '3-4-5', '4-5-6', '7-8-9'].sort());
  expect(triplets(motion, { minMotion: 0.5 })).toEqual(['0-1-2', '3-4-5', '4-5-6', '7-8-9']);
});

test('the stride follows the motion: the smallest that reaches the wanted motion on both sides', () => {
  // Slow up to frame 6, then fast.
  const motion = [1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 0];
  expect(triplets(motion, { strides: [3, 1, 2], strideMotion: 3 })).toEqual([
    '0-3-6',
    '1-4-7',
    '2-5-8',
    '3-6-9',
    '6-7-8',
    '7-8-9',
  ]);
  expect(() => triplets(motion, { strideMotion: 50 })).toThrow(/lower data\.min_motion or data\.stride_motion/);
});

test('the end of the training part is kept out for validation, and neither shares a frame with the other', () => {
  const motion = new Array<number>(12).fill(1);
  const frames = (part: 'train' | 'validation'): number[] => {
    const list = triplets(motion, { validationShare: 0.3, part });
    return [...new Set(list.flatMap((triplet) => triplet.split('-').map(Number)))].sort((a, b) => a - b);
  };
  expect(frames('train')).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(frames('validation')).toEqual([7, 8, 9]);
});
