import { ScaleFilter } from '../../src/odometry/scaleFilter';
import { Random } from '../../src/training/random';
import { normal } from '../support/normal';

const FRAME = 0.1;
const random = new Random(3);

/** Frames measured with 10 % noise around a scale. */
function drive(filter: ScaleFilter, frames: number, scale: number, slips = 0): number[] {
  return Array.from({ length: frames }, () => {
    const slip = random.uniform() < slips ? 1.5 : 0;
    return filter.next(FRAME, { logScale: Math.log(scale) + 0.1 * normal(random) + slip, variance: 0.01 }).scale;
  });
}

test('a scale is unknown until it has been measured some times, and then near the true one', () => {
  const filter = new ScaleFilter();
  expect(filter.next(FRAME)).toEqual({ scale: 1, variance: Infinity, known: false });
  drive(filter, 200, 2.5);
  const { scale, variance, known } = filter.next(FRAME);
  expect(known).toBe(true);
  expect(Math.abs(Math.log(scale / 2.5))).toBeLessThan(0.05);
  expect(Math.sqrt(variance)).toBeLessThan(0.1 * scale);
});

test('slips are left out, and the scale never jumps', () => {
  const filter = new ScaleFilter();
  drive(filter, 100, 2);
  const shown = drive(filter, 300, 2, 0.2);
  expect(filter.outliers).toBeGreaterThan(40);
  for (const [i, scale] of shown.entries()) {
    expect(Math.abs(Math.log(scale / 2))).toBeLessThan(0.08);
    if (i > 0) expect(Math.abs(scale / shown[i - 1] - 1)).toBeLessThan(0.01);
  }
});

test('a scale that has changed is found, in steps below one per cent', () => {
  const filter = new ScaleFilter();
  drive(filter, 100, 2);
  const shown = drive(filter, 400, 5);
  expect(filter.restarts).toBe(1);
  expect(Math.abs(Math.log(shown[399] / 5))).toBeLessThan(0.08);
  for (let i = 1; i < shown.length; i++) expect(Math.abs(shown[i] / shown[i - 1] - 1)).toBeLessThan(0.01);
});

test('without measurements the variance grows, and what is no number is no measurement', () => {
  const filter = new ScaleFilter();
  drive(filter, 100, 2);
  const before = filter.next(FRAME).variance;
  for (let i = 0; i < 100; i++) filter.next(FRAME, { logScale: NaN, variance: 0.01 });
  expect(filter.next(FRAME).variance).toBeGreaterThan(before + 4 * 0.02 ** 2 * 9);
});

test('what may have changed with the model is measured anew, and its variance covers it meanwhile', () => {
  const filter = new ScaleFilter();
  drive(filter, 300, 2);
  const before = filter.next(FRAME);
  filter.loosen(0.15);
  const after = filter.next(FRAME);
  expect(after.scale).toBeCloseTo(before.scale, 6);
  expect(Math.sqrt(after.variance) / after.scale).toBeGreaterThan(0.15);
});

test('time alone makes it less and less sure up to a bound, which another model may pass; measured again it is sure again', () => {
  const filter = new ScaleFilter();
  drive(filter, 100, 2);
  const spread = (seconds: number): number => {
    const { scale, variance } = filter.next(seconds);
    return Math.sqrt(variance) / scale;
  };
  expect(spread(100)).toBeCloseTo(0.3, 1);
  expect(spread(3600)).toBeCloseTo(0.4, 3);
  expect(spread(3600)).toBeCloseTo(0.4, 3);
  for (let i = 0; i < 4; i++) filter.loosen(0.2);
  expect(spread(3600)).toBeGreaterThan(0.5);
  drive(filter, 20, 2);
  expect(spread(0)).toBeLessThan(0.1);
});

test('after a long time without a measurement a gross slip is left out all the same, and a smaller one is mended by the next measurements', () => {
  const after = (factor: number): { filter: ScaleFilter; offBy: () => number } => {
    const filter = new ScaleFilter();
    const look = (scale: number): number => {
      for (let i = 0; i < 9; i++) filter.next(FRAME);
      return filter.next(FRAME, { logScale: Math.log(scale), variance: 0.2 ** 2 }).scale;
    };
    for (let i = 0; i < 20; i++) look(2);
    filter.next(36_000);
    look(2 * factor);
    return { filter, offBy: () => Math.abs(Math.log(look(2) / 2)) };
  };
  for (const factor of [4, 1 / 4]) {
    const { filter, offBy } = after(factor);
    expect(filter.outliers).toBe(1);
    expect(offBy()).toBeLessThan(1e-6);
  }
  for (const factor of [3, 1 / 3]) {
    const { filter, offBy } = after(factor);
    expect(filter.outliers).toBe(0);
    const off = Array.from({ length: 20 }, offBy);
    expect(Math.max(...off)).toBeLessThan(0.25); // of ln(3), by steps of half a per cent
    expect(off[19]).toBeLessThan(0.01);
  }
});
