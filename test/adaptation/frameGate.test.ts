import type { ShrunkFrame } from '../../src/adaptation/frame';
import { FrameGate, type SkipReason } from '../../src/adaptation/frameGate';
import { defaultOptions } from '../../src/adaptation/options';
import { Random } from '../../src/training/random';

const [height, width] = [32, 64];
const intrinsics = { width, height, fx: 50, fy: 50, cx: 31.5, cy: 15.5 };

/** A wavy wall seen from a camera that has moved `shift` pixels. */
function wall(shift: number, gain = 1, offset = 0): Uint8Array {
  return Uint8Array.from({ length: 3 * height * width }, (_, i) => {
    const [u, v] = [(Math.floor(i / 3) % width) + shift, Math.floor(i / 3 / width)];
    return offset + gain * (120 + 50 * Math.sin(u / 4) + 30 * Math.sin(v / 3 + u / 9) + 15 * Math.sin(u * 1.7 + v));
  });
}

/** Means over 7 x 7 pixels. */
function blurred(image: Uint8Array): Uint8Array {
  return image.map((_, i) => {
    const [c, u, v] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    let sum = 0;
    for (let dv = -3; dv <= 3; dv++)
      for (let du = -3; du <= 3; du++) {
        const [x, y] = [Math.min(width - 1, Math.max(0, u + du)), Math.min(height - 1, Math.max(0, v + dv))];
        sum += image[3 * (y * width + x) + c];
      }
    return sum / 49;
  });
}

class Stream {
  readonly gate = new FrameGate(height, width);
  #stamp = 10;

  give(image: Uint8Array, change: Partial<ShrunkFrame> = {}): ReturnType<FrameGate['consider']> {
    this.#stamp += 0.1;
    return this.gate.consider({ image, intrinsics, stamp: this.#stamp, ...change }, defaultOptions);
  }

  /** Three frames of a moving camera: the window is full. */
  start(): this {
    for (const shift of [0, 1, 2]) this.give(wall(shift));
    return this;
  }
}

test('every frame that moved on makes a triplet with the two before it', () => {
  const stream = new Stream();
  const images = [0, 1, 2, 3].map((shift) => wall(shift));
  const results = images.map((image, i) => stream.give(image, { stamp: 5 + 0.1 * i, speed: 7 }));
  expect(results.map(({ triplet }) => triplet?.images)).toEqual([
    undefined,
    undefined,
    [images[0], images[1], images[2]],
    [images[1], images[2], images[3]],
  ]);
  expect(results[3].triplet?.stamp).toBeCloseTo(5.2);
  expect(results[3].triplet?.motion?.speed).toBe(7);
  expect(results[3].triplet?.motion?.sincePrevious).toBeCloseTo(0.1);
  expect(stream.gate.accepted).toBe(2);
});

test('slow motion is added up over frames', () => {
  const stream = new Stream();
  const slow = Array.from({ length: 21 }, (_, i) => stream.give(wall(0.1 * i)));
  const found = slow.filter(({ triplet }) => triplet).length;
  expect(found).toBeGreaterThan(1);
  expect(stream.gate.skipped.static).toBe(21 - 2 - found);
  expect(stream.gate.skipped.static).toBeGreaterThan(5);
});

const noise = new Random(1);
test.each<[SkipReason, Uint8Array]>([
  ['static', wall(2)],
  ['dark', wall(3, 0.08)],
  ['saturated', wall(3, 2, 60).map((level, i) => (i % 2 ? 255 : Math.max(level, 251)))],
  ['blurred', blurred(blurred(wall(3)))],
  ['blurred', new Uint8Array(3 * height * width).fill(128)],
  ['unrelated', Uint8Array.from({ length: 3 * height * width }, () => noise.integer(256))],
])('a %s frame is left out and counted', (reason, image) => {
  const stream = new Stream().start();
  expect(stream.give(image)).toEqual({ skipped: reason });
  expect(stream.gate.skipped).toEqual({ ...new Stream().gate.skipped, [reason]: 1 });
  const expected = reason === 'unrelated' ? 'no triplet' : 'a triplet';
  // After a frame that is only unusable the window is the same; one of another scene begins a new one.
  const next = stream.give(wall(4));
  expect(next.triplet ? 'a triplet' : 'no triplet').toBe(expected);
});

test.each<[SkipReason, Partial<ShrunkFrame>]>([
  ['clock', { stamp: 3 }],
  ['gap', { stamp: 30 }],
  ['camera', { intrinsics: { ...intrinsics, fx: 60 } }],
])('%s: no triplet reaches across', (reason, change) => {
  const stream = new Stream().start();
  const { stamp = 10.4 } = change;
  const frames = [3, 4, 5].map((shift, i) => stream.give(wall(shift), { ...change, stamp: stamp + 0.1 * i }));
  expect(frames.map(({ skipped }) => skipped)).toEqual([reason, undefined, undefined]);
  expect(frames.map(({ triplet }) => triplet !== undefined)).toEqual([false, false, true]);
});

test('no triplet reaches across a tunnel, however alike its ends are', () => {
  const stream = new Stream().start();
  for (let i = 0; i < 30; i++) expect(stream.give(wall(3, 0.08))).toEqual({ skipped: 'dark' });
  const frames = [4, 5, 6].map((shift) => stream.give(wall(shift)));
  expect(frames.map(({ skipped }) => skipped)).toEqual(['gap', undefined, undefined]);
  expect(frames.map(({ triplet }) => triplet !== undefined)).toEqual([false, false, true]);
});
