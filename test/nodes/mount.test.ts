import { compose, identity, type Se3 } from '../../src/geometry/se3';
import { OPTICAL_IN_BODY } from '../../src/odometry/childFrame';
import { Mount } from '../../src/nodes/mount';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';

test('looked up until it is known, then kept for its camera; after a reset it is looked up anew', () => {
  let known: Se3 | undefined;
  const asked: string[] = [];
  const mount = new Mount('base_link', (frame, within) => {
    asked.push(`${frame} in ${within}`);
    return known;
  });
  expect(mount.of('front')).toBeUndefined();
  known = identity();
  expect([mount.of('front'), mount.of('front')]).toEqual([known, known]);
  expect(asked).toEqual(['front in base_link', 'front in base_link']);
  known = { ...identity(), translation: Float64Array.of(1, 0, 0) };
  expect(mount.of('front')).not.toBe(known);
  mount.forget();
  expect(mount.of('front')).toBe(known);
  expect(mount.of('rear')).toBe(known);
});

/** Turned about the base's y by so many degrees: pitched down. */
function pitched(degrees: number): Se3 {
  const [c, s] = [Math.cos, Math.sin].map((of) => of((degrees * Math.PI) / 180));
  return { ...identity(), rotation: Float64Array.of(c, 0, s, 0, 1, 0, -s, 0, c) };
}

test.each<[string, boolean, Se3]>([
  ["a camera's body", true, identity()],
  ["a body's, pitched down by 30 degrees", true, pitched(30)],
  ['the optical one of a camera that looks ahead', false, OPTICAL_IN_BODY],
  ['the optical one, pitched down by 30 degrees', false, compose(pitched(30), OPTICAL_IN_BODY)],
  ['the optical one, pitched up by 50 degrees', false, compose(pitched(-50), OPTICAL_IN_BODY)],
  ['the optical one of a camera that looks straight down', false, compose(pitched(90), OPTICAL_IN_BODY)],
])('images in the frame of %s: said to be none of an optical frame is %p, once', (_, wanted, pose) => {
  const warnings: string[] = [];
  const logger = { info: () => undefined, warn: (text: string) => warnings.push(text), error: () => undefined };
  const mount = new Mount('base_link', () => pose, new ThrottledLog(logger));
  for (let i = 0; i < 3; i++) {
    expect(mount.of('front')).toBe(pose);
    mount.forget();
  }
  const text = 'front looks like a body frame (z up): header.frame_id of images should be the optical frame (REP 103)';
  expect(warnings).toEqual(wanted ? [text] : []);
});
