import {
  evaluatePhotometric,
  photometricError,
  removeScalePart,
  type PhotometricSource,
} from '../../../src/training/losses/photometric';
import { Random } from '../../../src/training/random';

const height = 12;
const width = 18;
const pixels = height * width;
const intrinsics = { width, height, fx: 15, fy: 14, cx: 8.3, cy: 5.6 };

/** A smooth picture: finite differences need one without kinks. */
function smoothImage(phase: number): Float32Array {
  const image = new Float32Array(3 * pixels);
  for (let v = 0; v < height; v++) {
    for (let u = 0; u < width; u++) {
      for (let c = 0; c < 3; c++) {
        image[3 * (v * width + u) + c] =
          0.5 + 0.22 * Math.sin(0.45 * u + 0.3 * v + phase + c) + 0.2 * Math.cos(0.5 * v - 0.2 * u * (c + 1) + phase);
      }
    }
  }
  return image;
}

/** Two samples, so that indexing by sample is tested too. */
function twoSamples(phase: number): Float32Array {
  const both = new Float32Array(6 * pixels);
  both.set(smoothImage(phase));
  both.set(smoothImage(phase + 2), 3 * pixels);
  return both;
}

const batch = { size: 2, height, width, intrinsics: [intrinsics, intrinsics], target: twoSamples(0) };

function scene(later: boolean): { sources: PhotometricSource[]; logDisparity: Float32Array; pose: Float32Array } {
  const random = new Random(7);
  // The source is shifted far enough from the target that the auto-mask leaves the warped pixels in.
  const sources = [{ images: twoSamples(later ? -0.9 : 0.9), later }];
  const logDisparity = Float32Array.from({ length: 2 * pixels }, () => -1.4 + random.between(-0.2, 0.2));
  const pose = Float32Array.of(0.12, -0.05, 0.2, 0.03, -0.04, 0.05, -0.1, 0.07, 0.15, -0.05, 0.02, 0.06);
  return { sources, logDisparity, pose };
}

/** Sum over chosen pixels only: a pixel that changes sides under the perturbation would add a step to the difference. */
function value(sources: PhotometricSource[], u: Float32Array, pose: Float32Array): { value: number; kept: number } {
  const outcome = evaluatePhotometric(batch, sources, u, [pose]);
  return { value: outcome.value, kept: outcome.keptShare };
}

describe.each([false, true])('photometric gradient, source later = %s', (later) => {
  const { sources, logDisparity, pose } = scene(later);
  const outcome = evaluatePhotometric(batch, sources, logDisparity, [pose]);

  test('keeps pixels to differentiate', () => {
    expect(outcome.keptShare).toBeGreaterThan(0.1);
    expect(Number.isFinite(outcome.value)).toBe(true);
  });

  test('with respect to each pose number agrees with finite differences', () => {
    let compared = 0;
    let difference = 0;
    let size = 0;
    for (let i = 0; i < 12; i++) {
      const step = 2e-4;
      const moved = [1, -1].map((sign) => {
        const p = Float32Array.from(pose);
        p[i] += sign * step;
        return value(sources, logDisparity, p);
      });
      if (moved[0].kept !== moved[1].kept) continue;
      const numeric = (moved[0].value - moved[1].value) / (2 * step);
      compared++;
      difference += Math.abs(outcome.gradPoses[0][i] - numeric);
      size += Math.abs(numeric);
    }
    // Bilinear sampling and L1 have kinks: single numbers differ by a few per cent, the whole by less.
    expect(compared).toBeGreaterThan(6);
    expect(difference).toBeLessThan(0.02 * size);
  });

  test('with respect to log-disparity agrees with finite differences', () => {
    let compared = 0;
    let difference = 0;
    let size = 0;
    for (let i = 0; i < 2 * pixels; i += 7) {
      const step = 5e-3;
      const moved = [1, -1].map((sign) => {
        const u = Float32Array.from(logDisparity);
        u[i] += sign * step;
        return value(sources, u, pose);
      });
      if (moved[0].kept !== moved[1].kept) continue;
      const numeric = (moved[0].value - moved[1].value) / (2 * step);
      compared++;
      difference += Math.abs(outcome.gradLogDisparity[i] - numeric);
      size += Math.abs(numeric);
    }
    expect(compared).toBeGreaterThan(20);
    expect(size).toBeGreaterThan(0);
    expect(difference).toBeLessThan(0.02 * size);
  });
});

test('the error is zero for equal images and symmetric', () => {
  const a = smoothImage(0);
  const b = smoothImage(1);
  expect(Math.max(...photometricError(a, a, height, width))).toBeLessThan(1e-6);
  const forwards = photometricError(a, b, height, width);
  const backwards = photometricError(b, a, height, width);
  forwards.forEach((e, i) => expect(e).toBeCloseTo(backwards[i], 5));
});

test('a warp that leaves the image or comes from behind the camera counts nowhere', () => {
  const { sources, logDisparity } = scene(false);
  const outcome = evaluatePhotometric(batch, sources, logDisparity, [
    Float32Array.of(0, 0, -50, 0, 0, 0, 500, 0, 0, 0, 0, 0),
  ]);
  expect(outcome.value).toBe(0);
  expect(outcome.gradLogDisparity.every((g) => g === 0)).toBe(true);
  expect(outcome.gradPoses[0].every((g) => g === 0)).toBe(true);
});

test('poses that scale with the depth leave the loss as it is, so no gradient may pull at the scale', () => {
  const { sources, logDisparity, pose } = scene(false);
  const scaled = (by: number): number => {
    const moved = Float32Array.from(pose, (x, i) => (i % 6 < 3 ? by * x : x));
    const farther = logDisparity.map((u) => u - Math.log(by));
    return value(sources, farther, moved).value;
  };
  expect(scaled(1.7)).toBeCloseTo(scaled(1), 5);
  // With the poses held constant there seems to be a slope.
  const { gradLogDisparity } = evaluatePhotometric(batch, sources, logDisparity, [pose]);
  const pull = (gradient: Float32Array, b: number): number =>
    gradient.subarray(b * pixels, (b + 1) * pixels).reduce((sum, g) => sum + g, 0);
  expect(Math.abs(pull(gradLogDisparity, 0))).toBeGreaterThan(1e-3);
  const free = gradLogDisparity.slice();
  removeScalePart(free, 2);
  for (const b of [0, 1]) expect(pull(free, b)).toBeCloseTo(0, 6);
  // Every pull is weaker or stronger by one of two factors: none turns round, and pixels without one get none.
  for (const sign of [1, -1]) {
    const factors: number[] = [];
    for (let i = 0; i < pixels; i++) {
      if (gradLogDisparity[i] * sign > 1e-7) factors.push(free[i] / gradLogDisparity[i]);
      if (gradLogDisparity[i] === 0) expect(free[i]).toBe(0);
    }
    expect(factors.length).toBeGreaterThan(10);
    expect(Math.min(...factors)).toBeGreaterThan(0);
    expect(Math.max(...factors) - Math.min(...factors)).toBeLessThan(1e-5);
  }
});
