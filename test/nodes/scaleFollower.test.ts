import { fitGroundPlane } from '../../src/odometry/groundPlane';
import { ScaleFollower, type ScaleEvidence } from '../../src/nodes/scaleFollower';

const FRAME = 0.1;
const intrinsics = { width: 96, height: 64, fx: 80, fy: 80, cx: 47.5, cy: 25 };
const SLOPE = 0.08;

/** Road `height` units under a level camera, sky above. */
function road(height: number): Float32Array {
  return Float32Array.from({ length: 96 * 64 }, (_, i) => {
    const slope = (Math.floor(i / 96) - intrinsics.cy) / intrinsics.fy;
    return slope > SLOPE ? height / slope : Infinity;
  });
}

function follow(
  follower: ScaleFollower,
  frames: number,
  evidence: (frame: number) => Partial<ScaleEvidence>,
): number[] {
  return Array.from({ length: frames }, (_, frame) => {
    follower.add({ stamp: frame, seconds: FRAME, way: undefined, groundHeight: undefined, ...evidence(frame) });
    return follower.scale.scale;
  });
}

test('speed: the way by the speed over the way by the images, of a second each', () => {
  const parameters = { scaleSource: 'velocity', fixedScale: 1, cameraHeight: 0, leastSpeed: 1 } as const;
  let speed: number | undefined = 15;
  const follower = new ScaleFollower(parameters, { at: () => speed });
  // Ways of single frames are off by a half, up and down.
  const noisy = (frame: number): Partial<ScaleEvidence> => ({
    way: { length: (15 * FRAME * (frame % 2 ? 1.5 : 0.5)) / 2.5, seconds: FRAME },
  });
  follow(follower, 19, noisy);
  expect(follower.scale).toMatchObject({ scale: 1, known: false });
  follow(follower, 1, () => noisy(19));
  expect(follower.scale).toMatchObject({ known: true, scale: expect.closeTo(2.5, 3) as number });
  const { variance } = follower.scale;
  follow(follower, 100, noisy);
  expect(follower.scale.variance).toBeLessThan(variance);
  // Standing it stays as it is: the scene does. Too slow to measure, or without a speed, it is less and less sure.
  speed = 0.01;
  const kept = follower.scale;
  follow(follower, 50, noisy);
  expect(follower.scale).toEqual(kept);
  for (const unusable of [0.3, undefined]) {
    const before = follower.scale;
    speed = unusable;
    follow(follower, 50, noisy);
    expect(follower.scale.scale).toBe(before.scale);
    expect(follower.scale.variance).toBeGreaterThan(before.variance);
  }
  expect(follower.sinceMeasured).toBeCloseTo(15, 6);
});

test('camera height: the known height over that above the ground in the map, whatever the unit of the map', () => {
  for (const height of [0.5, 0.003, 400]) {
    const follower = new ScaleFollower(
      { scaleSource: 'camera_height', fixedScale: 1, cameraHeight: 1.5, leastSpeed: 1 },
      undefined,
    );
    follow(follower, 80, () => ({ groundHeight: fitGroundPlane(road(height), intrinsics)?.height }));
    expect(follower.scale.known).toBe(true);
    expect((follower.scale.scale * height) / 1.5).toBeCloseTo(1, 2);
  }
});

test('fixed: known at once, and live; none: never', () => {
  const parameters = { scaleSource: 'fixed' as const, fixedScale: 1.7, cameraHeight: 0, leastSpeed: 1 };
  const follower = new ScaleFollower(parameters, undefined);
  expect(follower.scale).toMatchObject({ scale: 1.7, known: true });
  expect(follower.scale.variance).toBeGreaterThan(0);
  parameters.fixedScale = 2;
  expect(follower.scale.scale).toBe(2);
  const none = new ScaleFollower({ scaleSource: 'none', fixedScale: 1.7, cameraHeight: 0, leastSpeed: 1 }, undefined);
  follow(none, 30, () => ({ groundHeight: 0.5 }));
  expect(none.scale).toEqual({ scale: 1, variance: Infinity, known: false });
});
