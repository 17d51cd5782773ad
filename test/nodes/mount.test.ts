import { identity, type Se3 } from '../../src/geometry/se3';
import { Mount } from '../../src/nodes/mount';

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
