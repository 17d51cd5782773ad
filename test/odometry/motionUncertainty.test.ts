import { inverse, Matrix } from 'ml-matrix';
import { motionUncertainty } from '../../src/odometry/motionUncertainty';
import type { PhotometricFit } from '../../src/odometry/photometricFit';

/** A step aside and a turn about the vertical that look alike. */
const information = new Float64Array(36);
[4e3, 3e3, 50, 2e6, 4e6, 1e6].forEach((value, i) => (information[7 * i] = value));
information[4] = information[24] = 0.9 * Math.sqrt(4e3 * 4e6);
const fit: PhotometricFit = { pixels: 3000, error: 0.03, errorAtRest: 0.08, information };
const metric = { scale: 1, variance: 0, known: true };
const rows = (matrix: Float64Array): Matrix =>
  new Matrix(Array.from({ length: 6 }, (_, i) => [...matrix.subarray(6 * i, 6 * i + 6)]));

test('the covariance is the information turned round, wide where the images hold little', () => {
  const { covariance, length } = motionUncertainty(fit, metric);
  const expected = inverse(rows(information)).mul(200 * (Math.sqrt(Math.PI / 2) * 0.03) ** 2);
  for (let i = 0; i < 6; i++)
    for (let j = 0; j < 6; j++) {
      const floor = i === j ? (i < 3 ? 0.01 : 0.0009) ** 2 : 0;
      const size = Math.sqrt(expected.get(i, i) * expected.get(j, j));
      expect(Math.abs(covariance[6 * i + j] - floor - expected.get(i, j)) / size).toBeLessThan(0.01);
    }
  expect(covariance[14]).toBeGreaterThan(20 * covariance[7]);
  expect(length).toBe(0.3);
});

test('it grows as the fit gets worse, up to "anything", and is never zero', () => {
  const of = (error: number, share = 1): Float64Array =>
    motionUncertainty({ ...fit, error, information: information.map((value) => share * value) }, metric).covariance;
  for (let i = 0; i < 6; i++) {
    const floor = (i < 3 ? 0.01 : 0.0009) ** 2;
    expect(of(0.06)[7 * i] - floor).toBeGreaterThan(2 * (of(0.03)[7 * i] - floor));
    expect(of(0)[7 * i]).toBeGreaterThan(floor);
    // No pixel could be compared.
    expect(of(0, 0)[7 * i]).toBeCloseTo(i < 3 ? 100 : 1, 3);
  }
});

test("what is not known of the scale is beside the length's own error", () => {
  const [known, unknown] = [
    motionUncertainty(fit, { scale: 2, variance: 0.64, known: true }),
    motionUncertainty(fit, { scale: 1, variance: Infinity, known: false }),
  ];
  expect([known.length, known.scale]).toEqual([0.3, expect.closeTo(0.4, 9)]);
  expect([unknown.length, unknown.scale]).toEqual([0.3, 1]);
});
