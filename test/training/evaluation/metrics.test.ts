import { countedArea, DepthMetrics, depthErrors, type DepthProtocol } from '../../../src/training/evaluation/metrics';

const WHOLE: DepthProtocol = { minDepth: 1e-3, maxDepth: 80, crop: 'none' };

test('every metric by hand: truth 2, 4, 8 m, prediction 1, 1, 4 of unknown scale', () => {
  // Medians 4 and 1: scale 4. Prediction 4, 4, 16 m; differences 2, 0, 8.
  const errors = depthErrors(Float32Array.of(1, 1, 4), Float32Array.of(2, 4, 8), 1, 3, WHOLE);
  expect(errors?.scale).toBe(4);
  expect(errors?.abs_diff).toBeCloseTo(10 / 3, 12);
  expect(errors?.abs_rel).toBeCloseTo((1 + 0 + 1) / 3, 12);
  expect(errors?.sq_rel).toBeCloseTo((4 / 2 + 0 + 64 / 8) / 3, 12);
  expect(errors?.rms).toBeCloseTo(Math.sqrt(68 / 3), 12);
  expect(errors?.log_rms).toBeCloseTo(Math.log(2) * Math.sqrt(2 / 3), 12);
  expect([errors?.a1, errors?.a2, errors?.a3]).toEqual([1 / 3, 1 / 3, 1 / 3]);
});

test('a prediction in metres is not scaled: truth 2, 4, 8 m, prediction 1, 5, 90 m', () => {
  // Clipped to 80: differences 1, 1, 72; ratios 2, 1.25, 10. The medians' ratio 4 / 5 is reported and not applied.
  const metric: DepthProtocol = { ...WHOLE, scale: 'none' };
  const errors = depthErrors(Float32Array.of(1, 5, 90), Float32Array.of(2, 4, 8), 1, 3, metric);
  expect(errors?.scale).toBe(4 / 5);
  expect(errors?.abs_diff).toBeCloseTo(74 / 3, 12);
  expect(errors?.abs_rel).toBeCloseTo((1 / 2 + 1 / 4 + 9) / 3, 12);
  expect(errors?.rms).toBeCloseTo(Math.sqrt((1 + 1 + 72 ** 2) / 3), 12);
  expect([errors?.a1, errors?.a2, errors?.a3]).toEqual([0, 1 / 3, 1 / 3]);
  const scaled = depthErrors(Float32Array.of(1, 5, 90), Float32Array.of(2, 4, 8), 1, 3, WHOLE);
  // 0.8, 4, 72: the middle one is right.
  expect(scaled?.abs_rel).toBeCloseTo((1.2 / 2 + 0 + 64 / 8) / 3, 6);
});

test('the thresholds are 1.25 and its powers, either way round', () => {
  // Scale 1 by the middle value; ratios 1.2, 1.5, 1.9, 2.0.
  const truth = Float32Array.of(10, 10, 10, 10, 10, 10, 10);
  const prediction = Float32Array.of(12, 10 / 1.5, 19, 10, 5, 10, 10);
  const errors = depthErrors(prediction, truth, 1, 7, WHOLE);
  expect(errors?.scale).toBe(1);
  expect([errors?.a1, errors?.a2, errors?.a3].map((a) => Math.round(7 * (a ?? NaN)))).toEqual([4, 5, 6]);
});

test('scaling comes before clipping', () => {
  // Truth 40, 40, 79: scale 40 by the medians makes the last 400 m, clipped to 80; clipping first would have left it.
  const errors = depthErrors(Float32Array.of(1, 1, 10), Float32Array.of(40, 40, 79), 1, 3, WHOLE);
  expect(errors?.abs_diff).toBeCloseTo(1 / 3, 6);
});

test('only truth strictly inside the limits and the crop counts', () => {
  const [height, width] = [100, 100];
  expect(countedArea(375, 1242, 'garg')).toEqual([153, 371, 44, 1197]);
  const [top, bottom, left, right] = countedArea(height, width, 'garg');
  expect([top, bottom, left, right]).toEqual([40, 99, 3, 96]);
  const truth = new Float32Array(height * width);
  const prediction = new Float32Array(height * width).fill(1);
  truth[top * width + left] = 10;
  truth[(top - 1) * width + left] = 20;
  truth[bottom * width + left] = 20;
  truth[top * width + right] = 20;
  truth[top * width + left + 1] = 80;
  truth[top * width + left + 2] = 1e-3 / 2;
  const garg: DepthProtocol = { ...WHOLE, crop: 'garg' };
  expect(depthErrors(prediction, truth, height, width, garg)).toMatchObject({ scale: 10, abs_rel: 0 });
  expect(depthErrors(prediction, new Float32Array(height * width), height, width, garg)).toBeUndefined();
});

test('a prediction that is no depth is refused with its place', () => {
  expect(() => depthErrors(Float32Array.of(1, NaN), Float32Array.of(1, 2), 1, 2, WHOLE)).toThrow(
    /NaN at column 1, row 0/,
  );
  expect(() => depthErrors(Float32Array.of(1), Float32Array.of(1, 2), 1, 2, WHOLE)).toThrow(/prediction has 1 values/);
});

test('scale and shift of disparity are fitted: truth 2, 4, 8 m, disparities 11, 6, 4 and 10, 6, 5', () => {
  const affine: DepthProtocol = { ...WHOLE, scale: 'affine' };
  const errors = (disparity: number[]) =>
    depthErrors(
      Float32Array.from(disparity, (d) => 1 / d),
      Float32Array.of(2, 4, 8),
      1,
      3,
      affine,
    );
  // 11, 6, 3.5 would be 20 / z + 1.
  expect(errors([11, 6, 3.5])?.abs_rel).toBeCloseTo(0, 6);
  // Means 7 and 7/24; deviations (3, -1, -2) and (5, -1, -4)/24: a = 24/24/14 = 1/14, b = 7/24 - 1/2 = -5/24.
  const fitted = [10, 6, 5].map((d) => 1 / (d / 14 - 5 / 24));
  const byHand = (Math.abs(fitted[0] - 2) / 2 + Math.abs(fitted[1] - 4) / 4 + Math.abs(fitted[2] - 8) / 8) / 3;
  expect(errors([10, 6, 5])?.abs_rel).toBeCloseTo(byHand, 6);
  // A fit that puts a pixel behind infinity, and a flat map.
  expect(errors([100, 1, 1])?.rms).toBeLessThan(80);
  expect(errors([3, 3, 3])?.abs_rel).toBeGreaterThan(0.3);
});

test('images are averaged, and the scales’ spread is the population’s', () => {
  const metrics = new DepthMetrics();
  const base = { abs_diff: 1, abs_rel: 0, sq_rel: 0, rms: 0, log_rms: 0, a1: 1, a2: 1, a3: 1 };
  metrics.update({ ...base, abs_rel: 0.1, scale: 2 });
  metrics.update({ ...base, abs_rel: 0.3, scale: 4 });
  const summary = metrics.compute();
  expect(summary).toMatchObject({ frames: 2, scale_mean: 3, scale_std: 1, abs_diff: 1 });
  expect(summary.abs_rel).toBeCloseTo(0.2, 12);
  expect(() => new DepthMetrics().compute()).toThrow(/no image had ground truth/);
});
