import { compose, fromVector6, identity, toVector6, type Se3 } from '../../src/geometry/se3';
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { Odometry, type Motion, type MotionUncertainty } from '../../src/odometry/odometry';
import { Random } from '../../src/training/random';
import { normal } from '../support/normal';

const FRAME = 0.1;
const variances = [0.01, 0.002, 0.02, 1e-4, 4e-4, 1e-4];
/** With a step aside and a turn that look alike. */
const covariance = new Float64Array(36);
variances.forEach((value, i) => (covariance[7 * i] = value));
covariance[4] = covariance[24] = 0.6 * Math.sqrt(variances[0] * variances[4]);
const alone = { covariance, length: 0, scale: 0 };
/** A bend that also rises. */
const bend = (frame: number): number[] => [0.02, -0.05, 1 + 0.2 * Math.sin(frame / 5), 0.002, 0.03, -0.001];

test('motions are chained, and the twist is the last one per second', () => {
  const odometry = new Odometry();
  let expected: Se3 = identity();
  for (let i = 0; i < 40; i++) {
    odometry.add({ vector: bend(i), ...alone }, FRAME);
    expected = compose(expected, fromVector6(bend(i)));
  }
  expect([...toVector6(odometry.pose)]).toEqual([...toVector6(expected)]);
  // In the later frame's axes.
  const { rotation: r } = fromVector6(bend(39));
  const ahead = [0, 1, 2].reduce((sum, k) => sum + r[3 * k + 2] * bend(39)[k], 0);
  expect(odometry.twist.rate[2]).toBeCloseTo(ahead / FRAME, 9);
  expect(odometry.twist.rate[4]).toBeCloseTo(bend(39)[4] / FRAME, 9);
  expect(odometry.twist.covariance[14]).toBeCloseTo(variances[2] / FRAME ** 2, 2);
  expect(odometry.twist.covariance[28]).toBeCloseTo(variances[4] / FRAME ** 2, 6);
});

/** Of 4,000 drives whose motions err as the uncertainty says, against the odometry's covariance: largest difference, relative. */
function disagreement(uncertainty: MotionUncertainty, alikeFor: number, frames: number): number {
  const random = new Random(7);
  const odometry = new Odometry({ alikeFor, startSpread: { translation: 0, rotation: 0 } });
  const drives = 4000;
  for (let i = 0; i < frames; i++) odometry.add({ vector: bend(i), ...uncertainty }, FRAME);
  const rows = Array.from({ length: 6 }, (_, i) => [...uncertainty.covariance.subarray(6 * i, 6 * i + 6)]);
  const lower = new CholeskyDecomposition(new Matrix(rows)).lowerTriangularMatrix;
  const kept = Math.exp(-FRAME / alikeFor);
  const sums = new Float64Array(36);
  for (let drive = 0; drive < drives; drive++) {
    let pose: Se3 = identity();
    const carried = Array.from({ length: 7 }, () => normal(random));
    const scale = 1 + uncertainty.scale * normal(random);
    for (let i = 0; i < frames; i++) {
      if (i > 0) carried.forEach((value, k) => (carried[k] = kept * value + Math.sqrt(1 - kept ** 2) * normal(random)));
      const mean = fromVector6(bend(i));
      const error = lower.mmul(Matrix.columnVector(carried.slice(1))).to1DArray();
      const translation = mean.translation.map(
        (value, k) => value * (scale + uncertainty.length * carried[0]) + error[k],
      );
      // The rotation's error is about the axes of the frame before, as in Motion.
      const { rotation } = compose(fromVector6([0, 0, 0, ...error.slice(3)]), {
        ...mean,
        translation: new Float64Array(3),
      });
      pose = compose(pose, { rotation, translation });
    }
    const away = compose({ ...pose, translation: new Float64Array(3) }, transposed(odometry.pose));
    const error = [0, 1, 2].map((k) => pose.translation[k] - odometry.pose.translation[k]);
    error.push(...toVector6(away).subarray(3));
    for (let i = 0; i < 36; i++) sums[i] += (error[Math.floor(i / 6)] * error[i % 6]) / drives;
  }
  const expected = odometry.covariance;
  const sigma = (i: number): number => Math.sqrt(expected[7 * i]);
  return Math.max(...sums.map((sum, i) => Math.abs(sum - expected[i]) / (sigma(Math.floor(i / 6)) * sigma(i % 6))));
}

test.each([
  ['independent', 1e-3],
  ['alike for a while', 0.5],
  ['all the same', 1e6],
])('the covariance is that of noisy drives whose errors are %s', (_, alikeFor) => {
  const small = { covariance: covariance.map((value) => value / 16), length: 0.05, scale: 0.03 };
  expect(disagreement(small, alikeFor, 12)).toBeLessThan(0.08);
});

test('errors that are alike add up along the way, others by their root', () => {
  const spread = (frames: number, alikeFor: number): number => {
    const odometry = new Odometry({ alikeFor });
    for (let i = 0; i < frames; i++)
      odometry.add(
        { vector: [0, 0, 1, 0, 0, 0], covariance: covariance.map((value) => 1e-9 * value), length: 0.05, scale: 0 },
        FRAME,
      );
    return Math.sqrt(odometry.covariance[14]);
  };
  expect([spread(20, 1e6), spread(40, 1e6)]).toEqual([expect.closeTo(1, 2), expect.closeTo(2, 2)]);
  expect([spread(20, 1e-3), spread(80, 1e-3)]).toEqual([
    expect.closeTo(0.05 * Math.sqrt(20), 3),
    expect.closeTo(0.05 * Math.sqrt(80), 3),
  ]);
});

function transposed({ rotation: r }: Se3): Se3 {
  return {
    rotation: Float64Array.of(r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]),
    translation: new Float64Array(3),
  };
}

test('a scale that is off stays off: its share of the way is not forgotten', () => {
  const odometry = new Odometry();
  for (let i = 0; i < 1000; i++)
    odometry.add({ vector: [0, 0, 1, 0, 0, 0], covariance, length: 0.3, scale: 0.1 }, FRAME); // 1 km in 100 s
  expect(Math.sqrt(odometry.covariance[14])).toBeGreaterThan(95);
  expect(Math.sqrt(odometry.covariance[14])).toBeLessThan(110);
});

test('a loss is gone through for a second, in one piece as in many', () => {
  const after = (...pieces: number[]): number => {
    const odometry = new Odometry();
    odometry.add({ vector: [0, 0, 1, 0, 0, 0], ...alone }, FRAME);
    for (const seconds of pieces) odometry.bridge(seconds);
    return odometry.pose.translation[2];
  };
  for (const pieces of [[0.95, 0.1], [1.05], [0.6, 0.6], [60], [0.5, 0.5, 0.5]])
    expect(after(...pieces)).toBeCloseTo(11);
  expect(after(0.95)).toBeCloseTo(10.5);
});

test('where the clock was set it goes on for a frame, and may have been elsewhere for longer', () => {
  const odometry = new Odometry();
  odometry.add({ vector: [0, 0, 1, 0, 0, 0], ...alone }, FRAME);
  odometry.bridge(FRAME, 0.5);
  expect(odometry.pose.translation[2]).toBeCloseTo(2);
  expect(Math.sqrt(odometry.covariance[14])).toBeGreaterThan(2.5);
});

test('a covariance that is none makes the motion unknown, and nothing of it stays', () => {
  const singular = new Float64Array(36).fill(1);
  const odometry = new Odometry();
  for (const bad of [singular, new Float64Array(36).fill(NaN), covariance.map((value) => -value)]) {
    odometry.add({ vector: [0, 0, 1, 0, 0, 0], covariance: bad, length: 0, scale: 0 }, FRAME);
    expect(odometry.isLost).toBe(true);
  }
  expect(odometry.lost).toBe(3);
  odometry.add({ vector: [0, 0, 1, 0, 0, 0], ...alone }, FRAME);
  expect(odometry.isLost).toBe(false);
  expect(odometry.covariance.every(Number.isFinite)).toBe(true);
});

test('nothing is known exactly, not even the start', () => {
  const { covariance: start } = new Odometry();
  for (let i = 0; i < 6; i++) expect(start[7 * i]).toBeGreaterThan(0);
});

test('what is lost is bridged, the covariance grows faster, and after a second it stands', () => {
  const odometry = new Odometry();
  const straight: Motion = { vector: [0, 0, 1, 0, 0, 0], ...alone };
  odometry.add(straight, FRAME);
  const known = odometry.covariance[14];
  odometry.bridge(FRAME);
  expect(odometry.isLost).toBe(true);
  expect(odometry.pose.translation[2]).toBeCloseTo(2);
  expect(odometry.covariance[14] - known).toBeGreaterThan(variances[2]);
  for (let i = 0; i < 30; i++) odometry.bridge(FRAME);
  expect(odometry.pose.translation[2]).toBeCloseTo(11);
  expect(odometry.twist.rate[2]).toBe(0);
  expect(Math.sqrt(odometry.covariance[14])).toBeGreaterThan(0.9 * 3.1 * 5);
  const before = odometry.pose;
  odometry.add(straight, FRAME);
  expect(odometry.isLost).toBe(false);
  expect(odometry.lost).toBe(31);
  expect(odometry.pose.translation[2]).toBeCloseTo(before.translation[2] + 1);
});

test('what is lost may have gone on as it did, or braked as hard as it can: both within three standard deviations', () => {
  const odometry = new Odometry();
  const fast: Motion = { vector: [0, 0, 3, 0, 0, 0], ...alone }; // 30 m/s
  odometry.add(fast, FRAME);
  const from = odometry.pose.translation[2];
  for (let i = 1; i <= 300; i++) {
    odometry.bridge(FRAME);
    const braked = Math.min(i * FRAME, 3); // at 10 m/s^2
    const spread = Math.sqrt(odometry.covariance[14]);
    for (const way of [3 * i, 30 * braked - 5 * braked ** 2])
      expect(Math.abs(from + way - odometry.pose.translation[2])).toBeLessThan(3 * spread);
    for (const speed of [30, 30 - 10 * braked])
      expect(Math.abs(speed - odometry.twist.rate[2])).toBeLessThan(3 * Math.sqrt(odometry.twist.covariance[14]));
  }
});

test('frames that came in a burst have a way but no speed: what is lost after them is not gone on with at a mad one', () => {
  const odometry = new Odometry();
  const straight: Motion = { vector: [0, 0, 1, 0, 0, 0], ...alone };
  odometry.add(straight, FRAME);
  odometry.add({ vector: [0, 0, 0.001, 0, 0, 0], ...alone }, 1e-9);
  odometry.add(straight, 0.001);
  expect(odometry.pose.translation[2]).toBeCloseTo(2.001);
  expect(odometry.twist.rate[2]).toBeCloseTo(10);
  odometry.bridge(FRAME);
  expect(odometry.pose.translation[2]).toBeCloseTo(3.001);
});

test('a speed that is hardly known is gone on with as one that is hardly known', () => {
  const odometry = new Odometry();
  odometry.add({ vector: [0, 0, 0.33, 0, 0, 0], covariance, length: 0.3, scale: 0 }, 0.006); // 55 m/s, truly 5
  const from = odometry.pose.translation[2];
  odometry.bridge(1);
  expect(odometry.pose.translation[2] - from).toBeCloseTo(55);
  expect(3 * Math.sqrt(odometry.covariance[14])).toBeGreaterThan(50);
});
