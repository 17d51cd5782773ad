import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Intrinsics } from '../../../src/geometry/camera';
import { fromVector6, identity, inverse, type Se3 } from '../../../src/geometry/se3';
import { sourceCoordinates, warpImage } from '../../../src/geometry/warp';
import { FAR_METERS, SyntheticScenes, type SyntheticSample } from '../../../src/training/datasets/synthetic';
import { Material, Mesh } from '../../../src/training/datasets/synthetic/mesh';
import { GeometryBuffer } from '../../../src/training/datasets/synthetic/raster';
import {
  openSyntheticSet,
  partPath,
  SAMPLES_PER_PART,
  syntheticSetFolder,
} from '../../../src/training/datasets/syntheticSet';

const HEIGHT = 64;
const WIDTH = 208;

const scenes = new SyntheticScenes(3);
const samples = Array.from({ length: 12 }, (_, index) => scenes.render(index, HEIGHT, WIDTH, 2));
/** Those in which the camera went forward. */
const driven = samples.filter(({ poses }) => poses[0][2] > 0.2);

/**
 * Share of the static near pixels of frame 0 whose point, moved into frame 1, lies at the depth frame 1 shows there. The nearest
 * pixel is up to half a pixel off, which on ground seen at a flat angle is much depth: any of the 3x3 around it may agree.
 */
function depthAgreement(sample: SyntheticSample, toSecond: Se3): number {
  const { depths, intrinsics, moving } = sample;
  const { coordinates, sourceDepth } = sourceCoordinates(depths[0], intrinsics, toSecond, HEIGHT, WIDTH);
  let seen = 0;
  let agreeing = 0;
  for (let i = 0; i < HEIGHT * WIDTH; i++) {
    const [u, v] = [Math.round(coordinates[2 * i]), Math.round(coordinates[2 * i + 1])];
    if (moving[0][i] || depths[0][i] > 40 || !(u >= 1 && v >= 1 && u < WIDTH - 1 && v < HEIGHT - 1)) continue;
    seen++;
    let [low, high] = [Infinity, 0];
    for (let j = v - 1; j <= v + 1; j++) {
      for (let k = u - 1; k <= u + 1; k++) {
        low = Math.min(low, depths[1][j * WIDTH + k]);
        high = Math.max(high, depths[1][j * WIDTH + k]);
      }
    }
    if (sourceDepth[i] > low * 0.998 && sourceDepth[i] < high * 1.002) agreeing++;
  }
  return seen === 0 ? NaN : agreeing / seen;
}

function mean(numbers: number[]): number {
  return numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
}

describe('rasterised depth', () => {
  test('of a plane equals the ray-plane intersection for a pitched, rolled and turned camera', () => {
    const intrinsics: Intrinsics = { width: 40, height: 24, fx: 31, fy: 37, cx: 18.7, cy: 9.2 };
    const mesh = new Mesh({ sun: [0, -1, 0], sunStrength: 1, ambient: 1 });
    mesh.use({ material: Material.Plain, colour: [1, 1, 1] }, 0);
    // The ground 1.5 m below the origin, reaching behind the camera, so that it is clipped too.
    mesh.quad([-500, 1.5, -500, 500, 1.5, -500, 500, 1.5, 500, -500, 1.5, 500], -500, -500, 500, 500);
    const camera = fromVector6([0.3, -0.2, 1, 0.06, -0.2, 0.03]);
    const buffer = new GeometryBuffer(24, 40);
    buffer.draw(mesh, intrinsics, inverse(camera), 0);
    let ground = 0;
    for (let v = 0; v < 24; v++) {
      for (let u = 0; u < 40; u++) {
        const at = (2 * v + 1) * buffer.columns + 2 * u + 1;
        const [x, y] = [(u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy];
        const r = camera.rotation;
        const down = r[3] * x + r[4] * y + r[5];
        const depth = (1.5 - camera.translation[1]) / down;
        if (down <= 0) expect(buffer.quads[at]).toBe(-1);
        else if (depth < 200) {
          ground++;
          expect(Math.abs(1 / buffer.inverseDepth[at] / depth - 1)).toBeLessThan(1e-5);
          // The texture lies on the plane in world coordinates.
          expect(buffer.u[at]).toBeCloseTo((r[0] * x + r[1] * y + r[2]) * depth + 0.3, 2);
          expect(buffer.v[at]).toBeCloseTo((r[6] * x + r[7] * y + r[8]) * depth + 1, 2);
        }
      }
    }
    expect(ground).toBeGreaterThan(300);
  });

  test('of the nearer of two surfaces wins whatever the order', () => {
    const intrinsics: Intrinsics = { width: 8, height: 8, fx: 8, fy: 8, cx: 3.5, cy: 3.5 };
    for (const order of [
      [4, 9],
      [9, 4],
    ]) {
      const mesh = new Mesh({ sun: [0, -1, 0], sunStrength: 1, ambient: 1 });
      mesh.use({ material: Material.Plain, colour: [1, 1, 1] }, 0);
      for (const z of order) mesh.quad([-20, 20, z, 20, 20, z, 20, -20, z, -20, -20, z], 0, 0, 1, 1);
      const buffer = new GeometryBuffer(8, 8);
      buffer.draw(mesh, intrinsics, identity(), 0);
      for (const w of buffer.inverseDepth) expect(w).toBeCloseTo(1 / 4, 6);
    }
  });
});

describe('SyntheticScenes', () => {
  test('the same seed and index give the same sample, whatever was rendered before', () => {
    const again = new SyntheticScenes(3).render(4, HEIGHT, WIDTH, 2);
    expect(again).toEqual(samples[4]);
    expect(samples[5].images[0]).not.toEqual(samples[4].images[0]);
    expect(new SyntheticScenes(4).render(4, HEIGHT, WIDTH, 2).images[0]).not.toEqual(samples[4].images[0]);
  });

  test('sizes, ranges and variety are as promised', () => {
    for (const { images, depths, poses, intrinsics } of samples) {
      expect([images.length, depths.length, poses.length]).toEqual([2, 2, 1]);
      expect(images[0].length).toBe(HEIGHT * WIDTH * 3);
      expect(depths[0].every((z) => z > 0.2 && z <= FAR_METERS)).toBe(true);
      expect(intrinsics.fx / WIDTH).toBeGreaterThanOrEqual(0.5);
      expect(intrinsics.fx / WIDTH).toBeLessThanOrEqual(1);
      expect(Math.hypot(poses[0][0], poses[0][1], poses[0][2])).toBeLessThan(3);
      const brightness = mean(Array.from(images[0]));
      expect(brightness).toBeGreaterThan(10);
      expect(brightness).toBeLessThan(245);
    }
    expect(driven.length).toBeGreaterThan(8);
  });

  test('depth and pose of two frames agree: static points land at the depth the other frame shows', () => {
    const agreement = driven.map((sample) => depthAgreement(sample, inverse(fromVector6(sample.poses[0]))));
    const unmoved = driven.map((sample) => depthAgreement(sample, identity()));
    const backwards = driven.map((sample) => depthAgreement(sample, fromVector6(sample.poses[0])));
    expect(mean(agreement)).toBeGreaterThan(0.95);
    // The rest is what one frame sees and the other does not; a pose the wrong way round explains far less.
    expect(1 - mean(agreement)).toBeLessThan(0.3 * (1 - mean(unmoved)));
    expect(1 - mean(agreement)).toBeLessThan(0.15 * (1 - mean(backwards)));
  });

  test('the second frame warped by exact depth and pose shows the static pixels of the first', () => {
    const ratios = driven.map(({ images, depths, poses, intrinsics, moving }) => {
      const [first, second] = images.map((image) => Float32Array.from(image));
      const toSecond = inverse(fromVector6(poses[0]));
      const warped = warpImage(second, depths[0], intrinsics, toSecond, HEIGHT, WIDTH);
      let [warpedError, plainError] = [0, 0];
      for (let i = 0; i < HEIGHT * WIDTH; i++) {
        if (!warped.valid[i] || moving[0][i]) continue;
        for (let k = 3 * i; k < 3 * i + 3; k++) {
          warpedError += Math.abs(warped.image[k] - first[k]);
          plainError += Math.abs(second[k] - first[k]);
        }
      }
      return warpedError / plainError;
    });
    expect(Math.max(...ratios)).toBeLessThan(0.9);
    expect(mean(ratios)).toBeLessThan(0.5);
  });
});

describe('openSyntheticSet', () => {
  const key = { renderer: 1, height: 16, width: 32, frames: 2, seed: 3 };
  const cache = mkdtempSync(join(tmpdir(), 'depthgrad-synthetic-'));
  afterAll(() => rmSync(cache, { recursive: true, force: true }));

  test('renders once, reads back what was rendered, and extends a smaller set', async () => {
    const small = await openSyntheticSet(3, cache, key, 0);
    expect(small.count).toBe(3);
    const first = partPath(syntheticSetFolder(key, cache), 0);
    const written = statSync(first).mtimeMs;
    small.close();
    const set = await openSyntheticSet(SAMPLES_PER_PART + 2, cache, key, 0);
    expect(statSync(first).mtimeMs).toBe(written);
    expect(readdirSync(set.folder)).toEqual(['part-0000.bin', 'part-0001.bin']);
    for (const index of [1, SAMPLES_PER_PART + 1]) {
      const expected = new SyntheticScenes(key.seed).render(index, key.height, key.width, key.frames);
      const read = set.read(index);
      expect(read.images.map((image) => Array.from(image))).toEqual(expected.images.map((image) => Array.from(image)));
      expect(read.poses).toEqual(expected.poses);
      expect(read.pose).toEqual(expected.poses[0]);
      expect(read.intrinsics).toEqual(expected.intrinsics);
      read.depths.forEach((depth, k) =>
        depth.forEach((z, i) => expect(Math.abs(z / expected.depths[k][i] - 1)).toBeLessThan(1e-4)),
      );
    }
    expect(() => set.read(SAMPLES_PER_PART + 2)).toThrow(/index out of range/);
    set.close();
  });

  test('a truncated part is named, with what to do', async () => {
    const path = partPath(syntheticSetFolder(key, cache), 0);
    expect(existsSync(path)).toBe(true);
    truncateSync(path, 100);
    await expect(openSyntheticSet(3, cache, key, 0)).rejects.toThrow(`${path} has 100 bytes`);
  });
});
