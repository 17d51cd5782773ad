/** Surface normals and class labels on their way into a batch. */
import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeasuredBatches, type MeasuredPart } from '../../../src/training/batches/measured';
import { SyntheticBatches, type SyntheticSamples } from '../../../src/training/batches/synthetic';
import type { FrameChannel, FrameSequence } from '../../../src/training/datasets/dataset';
import { SyntheticScenes } from '../../../src/training/datasets/synthetic';
import { SceneClass } from '../../../src/training/datasets/synthetic/mesh';
import { openSyntheticClasses } from '../../../src/training/datasets/syntheticClasses';
import { openSyntheticSet, partPath } from '../../../src/training/datasets/syntheticSet';
import { UNLABELLED } from '../../../src/media/labelImage';
import { Random } from '../../../src/training/random';

const [width, height] = [64, 48];
const intrinsics = { width, height, fx: 60, fy: 52, cx: 30, cy: 25.5 };
/** A plane that is another in the mirror. */
const plane = { n: [0.48, -0.36, -0.8], distance: 2 };
const depth = Float32Array.from({ length: width * height }, (_, i) => {
  const [x, y] = [
    ((i % width) - intrinsics.cx) / intrinsics.fx,
    (Math.floor(i / width) - intrinsics.cy) / intrinsics.fy,
  ];
  return -plane.distance / (plane.n[0] * x + plane.n[1] * y + plane.n[2]);
});
/** Level 200 in the left third, of class 1; the rest is 50, of class 2; nobody said what the middle column is. */
const isLeft = (i: number): boolean => i % width < width / 3;
const labels = depth.map((_, i) => (i % width === width / 2 ? UNLABELLED : isLeft(i) ? 1 : 2));
const image = Uint8Array.from({ length: 3 * width * height }, (_, i) => (isLeft(Math.floor(i / 3)) ? 200 : 50));

function channel<Buffer extends Uint8Array | Float32Array>(
  frames: number[],
  values: ArrayLike<number>,
): FrameChannel<Buffer> {
  return { count: frames.length, has: (index) => frames.includes(index), read: (_, into) => into.set(values) };
}

function recording(changes: Partial<FrameSequence> = {}): FrameSequence {
  return {
    name: 'plane',
    count: 10,
    width,
    height,
    framesPerSecond: 10,
    intrinsics,
    motion: new Array<number>(10).fill(1),
    depth: channel<Float32Array>([0, 1, 2], depth),
    labels: channel<Uint8Array>([1, 2, 3], labels),
    readFrame: (_, into) => into.set(image),
    split: () => ({ train: [0, 8], heldOut: [8, 10] }),
    ...changes,
  };
}

function measured(
  wanted: MeasuredPart[],
  minCrop: [number, number] = [0.7, 0.7],
  changes: Partial<FrameSequence> = {},
): MeasuredBatches {
  const options = { strides: [1], minMotion: 0, strideMotion: 0, minCrop, validationShare: 0, part: 'train' as const };
  return new MeasuredBatches([recording(changes)], { ...options, wanted: new Set(wanted) }, new Random(2));
}

/** How many normals there are; each must be the plane's, its x turned in the mirror. */
function expectPlane(normals: Float32Array, mirrored: boolean): number {
  const n = [(mirrored ? -1 : 1) * plane.n[0], plane.n[1], plane.n[2]];
  let [known, largest] = [0, 0];
  for (let i = 0; i < normals.length; i += 3) {
    const found = normals.subarray(i, i + 3);
    if (found.every((x) => x === 0)) continue;
    known++;
    largest = Math.max(largest, ...n.map((x, c) => Math.abs(found[c] - x)));
  }
  expect(largest).toBeLessThan(1e-3);
  return known;
}

test('normals of measured depth are the plane’s in every view of it', () => {
  const batches = measured(['normals']);
  const seen = new Set<boolean>();
  for (let k = 0; k < 12; k++) {
    const { normals, depth: unasked, target } = batches.next(2, 32, 40);
    expect(unasked).toBeUndefined();
    for (let b = 0; b < 2; b++) {
      const pixels = 32 * 40;
      // The bright third lies on the left, or on the right of the mirrored picture; a crop may leave it out on neither side.
      const mirrored = target[3 * b * pixels] < target[3 * b * pixels + 3 * 39];
      seen.add(mirrored);
      const known = expectPlane(normals!.subarray(3 * b * pixels, 3 * (b + 1) * pixels), mirrored);
      // Every second row and column.
      expect(known).toBeGreaterThan(0.95 * (pixels / 4));
    }
  }
  expect(seen.size).toBe(2);
});

test('normals of rendered depth are the plane’s, none of the sky', () => {
  const sky = 10;
  const scenes: SyntheticSamples = {
    count: 1,
    width,
    height,
    read: () => {
      const withSky = depth.map((z, i) => (i < sky * width ? 100 : z));
      return { images: [image, image], depths: [withSky, withSky], pose: [0, 0, 0, 0, 0, 0], intrinsics };
    },
  };
  const plain = new SyntheticBatches(scenes, new Random(3)).next(1, height, width);
  expect([plain.normals, plain.labels]).toEqual([undefined, undefined]);
  const batches = new SyntheticBatches(scenes, new Random(3), { normals: true });
  for (let k = 0; k < 8; k++) {
    const { normals, truth, target } = batches.next(1, height, width);
    const mirrored = target[0] < target[3 * (width - 1)];
    const known = expectPlane(normals!, mirrored);
    const below = truth!.logDisparity.filter((u) => u > -Math.log(99)).length;
    // The row under the sky has no window of its own in the corners.
    expect(known).toBeGreaterThan(0.95 * below);
    expect(known).toBeLessThanOrEqual(below);
  }
});

test('labels are the nearest pixel’s in every view, never mixed', () => {
  const batches = measured(['labels']);
  for (let k = 0; k < 12; k++) {
    const { labels: found, target } = batches.next(1, 32, 40);
    expect([...new Set(found)].every((label) => [1, 2, UNLABELLED].includes(label))).toBe(true);
    let wrong = 0;
    found!.forEach((label, i) => {
      if (label !== UNLABELLED && (label === 1) !== target[3 * i] > 125 / 255) wrong++;
    });
    expect(wrong).toBeLessThanOrEqual(32);
  }
  const { labels: whole, target } = measured(['labels'], [1, 1]).next(1, height, width);
  const mirrored = target[0] < 0.5;
  expect([...whole!]).toEqual(
    [...labels].map((_, i) => labels[mirrored ? i - (i % width) + width - 1 - (i % width) : i]),
  );
});

test('a batch carries normals and labels where all its frames have them, and a pair is not mirrored then', () => {
  const batches = measured(['normals', 'labels']);
  const kinds = new Set(
    Array.from({ length: 60 }, () => {
      const { normals, labels: found } = batches.next(2, 8, 8);
      return [normals, found].map((part) => part !== undefined).join();
    }),
  );
  expect([...kinds].sort()).toEqual(['false,true', 'true,false', 'true,true']);
  const pair = { right: channel<Uint8Array>([0, 1, 2], image), baseline: 0.1, depth: undefined };
  const stereo = measured(['labels', 'stereo'], [1, 1], pair);
  for (let k = 0; k < 30; k++) {
    const { labels: found, target } = stereo.next(1, height, width);
    if (found && stereo) expect(found[0] === 1).toBe(target[0] > 0.5);
  }
});

describe('classes of rendered scenes', () => {
  const cache = mkdtempSync(join(tmpdir(), 'depthgrad-classes-'));
  afterAll(() => rmSync(cache, { recursive: true, force: true }));
  const key = { renderer: 1, height: 48, width: 156, frames: 2, seed: 3 };

  test('belong to what the same numbers’ pictures and depths show', () => {
    const scenes = new SyntheticScenes(key.seed);
    // What moves is a vehicle with its shadow, or somebody who walks.
    const mayMove = [SceneClass.Vehicle, SceneClass.Person, SceneClass.Road];
    const shares = new Float64Array(Object.keys(SceneClass).length / 2);
    for (let index = 0; index < 12; index++) {
      const { depths, moving, images } = scenes.render(index, key.height, key.width, 2);
      const classes = scenes.classes(index, key.height, key.width, 2, 1);
      let wrong = 0;
      classes.forEach((found, i) => {
        shares[found]++;
        if (found === SceneClass.Sky && depths[1][i] < 100) wrong++;
        if (moving[1][i] && !mayMove.includes(found)) wrong++;
      });
      expect(wrong).toBe(0);
      // Drawing classes moves no random number of a later picture.
      expect(scenes.render(index, key.height, key.width, 2).images[1]).toEqual(images[1]);
    }
    expect([...shares].map((count) => count > 0)).toEqual([...shares].map(() => true));
    expect(shares[SceneClass.Road]).toBeGreaterThan(0.05 * 12 * key.height * key.width);
  });

  test('are drawn once, beside a set that was there before, and come with its batches', async () => {
    const small = { ...key, height: 16, width: 32 };
    const set = await openSyntheticSet(3, cache, small, 0);
    const written = statSync(partPath(set.folder, 0)).mtimeMs;
    const classes = await openSyntheticClasses(set, 0);
    expect(statSync(partPath(set.folder, 0)).mtimeMs).toBe(written);
    const into = new Uint8Array(16 * 32);
    classes.read(2, into);
    expect(into).toEqual(new SyntheticScenes(key.seed).classes(2, 16, 32, 2, 1));
    expect(() => classes.read(3, into)).toThrow(/index out of range/);
    const batch = new SyntheticBatches(set, new Random(1), { labels: classes }).next(3, 16, 32);
    let [sky, near] = [0, 0];
    batch.labels!.forEach((label, i) => {
      if (label !== SceneClass.Sky) return;
      sky++;
      if (batch.truth!.logDisparity[i] > -Math.log(99)) near++;
    });
    expect(sky).toBeGreaterThan(0);
    expect(near).toBe(0);
    classes.close();
    const path = partPath(set.folder, 0, 'classes');
    truncateSync(path, 100);
    await expect(openSyntheticClasses(set, 0)).rejects.toThrow(`${path} has 100 bytes`);
    set.close();
  });
});
