import { fitGroundPlane } from '../../src/odometry/groundPlane';
import { ScaleFollower, type ScaleEvidence } from '../../src/nodes/scaleFollower';
import type { SpeedAtTime } from '../../src/nodes/vehicleSpeed';

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
  const follower = new ScaleFollower(parameters, {
    at: () => (speed === undefined ? undefined : { speed, turn: 0 }),
  });
  // Ways of single frames are off by a half, up and down.
  const noisy = (frame: number): Partial<ScaleEvidence> => ({
    way: { length: (15 * FRAME * (frame % 2 ? 1.5 : 0.5)) / 2.5, angle: 0, seconds: FRAME },
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

describe('who stands sees the same scene, and the scale stays as sure as it was', () => {
  const parameters = { scaleSource: 'velocity', fixedScale: 1, cameraHeight: 0, leastSpeed: 0.2 } as const;
  const parked = { length: 0.0003, angle: 0.0001, seconds: FRAME }; // by the images, of a scale of 2
  interface Case {
    readonly said?: SpeedAtTime;
    readonly way?: ScaleEvidence['way'];
    readonly seconds?: number;
  }
  const grows = ({ said, way, seconds = FRAME }: Case): boolean => {
    let speed: SpeedAtTime | undefined = { speed: 4, turn: 0 };
    const follower = new ScaleFollower(parameters, { at: () => speed });
    follow(follower, 40, () => ({ way: { length: 2 * FRAME, angle: 0, seconds: FRAME } }));
    expect(follower.scale).toMatchObject({ known: true, scale: expect.closeTo(2, 6) as number });
    const { variance } = follower.scale;
    speed = said;
    follow(follower, 25, () => ({ way, seconds }));
    return follower.scale.variance > variance;
  };
  const still = 0.001;
  test.each<[string, boolean, Case]>([
    ['a wheel that stands, nothing seen', false, { said: { speed: 0.01, turn: still } }],
    ['a wheel that stands, a lorry that passes', false, { said: { speed: 0, turn: 0 }, way: { ...parked, length: 1 } }],
    ['no speed, images that stand', false, { way: parked }],
    ['images that are the very same', false, { way: { ...parked, length: 0, angle: 0 } }],
    ['noise of GNSS, images that stand', false, { said: { speed: 0.1, turn: undefined }, way: parked }],
    ['no speed, nothing seen', true, {}],
    ['no speed, images that move by .06 m/s', true, { way: { ...parked, length: 0.003 } }],
    ['noise of GNSS, nothing seen', true, { said: { speed: 0.1, turn: 0 } }],
    [
      'images that stand before a wheel that drives',
      true,
      { said: { speed: 4, turn: 0 }, way: { ...parked, length: 0 } },
    ],
    ['a wheel that stands, and says that it turns', true, { said: { speed: 0, turn: 0.3 }, way: parked }],
    ['a wheel that stands, images that turn', true, { said: { speed: 0, turn: 0 }, way: { ...parked, angle: 0.03 } }],
    ['images that turn on the spot', true, { way: { ...parked, angle: 0.03 } }],
    ['a wheel that stands, and whether it turns nobody says', true, { said: { speed: 0, turn: undefined } }],
    ['a wheel that stands after a gap', true, { said: { speed: 0, turn: 0 }, seconds: 5 }],
    ['two images of one stamp', true, { way: { ...parked, seconds: 0 } }],
    ['a clock that goes back between two images', true, { way: { ...parked, seconds: -FRAME } }],
  ])('%s: less sure is %p', (_, wanted, one) => expect(grows(one)).toBe(wanted));
});

test('four measurements that agree on another scale are measurements: it was last measured then', () => {
  const parameters = { scaleSource: 'velocity', fixedScale: 1, cameraHeight: 0, leastSpeed: 0.2 } as const;
  const follower = new ScaleFollower(parameters, { at: () => ({ speed: 4, turn: 0 }) });
  const drive = (seconds: number, scale: number): unknown =>
    follow(follower, 10 * seconds, () => ({ way: { length: (4 * FRAME) / scale, angle: 0, seconds: FRAME } }));
  drive(20, 2);
  drive(3, 20);
  expect(follower.sinceMeasured).toBeCloseTo(3, 6);
  drive(1, 20);
  expect(follower.counts).toMatchObject({ outliers: 4, restarts: 1 });
  expect(follower.sinceMeasured).toBe(0);
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

test('fixed: of the model it was set for; another one makes it as unsure as models differ, until it is set anew or that model is back', () => {
  const parameters = {
    scaleSource: 'fixed' as const,
    fixedScale: 2,
    fixedScaleSetting: {},
    cameraHeight: 0,
    leastSpeed: 1,
  };
  const follower = new ScaleFollower(parameters, undefined);
  const said = (model: string): [number, boolean] => {
    follower.useModel(model);
    const { scale, variance } = follower.scale;
    return [Math.sqrt(variance) / scale, follower.isOfOtherModel];
  };
  const sure = [expect.closeTo(0.01, 9), false];
  const unsure = [expect.closeTo(Math.hypot(0.01, 0.15), 9), true];
  expect([said('factory'), said('factory')]).toEqual([sure, sure]);
  expect([said('adapted'), said('adapted'), said('adapted again')]).toEqual([unsure, unsure, unsure]);
  expect(said('factory')).toEqual(sure);
  expect(said('adapted')).toEqual(unsure);
  parameters.fixedScaleSetting = {}; // checked, and found right
  expect([follower.isOfOtherModel, said('adapted')]).toEqual([false, sure]);
  expect(said('factory')).toEqual(unsure);
  const follows = new ScaleFollower({ ...parameters, scaleSource: 'velocity' }, undefined);
  ['factory', 'adapted'].forEach((model) => follows.useModel(model));
  expect(follows.isOfOtherModel).toBe(false);
});
