import { identity } from '../../src/geometry/se3';
import { TransformOwners } from '../../src/nodes/transformOwners';

const header = (sec: number, frameId = 'odom') => ({ stamp: { sec, nanosec: 0 }, frameId });
const heard = (sec: number, parent = 'odom', child = 'base_link') => ({
  header: header(sec, parent),
  child,
  pose: identity(),
});

test('own transforms that come back are no other owner; those of somebody else are, until they stop', () => {
  jest.useFakeTimers({ now: 0 });
  const owners = new TransformOwners();
  owners.heard(heard(1), false); // before anything is known of an own one
  for (let sec = 1; sec <= 300; sec++) {
    owners.sent(header(sec), 'base_link');
    owners.heard(heard(sec), false);
  }
  owners.heard(heard(299, 'base_link', 'camera'), true);
  expect(owners.fault).toBe('');
  owners.heard(heard(7), false);
  expect(owners.fault).toMatch(/another node publishes odom -> base_link on \/tf:/);
  jest.advanceTimersByTime(5001);
  expect(owners.fault).toBe('');
  owners.heard(heard(300, 'map'), false);
  expect(owners.fault).toMatch(/another node publishes map -> base_link/);
  jest.useRealTimers();
});

test('a parent on /tf_static, heard before the first own transform, stays', () => {
  const owners = new TransformOwners();
  owners.heard(heard(0, 'mast', 'camera'), true);
  expect(owners.fault).toBe('');
  owners.sent(header(1), 'camera');
  expect(owners.fault).toMatch(/another node publishes mast -> camera on \/tf_static/);
});

test('somebody who stamps by the same images is another owner: an own transform comes back once', () => {
  const owners = new TransformOwners();
  owners.sent(header(1), 'base_link');
  owners.sent(header(2), 'base_link');
  for (const sec of [2, 1]) owners.heard(heard(sec), false);
  expect(owners.fault).toBe('');
  owners.heard(heard(2), false);
  expect(owners.fault).toMatch(/another node publishes odom -> base_link on \/tf:/);
});
