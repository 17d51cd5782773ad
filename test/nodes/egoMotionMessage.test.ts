import { egoMotionMessage, unavailableEgoMotion } from '../../src/nodes/egoMotionMessage';

const header = { stamp: { sec: 11, nanosec: 0 }, frameId: 'lens' };
const previousStamp = { sec: 10, nanosec: 500_000_000 };

test('twist is the pose over time, turned into the current frame', () => {
  // turned by 90 degrees about y (right, in an optical frame) after 2 units along the old z
  const motion = [0, 0, 2, 0, Math.PI / 2, 0];
  const message = egoMotionMessage(header, { motion, previousStamp, quality: 1 });
  expect(Array.from(message.position)).toEqual([0, 0, 2]);
  const expected = { orientation: [0, Math.SQRT1_2, 0, Math.SQRT1_2], linear: [-4, 0, 0], angular: [0, Math.PI, 0] };
  for (const [field, values] of Object.entries(expected) as [keyof typeof expected, number[]][]) {
    values.forEach((value, i) => expect(message[field][i]).toBeCloseTo(value, 12));
  }
});

test('covariances have no zero on the diagonal and grow as quality falls', () => {
  const of = (quality: number, motion = [0, 0, 0, 0, 0, 0]) =>
    egoMotionMessage(header, { motion, previousStamp, quality });
  for (let i = 0; i < 6; i++) {
    expect(of(1).poseCovariance[i * 7]).toBeGreaterThan(0);
    expect(of(0.5).poseCovariance[i * 7]).toBeCloseTo(4 * of(1).poseCovariance[i * 7], 12);
    expect(of(0.5).twistCovariance[i * 7]).toBeCloseTo(4 * of(0.5).poseCovariance[i * 7], 12); // dt is half a second
    expect(Number.isFinite(of(0).poseCovariance[i * 7])).toBe(true);
    expect(unavailableEgoMotion(header, undefined).poseCovariance[i * 7]).toBeGreaterThan(of(0).poseCovariance[i * 7]);
  }
  expect(of(NaN)).toEqual(of(0)); // a network's NaN does not reach the covariances
  expect(of(1, [0, 0, 10, 0, 0, 0]).poseCovariance[0]).toBeGreaterThan(of(1).poseCovariance[0]);
});
