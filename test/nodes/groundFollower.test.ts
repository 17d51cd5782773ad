import { GroundFollower } from '../../src/nodes/groundFollower';

const intrinsics = { width: 96, height: 64, fx: 80, fy: 80, cx: 47.5, cy: 25 };

/** Road 1.5 units under a level camera, sky above. */
const road = Float32Array.from({ length: 96 * 64 }, (_, i) => {
  const slope = (Math.floor(i / 96) - intrinsics.cy) / intrinsics.fy;
  return slope > 0.08 ? 1.5 / slope : Infinity;
});
const wall = new Float32Array(96 * 64).fill(2);

test('a ground that is hidden for a moment is that of the frames before, but not found', () => {
  const follower = new GroundFollower();
  expect(follower.see(wall, intrinsics, 9)).toEqual({ found: undefined, plane: undefined });
  const { found, plane } = follower.see(road, intrinsics, 10);
  expect(found?.height).toBeCloseTo(1.5, 3);
  expect(plane).toBe(found);
  expect(follower.see(wall, intrinsics, 10.9)).toEqual({ found: undefined, plane: found });
  expect(follower.see(wall, intrinsics, 11.1)).toEqual({ found: undefined, plane: undefined });
  // A clock that was set back makes nothing last longer.
  follower.see(road, intrinsics, 12);
  expect(follower.see(wall, intrinsics, 3).plane).toBeUndefined();
});
