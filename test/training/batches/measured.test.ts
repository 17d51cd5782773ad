import { viewMeasured } from '../../../src/training/batches/depthView';
import { MeasuredBatches, type MeasuredBatchOptions, type MeasuredPart } from '../../../src/training/batches/measured';
import type { FrameChannel, FrameSequence } from '../../../src/training/datasets/dataset';
import { Random } from '../../../src/training/random';

const [WIDTH, HEIGHT] = [16, 8];

function channel<Buffer extends Uint8Array | Float32Array>(
  frames: readonly number[],
  value: (frame: number, u: number) => number,
  channels: number,
): FrameChannel<Buffer> {
  return {
    count: frames.length,
    has: (index) => frames.includes(index),
    read: (index, into) => {
      for (let i = 0; i < WIDTH * HEIGHT * channels; i++) into[i] = value(index, Math.floor(i / channels) % WIDTH);
    },
  };
}

/** Ten frames; the left image of frame i has the level 10 i at the left edge and 10 i + 100 right of the middle, the right image 5 more. */
function recording(changes: Partial<FrameSequence> = {}): FrameSequence {
  const level = (frame: number, u: number): number => 10 * frame + (u < WIDTH / 2 ? 0 : 100);
  const count = changes.count ?? 10;
  const left = channel<Uint8Array>(
    Array.from({ length: count }, (_, i) => i),
    level,
    3,
  );
  return {
    name: 'made',
    count,
    width: WIDTH,
    height: HEIGHT,
    framesPerSecond: 10,
    intrinsics: { width: WIDTH, height: HEIGHT, fx: 20, fy: 20, cx: 6, cy: 3.5 },
    motion: new Array<number>(count).fill(1),
    depth: channel<Float32Array>([0, 3, 6, 9], (frame, u) => frame + 1 + (u < WIDTH / 2 ? 0 : 20), 1),
    right: channel<Uint8Array>([2, 3, 4, 5, 9], (frame, u) => level(frame, u) + 5, 3),
    baseline: 0.5,
    stamps: Float64Array.from({ length: count }, (_, i) => 100 + 0.1 * i * i),
    speeds: Float64Array.from({ length: count }, (_, i) => (i === 6 ? NaN : 10 + i)),
    readFrame: (index, into) => left.read(index, into),
    split: () => ({ train: [0, Math.floor(0.8 * count)], heldOut: [Math.floor(0.8 * count), count] }),
    ...changes,
  };
}

function source(
  recordings: FrameSequence[],
  wanted: MeasuredPart[],
  options: Partial<MeasuredBatchOptions> = {},
): MeasuredBatches {
  const all = { strides: [1], minMotion: 0, strideMotion: 0, minCrop: [1, 1] as [number, number], validationShare: 0 };
  return new MeasuredBatches(recordings, { ...all, part: 'train', wanted: new Set(wanted), ...options }, new Random(1));
}

/** What one sample shows, told by its pixels in the middle row. */
function samples(batches: MeasuredBatches, count = 300) {
  return Array.from({ length: count }, () => {
    const batch = batches.next(1, HEIGHT, WIDTH);
    const { target, previous, next, depth, stereo, motion, intrinsics } = batch;
    const row = 4 * WIDTH;
    const [dark, bright] = [row + 1, row + WIDTH - 2].map((i) => target[3 * i] * 255);
    const mirrored = dark > bright;
    const left = mirrored ? row + WIDTH - 2 : row + 1;
    const levelOf = (image?: Float32Array): number | undefined => image && Math.round(image[3 * left] * 255);
    return {
      batch,
      mirrored,
      left,
      frame: levelOf(target)!,
      levelOf,
      previous,
      next,
      depth,
      stereo,
      motion,
      intrinsics,
    };
  });
}

test('targets are the training part’s frames with what is wanted; each batch carries one set of parts', () => {
  const seen = (wanted: MeasuredPart[]): number[] =>
    [...new Set(samples(source([recording()], wanted)).map(({ frame }) => frame))].sort((a, b) => a - b);
  expect(seen(['depth'])).toEqual([0, 30, 60]);
  // Frames 3 and 4 have neighbours' right images too, and no depth is asked for: mirrored, the right image (5 more) is the target.
  expect(seen(['stereo'])).toEqual([20, 30, 40, 50].flatMap((x) => [x, x + 5]));
  const mixed = source([recording()], ['depth', 'stereo']);
  for (let i = 0; i < 50; i++) {
    const batch = mixed.next(4, HEIGHT, WIDTH);
    const expected = [batch.depth, batch.stereo].map((part) => part !== undefined);
    for (let b = 0; b < 4; b++) {
      const frame = Math.floor(
        Math.min(batch.target[3 * WIDTH * HEIGHT * b + 3], batch.target[3 * WIDTH * HEIGHT * (b + 1) - 3]) * 25.5 +
          0.01,
      );
      expect([[0, 3, 6].includes(frame), [2, 3, 4, 5].includes(frame)]).toEqual(expected);
    }
  }
});

test('every n-th of the frames with depth keeps it; the others are what they are without', () => {
  const frames = (wanted: MeasuredPart[], depthEvery: number): number[] =>
    [...new Set(samples(source([recording()], wanted, { depthEvery })).map(({ frame }) => frame))].sort(
      (a, b) => a - b,
    );
  // Told by their levels, ten times the frame; a mirrored pair shows the right image, 5 brighter.
  expect(frames(['depth'], 2)).toEqual([0, 60]);
  expect(frames(['depth', 'stereo'], 2)).toEqual([0, 20, 25, 30, 35, 40, 45, 50, 55, 60]);
});

test('depth and camera follow the view, mirrored or not', () => {
  const found = samples(source([recording()], ['depth']));
  expect(new Set(found.map(({ mirrored }) => mirrored)).size).toBe(2);
  for (const { frame, left, mirrored, depth, intrinsics, previous, batch } of found) {
    const right = mirrored ? left - (WIDTH - 3) : left + (WIDTH - 3);
    expect([depth![left], depth![right]]).toEqual([frame / 10 + 1, frame / 10 + 21]);
    expect(intrinsics[0].cx).toBeCloseTo(mirrored ? WIDTH - 1 - 6 : 6, 9);
    // Nothing asks for neighbours: the target stands in, for the network's two images.
    expect(previous).toBe(batch.target);
    expect(batch.networkImages.length).toBe(2 * batch.target.length);
    expect([batch.next, batch.stereo, batch.motion]).toEqual([undefined, undefined, undefined]);
  }
});

test('a mirrored pair swaps its cameras; with depth of the left one it is not mirrored', () => {
  const pairs = samples(source([recording()], ['stereo']));
  for (const { frame, mirrored, levelOf, stereo } of pairs) {
    expect(frame % 10).toBe(mirrored ? 5 : 0);
    expect(levelOf(stereo!.right)).toBe(mirrored ? frame - 5 : frame + 5);
    expect(stereo!.baseline[0]).toBe(0.5);
  }
  expect(new Set(pairs.map(({ mirrored }) => mirrored)).size).toBe(2);
  for (const { mirrored, stereo, depth } of samples(source([recording()], ['depth', 'stereo'])))
    if (stereo && depth) expect(mirrored).toBe(false);
});

test('neighbours come where they follow, and with them speed and times', () => {
  const cut = recording({ motion: [1, 1, 1, 1, 1, -1, 1, 1, 1, 0] });
  const byFrame = new Map(samples(source([cut], ['depth', 'next', 'motion'])).map((sample) => [sample.frame, sample]));
  // Frame 0 has none before it; frame 6 does not follow on 5.
  for (const frame of [0, 60]) expect(byFrame.get(frame)?.next).toBeUndefined();
  const { previous, next, levelOf, motion } = byFrame.get(30)!;
  expect([levelOf(previous), levelOf(next)]).toEqual([20, 40]);
  expect(motion!.speed[0]).toBe(13);
  expect(motion!.sincePrevious[0]).toBeCloseTo(0.1 * (9 - 4), 5);
  expect(motion!.untilNext![0]).toBeCloseTo(0.1 * (16 - 9), 5);
  // Not cut, frame 6 has neighbours; its speed is unknown.
  const whole = samples(source([recording()], ['depth', 'next', 'motion'])).find(({ frame }) => frame === 60)!;
  expect([whole.levelOf(whole.next), whole.motion]).toEqual([70, undefined]);
  const strides = samples(source([recording()], ['depth', 'next'], { strides: [1, 3] }));
  const steps = strides.filter(({ frame }) => frame === 30).map(({ next: image, levelOf: level }) => level(image));
  expect([...new Set(steps)].sort()).toEqual([40, 60]);
});

test('a known motion alone makes a target, as in a bag with odometry; neighbours alone do not', () => {
  const bag = recording({ depth: undefined, right: undefined, baseline: undefined });
  const found = samples(source([bag], ['motion', 'next']));
  // Frames 0 and 7 lack a neighbour in the training part, the speed of frame 6 is unknown.
  expect([...new Set(found.map(({ frame }) => frame))].sort()).toEqual([10, 20, 30, 40, 50]);
  for (const { frame, motion, next, levelOf, depth, stereo } of found) {
    expect([motion!.speed[0], levelOf(next)]).toEqual([10 + frame / 10, frame + 10]);
    expect([depth, stereo]).toEqual([undefined, undefined]);
  }
  expect(() => source([bag], ['next'])).toThrow(/no frame to take in the train part of made.*or speeds/);
});

test('the last fifth is never drawn, of single pictures the last of the list; too little is an error that says so', () => {
  const single = (name: string, at: number): FrameSequence =>
    recording({ name, count: 1, motion: [0], readFrame: (_, into) => void into.fill(at, 0, 3 * WIDTH * HEIGHT) });
  const scenes = [10, 20, 30, 40, 50].map((at) => single(`scene${at}`, at));
  const levels = (part: 'train' | 'validation'): number[] => {
    const batches = source(scenes, ['depth'], { part, validationShare: 0.25 });
    const seen = Array.from({ length: 100 }, () => Math.round(batches.next(1, HEIGHT, WIDTH).target[0] * 255));
    return [...new Set(seen)].sort((a, b) => a - b);
  };
  expect(levels('train')).toEqual([10, 20, 30]);
  expect(levels('validation')).toEqual([40]);
  expect(() => source([scenes[0]], ['depth'])).toThrow(/train part of scene10.*last fifth/);
  expect(() => source([recording({ depth: undefined })], ['depth'])).toThrow(/losses look at: depth; give recordings/);
});

describe('views of measured maps', () => {
  const whole = { left: 0, top: 0, width: 4, height: 4, mirrored: false };

  test('a pixel takes the lower median of what it covers, and nothing from pixels without a measurement', () => {
    const source = Float32Array.from([0, 0, 5, 50, 0, 7, 5, 50, 0, 0, 0, 0, 3, 0, 0, 90]);
    const out = new Float32Array(4);
    viewMeasured(source, 4, 4, whole, out, 2, 2);
    expect([...out]).toEqual([7, 5, 3, 90]);
    viewMeasured(source, 4, 4, { ...whole, mirrored: true }, out, 2, 2);
    expect([...out]).toEqual([5, 7, 90, 3]);
  });

  test('every measurement of a view that shrinks by no whole number belongs to exactly one pixel', () => {
    const view = { left: 1, top: 0, width: 10, height: 6, mirrored: false };
    for (let i = 0; i < 12 * 6; i++) {
      const source = new Float32Array(12 * 6);
      source[i] = 4;
      const out = new Float32Array(4 * 7);
      viewMeasured(source, 12, 6, view, out, 4, 7);
      const column = i % 12;
      expect(out.filter((z) => z === 4).length).toBe(column >= 1 && column < 11 ? 1 : 0);
      expect(out.every((z) => z === 0 || z === 4)).toBe(true);
    }
  });

  test('a finer view repeats the nearest pixel', () => {
    const out = new Float32Array(8);
    viewMeasured(Float32Array.of(1, 0, 0, 9), 4, 1, { ...whole, height: 1 }, out, 1, 8);
    expect([...out]).toEqual([1, 1, 0, 0, 0, 0, 9, 9]);
  });
});
