import { egoMotionMessage, unavailableEgoMotion } from '../../src/nodes/egoMotionMessage';
import type { Motion } from '../../src/odometry/odometry';

const header = { stamp: { sec: 11, nanosec: 0 }, frameId: 'lens' };
const previousStamp = { sec: 10, nanosec: 500_000_000 };
const covariance = new Float64Array(36);
for (let i = 0; i < 6; i++) covariance[7 * i] = 0.01 * (i + 1);
const uncertainty = { covariance, length: 0.1, scale: 0 };
const metric = { scale: 1.4, variance: 0.01, known: true };
const of = (motion: Motion, scale = metric, quality = 0.8) =>
  egoMotionMessage(header, { motion, previousStamp, quality, scale, scaleSource: 'velocity' });

test('twist is the pose over time, turned into the current frame', () => {
  // turned by 90 degrees about y (right, in an optical frame) after 2 metres along the old z
  const message = of({ vector: [0, 0, 2, 0, Math.PI / 2, 0], ...uncertainty });
  expect(Array.from(message.position)).toEqual([0, 0, 2]);
  const expected = { orientation: [0, Math.SQRT1_2, 0, Math.SQRT1_2], linear: [-4, 0, 0], angular: [0, Math.PI, 0] };
  for (const [field, values] of Object.entries(expected) as [keyof typeof expected, number[]][]) {
    values.forEach((value, i) => expect(message[field][i]).toBeCloseTo(value, 12));
  }
});

test('covariances hold the error of the length along the way, and those of the twist are turned with it', () => {
  const { poseCovariance, twistCovariance } = of({ vector: [0, 0, 2, 0, Math.PI / 2, 0], ...uncertainty });
  for (let i = 0; i < 6; i++)
    expect(poseCovariance[7 * i]).toBeCloseTo(covariance[7 * i] + (i === 2 ? (0.1 * 2) ** 2 : 0), 12);
  // What was along z is now along -x; per half a second.
  expect(twistCovariance[0]).toBeCloseTo(4 * poseCovariance[14], 12);
  expect(twistCovariance[7 * 3]).toBeCloseTo(4 * poseCovariance[35], 12);
});

test('two images of a burst tell how the camera moved, not how fast', () => {
  const motion = { vector: [0, 0, 2, 0, 0.1, 0], ...uncertainty };
  const estimate = { motion, quality: 0.8, scale: metric, scaleSource: 'velocity' } as const;
  for (const [nanosec, told] of [
    [999_000_000, false], // a millisecond before
    [994_000_000, true],
  ] as const) {
    const message = egoMotionMessage(header, { ...estimate, previousStamp: { sec: 10, nanosec } });
    expect(Array.from(message.position)).toEqual([0, 0, 2]);
    expect(message.poseCovariance[0]).toBeLessThan(1);
    expect([...Array.from(message.linear), ...Array.from(message.angular)].some((value) => value !== 0)).toBe(told);
    for (let i = 0; i < 6; i++) expect(message.twistCovariance[7 * i] >= 1e6).toBe(!told);
  }
});

test('the scale is named by its source once it is known', () => {
  const motion = { vector: [0, 0, 1, 0, 0, 0], ...uncertainty };
  expect(of(motion)).toMatchObject({ scale: 1.4, scaleVariance: 0.01, scaleSource: 2, quality: 0.8 });
  const unknown = { scale: 1, variance: Infinity, known: false };
  expect(of(motion, unknown)).toMatchObject({ scale: 1, scaleVariance: Infinity, scaleSource: 1 });
  expect(of(motion, metric, NaN).quality).toBe(0);
});

test('an unknown motion has no number that looks like one', () => {
  const message = unavailableEgoMotion(header, undefined, metric);
  const { position, poseCovariance, scaleSource, quality } = message;
  expect([...Array.from(position), scaleSource, quality]).toEqual([0, 0, 0, 0, 0]);
  for (let i = 0; i < 6; i++) expect(poseCovariance[7 * i]).toBeGreaterThanOrEqual(1e6);
  // Its depth was multiplied by it all the same.
  expect(message).toMatchObject({ scale: 1.4, scaleVariance: 0.01 });
});
