import { mkdirSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Triplet } from '../../src/adaptation/frame';
import { cosine, ReplayBuffer, type Sample } from '../../src/adaptation/replayBuffer';
import { readTriplet } from '../../src/adaptation/tripletFile';

const [height, width] = [4, 8];
const BYTES = 1000;

function triplet(level: number): Triplet {
  const image = (frame: number): Uint8Array => new Uint8Array(3 * height * width).fill(level + frame);
  return {
    images: [image(0), image(1), image(2)],
    intrinsics: { width, height, fx: 5, fy: 5, cx: 3.5, cy: 1.5 },
    stamp: level,
    motion: { speed: 3, sincePrevious: 0.1, untilNext: 0.2 },
  };
}

/** A sample whose descriptor points to `degrees`. */
function sample(degrees: number): Sample {
  const angle = (degrees * Math.PI) / 180;
  const descriptor = Float32Array.of(Math.cos(angle), Math.sin(angle));
  return { triplet: triplet(degrees), descriptor, bytes: BYTES };
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'depthgrad-buffer-'));
}

function open(path: string, samples = 4): { buffer: ReplayBuffer<Sample>; warnings: string[] } {
  const warnings: string[] = [];
  const buffer = new ReplayBuffer<Sample>({
    folder: path,
    limit: samples * BYTES,
    onWarning: (message) => warnings.push(message),
  });
  return { buffer, warnings };
}

const stamps = (samples: Sample[]): number[] => samples.map((one) => one.triplet.stamp);

test('of the place, what is like a kept frame is not kept', () => {
  const { buffer } = open(folder());
  expect([0, 10, 40, 45, 90].map((degrees) => buffer.addDiverse(sample(degrees), 0.95))).toEqual([
    true,
    false,
    true,
    false,
    true,
  ]);
  expect(stamps(buffer.of('place'))).toEqual([0, 40, 90]);
  expect(cosine(Float32Array.of(1, 0), Float32Array.of(1, 1))).toBeCloseTo(Math.SQRT1_2);
});

test('bytes stay in their bound, on disk too: the one most like another makes room, source frames never do', () => {
  const path = folder();
  const { buffer } = open(path, 4);
  buffer.add('source', sample(200));
  for (const degrees of [0, 60, 90, 150, 110]) {
    buffer.addDiverse(sample(degrees), 0.95);
    expect(buffer.bytes).toBeLessThanOrEqual(4 * BYTES);
    expect(readdirSync(path).length).toBe(buffer.bytes / BYTES);
  }
  // 60 and 90 were nearest to each other when 150 came, then 90 and 150 when 110 came; the older one goes.
  expect(stamps(buffer.of('place'))).toEqual([0, 150, 110]);
  expect(stamps(buffer.of('source'))).toEqual([200]);
  for (const degrees of [1, 2, 3]) expect(buffer.add('source', sample(degrees))).toBe(true);
  expect(buffer.count('place')).toBe(0);
  expect(buffer.add('source', sample(4))).toBe(false);
});

test('judged frames take turns, and there is room for them', () => {
  const { buffer } = open(folder(), 3);
  for (const degrees of [0, 60, 120]) buffer.addDiverse(sample(degrees), 0.95);
  for (const degrees of [1, 2, 3]) expect(buffer.addInTurn('judged-place', sample(degrees), 2)).toBe(true);
  expect(stamps(buffer.of('judged-place'))).toEqual([2, 3]);
  expect(buffer.count('place')).toBe(1);
  for (const degrees of [4, 5]) buffer.addInTurn('source', sample(degrees), 9);
  expect(stamps(buffer.of('source'))).toEqual([4]);
});

test('a restart goes on with the files, and names and leaves out a damaged one', () => {
  const path = folder();
  const before = open(path, 6).buffer;
  before.add('source', sample(200));
  before.add('judged-source', sample(201));
  for (const degrees of [0, 60, 120]) before.addDiverse(sample(degrees), 0.95);
  const files = readdirSync(path).sort();
  const [cut, changed] = files.filter((name) => name.startsWith('place'));
  truncateSync(join(path, cut), 100);
  const bytes = readFileSync(join(path, changed));
  bytes[bytes.length - 1] ^= 1;
  writeFileSync(join(path, changed), bytes);
  writeFileSync(join(path, 'place-0000000009.triplet.123.tmp'), 'killed while writing');

  const { buffer, warnings } = open(path, 6);
  const made: string[] = [];
  buffer.load(height, width, (one, kind) => {
    made.push(kind);
    return { ...sample(one.stamp), triplet: one };
  });
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain(cut);
  expect(warnings[1]).toContain(changed);
  expect(made.sort()).toEqual(['judged-source', 'place', 'source']);
  expect(buffer.of('place')[0].triplet).toEqual(triplet(120));
  expect(readdirSync(path).sort()).toEqual(files.filter((name) => name !== cut && name !== changed));
  expect(buffer.bytes).toBe(3 * BYTES);
});

test('a restart names what it cannot delete, and goes on with the rest', () => {
  const path = folder();
  open(path).buffer.add('source', sample(7));
  // Folders in place of files: a file that the buffer may not delete, for everybody.
  const names = ['place-0000000003.triplet', 'place-0000000004.triplet.123.tmp'];
  for (const name of names) mkdirSync(join(path, name, 'x'), { recursive: true });
  const { buffer, warnings } = open(path);
  buffer.load(height, width, (one) => ({ ...sample(one.stamp), triplet: one }));
  expect(stamps(buffer.of('source'))).toEqual([7]);
  expect(warnings).toHaveLength(3);
  expect(warnings[0]).toContain('left out of the replay buffer');
  names.forEach((name, i) => expect(warnings[i + 1]).toContain(name));
});

test('a file of another size is refused', () => {
  const path = folder();
  open(path).buffer.add('source', sample(7));
  const [file] = readdirSync(path);
  expect(() => readTriplet(join(path, file), 8, 8)).toThrow(/8x4.*network of 8x8/);
});

test('what cannot be written is named, and kept in memory', () => {
  const path = folder();
  const { buffer, warnings } = open(join(path, 'buffer'));
  // A folder in place of the file that is to be written.
  const blocked = join(path, 'buffer', 'source-0000000000.triplet');
  mkdirSync(join(blocked, 'x'), { recursive: true });
  expect(buffer.add('source', sample(1))).toBe(true);
  expect(warnings[0]).toContain(blocked);
  expect(buffer.count('source')).toBe(1);
});
