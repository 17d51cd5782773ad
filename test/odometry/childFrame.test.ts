import { compose, fromVector6, inverse, toVector6, type Se3 } from '../../src/geometry/se3';
import { odometryOfChild } from '../../src/odometry/childFrame';

const pose = fromVector6([3, -0.4, 8, 0.1, 0.6, -0.05]);
/** A camera two metres before and above the base, looking forward and a little down. */
const mount = compose(
  { rotation: Float64Array.of(0, 0, 1, -1, 0, 0, 0, -1, 0), translation: Float64Array.of(2, 0.1, 1.5) },
  fromVector6([0, 0, 0, -0.1, 0, 0]),
);
const rate = Float64Array.of(0.1, 0, 9, 0, 0.3, 0);
const diagonal = (values: readonly number[]): Float64Array =>
  Float64Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? values[i / 7] : 0));
const covariance = diagonal([0.01, 0.02, 0.03, 0.04, 0.05, 0.06]);
const camera = { pose, covariance, twist: { rate, covariance: diagonal([0.04, 0.01, 0.09, 0.001, 0.002, 0.003]) } };

/** The pose with small errors of the camera's: translation, then rotation about the odometry's axes. */
function shifted(errors: number[]): Se3 {
  const turn = fromVector6([0, 0, 0, ...errors.slice(3)]);
  const turned = compose(turn, { ...pose, translation: new Float64Array(3) });
  return { rotation: turned.rotation, translation: pose.translation.map((value, i) => value + errors[i]) };
}

/** Numeric Jacobian of the child's pose errors by those of the camera's. */
function numeric(mounted: Se3 | undefined): number[][] {
  const step = 1e-6;
  const of = (errors: number[]): Se3 => odometryOfChild({ ...camera, pose: shifted(errors) }, mounted).pose;
  const middle = of([0, 0, 0, 0, 0, 0]);
  return [0, 1, 2, 3, 4, 5].map((j) => {
    const moved = of([0, 1, 2, 3, 4, 5].map((i) => (i === j ? step : 0)));
    const still = { ...inverse({ ...middle, translation: new Float64Array(3) }), translation: new Float64Array(3) };
    const turn = compose({ ...moved, translation: new Float64Array(3) }, still);
    const way = [0, 1, 2].map((i) => (moved.translation[i] - middle.translation[i]) / step);
    return [...way, ...[...toVector6(turn).subarray(3)].map((value) => value / step)];
  });
}

test.each([
  ['of a base it is mounted on', mount],
  ['of its own optical frame', undefined],
])('the covariance %s is carried as finite differences have it', (_, mounted) => {
  const columns = numeric(mounted);
  const { covariance: got } = odometryOfChild(camera, mounted);
  for (let i = 0; i < 6; i++)
    for (let j = 0; j < 6; j++) {
      const expected = columns.reduce((sum, column, k) => sum + column[i] * covariance[7 * k] * column[j], 0);
      expect(got[6 * i + j]).toBeCloseTo(expected, 5);
    }
});

test('the base starts at the origin, and its pose is its twist over time', () => {
  const start = odometryOfChild({ ...camera, pose: fromVector6([0, 0, 0, 0, 0, 0]) }, mount);
  for (const value of toVector6(start.pose)) expect(value).toBeCloseTo(0, 12);
  const dt = 1e-5;
  const moved = compose(pose, fromVector6(rate.map((value) => value * dt)));
  const { pose: before, rate: twist } = odometryOfChild(camera, mount);
  const { pose: after } = odometryOfChild({ ...camera, pose: moved }, mount);
  const motion = toVector6(compose(inverse(before), after));
  for (let i = 0; i < 6; i++) expect(motion[i] / dt).toBeCloseTo(twist[i], 3);
});

test('without a mount forward is x and up is z', () => {
  const ahead = odometryOfChild({ ...camera, pose: fromVector6([1, 2, 5, 0, 0, 0]) }, undefined);
  expect([...ahead.pose.translation]).toEqual([5, -1, -2]);
  // The child is the optical frame: its own axes stay optical.
  expect([...ahead.rate]).toEqual([...rate]);
});
