import { quaternionFromRotation, rotationFromAxisAngle } from '../../../src/geometry/se3';
import type { EgoMotion, Odometry } from '../../../src/nodes/dashboard/received';
import { Trajectory } from '../../../src/nodes/dashboard/trajectory';

const header = { stamp: { sec: 1, nanosec: 0 }, frame_id: 'lens' };

interface Step {
  readonly ahead: number;
  /** Radians to the right. */
  readonly turn?: number;
  readonly scale?: number;
  readonly source?: number;
}

function motion({ ahead, turn = 0, scale = 1, source = 1 }: Step): EgoMotion {
  const [x, y, z, w] = quaternionFromRotation(rotationFromAxisAngle(0, turn, 0));
  return {
    header,
    pose: { pose: { position: { x: 0, y: 0, z: ahead }, orientation: { x, y, z, w } } },
    twist: { twist: { linear: { x: 0, y: 0, z: ahead * 10 } } },
    scale,
    scale_variance: 0.01,
    scale_source: source,
    quality: 0.5,
  };
}

function odometry(x: number, y: number): Odometry {
  const orientation = { x: 0, y: 0, z: 0, w: 1 };
  return {
    header: { ...header, frame_id: 'odom' },
    child_frame_id: 'base_link',
    pose: { pose: { position: { x, y, z: 0 }, orientation }, covariance: [] },
    twist: { twist: { linear: { x: 0, y: 0, z: 0 } } },
  };
}

function points(trajectory: Trajectory): number[][] {
  const values = new Float32Array(trajectory.points().slice().buffer);
  return Array.from({ length: values.length / 3 }, (_, i) => [...values.subarray(3 * i, 3 * i + 3)]);
}

test('ego-motions are chained, and turned to x ahead, y left, z up', () => {
  const trajectory = new Trajectory();
  trajectory.takeEgoMotion(motion({ ahead: 2 }));
  trajectory.takeEgoMotion(motion({ ahead: 2, turn: Math.PI / 2 }));
  trajectory.takeEgoMotion(motion({ ahead: 3 }));
  const [x, y, z] = points(trajectory).at(-1)!;
  expect([x, y, z].map((value) => Number(value.toFixed(5)))).toEqual([4, -3, 0].map((value) => value + 0)); // 3 to the right
  expect(trajectory).toMatchObject({ source: 'ego_motion', isMetric: false, frameId: 'start of lens' });
  expect(trajectory.length).toBeCloseTo(5, 6);
  expect(trajectory.speed).toBe(30);
});

test('what is metric begins anew: a path in two units is none', () => {
  const trajectory = new Trajectory();
  trajectory.takeEgoMotion(motion({ ahead: 2 }));
  trajectory.takeEgoMotion(motion({ ahead: 2, scale: 1.5, source: 2 }));
  trajectory.takeEgoMotion(motion({ ahead: 2, scale: 1.5, source: 2 }));
  expect(points(trajectory).at(-1)![0]).toBeCloseTo(4, 5);
  expect(trajectory).toMatchObject({ isMetric: true, speed: 20 });
});

test('a motion that is not known is no step', () => {
  const trajectory = new Trajectory();
  trajectory.takeEgoMotion(motion({ ahead: 2, source: 0 }));
  expect(trajectory.source).toBeUndefined();
  expect(points(trajectory)).toEqual([]);
});

test('odometry wins over chained motions, whenever it comes', () => {
  const trajectory = new Trajectory();
  trajectory.takeEgoMotion(motion({ ahead: 2 }));
  trajectory.takeOdometry(odometry(7, 8));
  trajectory.takeEgoMotion(motion({ ahead: 2 }));
  trajectory.takeOdometry(odometry(8, 8));
  expect(points(trajectory).at(-1)).toEqual([8, 8, 0]);
  expect(trajectory).toMatchObject({ source: 'odometry', frameId: 'odom', length: 1 });
  expect(() => trajectory.takeOdometry(odometry(NaN, 0))).toThrow('pose.position.x is NaN');
  expect(points(trajectory).at(-1)).toEqual([8, 8, 0]);
});

test('a motion that is none is refused by field, and the chain goes on from where it was', () => {
  const trajectory = new Trajectory();
  trajectory.takeEgoMotion(motion({ ahead: 2 }));
  const { pose, ...rest } = motion({ ahead: 1 });
  const { position, orientation } = pose.pose;
  const bad: [EgoMotion, string][] = [
    [
      { ...rest, pose: { pose: { position: { ...position, x: Infinity }, orientation } } },
      'pose.position.x is Infinity',
    ],
    [
      { ...rest, pose: { pose: { position, orientation: { ...orientation, w: NaN } } } },
      'pose.orientation is 0 0 0 NaN',
    ],
    [motion({ ahead: 1, scale: NaN }), 'scale is NaN'],
    [{ ...rest, pose, header: { ...header, stamp: { sec: -1, nanosec: 0 } } }, 'header.stamp is -1 s'],
  ];
  for (const [message, says] of bad) expect(() => trajectory.takeEgoMotion(message)).toThrow(says);
  trajectory.takeEgoMotion(motion({ ahead: 2 }));
  expect(points(trajectory).at(-1)![0]).toBeCloseTo(4, 5);
});

/** Every metre from one point to another on the x axis. */
function drive(trajectory: Trajectory, from: number, to: number): void {
  for (let x = from; x <= to; x++) trajectory.takeOdometry(odometry(x, 0));
}

test('an odometry that was reset is a new path: nobody went straight back', () => {
  const trajectory = new Trajectory();
  drive(trajectory, 0, 50);
  expect(trajectory.length).toBe(50);
  drive(trajectory, 0, 5);
  expect(trajectory.length).toBe(5);
  expect(points(trajectory)[0]).toEqual([0, 0, 0]);
  trajectory.takeOdometry(odometry(0, 0)); // soon after the last one
  expect(points(trajectory)).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
});

test('the same where the first messages after the reset were lost', () => {
  const trajectory = new Trajectory();
  drive(trajectory, 0, 50);
  drive(trajectory, 1, 5);
  expect(trajectory.length).toBe(4);
});

test('a leap that no vehicle makes is a new path, and so is another frame', () => {
  const trajectory = new Trajectory();
  drive(trajectory, 0, 50);
  trajectory.takeOdometry(odometry(500, 500));
  expect(trajectory.length).toBe(0);
  trajectory.takeOdometry(odometry(503, 504));
  expect(trajectory.length).toBe(5);
  trajectory.takeOdometry({ ...odometry(503, 505), header: { ...header, frame_id: 'map' } });
  expect(trajectory).toMatchObject({ length: 0, frameId: 'map' });
});

test('a path that was not looked at for a while goes on, and one back through the start as well', () => {
  const trajectory = new Trajectory();
  drive(trajectory, 0, 50);
  trajectory.interrupt();
  trajectory.takeOdometry(odometry(400, 0));
  trajectory.takeOdometry(odometry(401, 0));
  expect(trajectory.length).toBe(401);
  const loop = new Trajectory();
  for (let i = 0; i <= 300; i++)
    loop.takeOdometry(odometry(10 * Math.sin(i / 20) + 0.01, 10 * Math.cos(i / 20) - 10 + 0.01));
  expect(points(loop).length).toBeGreaterThan(300);
});

test('odometry that becomes metric begins anew', () => {
  const trajectory = new Trajectory();
  trajectory.takeEgoMotion(motion({ ahead: 1 }));
  drive(trajectory, 0, 10);
  expect(trajectory).toMatchObject({ source: 'odometry', isMetric: false, length: 10 });
  trajectory.takeEgoMotion(motion({ ahead: 1, scale: 1.5, source: 2 }));
  drive(trajectory, 11, 20);
  expect(trajectory).toMatchObject({ source: 'odometry', isMetric: true, length: 9 });
  expect(points(trajectory)[0]).toEqual([11, 0, 0]);
  trajectory.takeEgoMotion(motion({ ahead: 1, source: 0 })); // not known for a frame: the unit is the same
  trajectory.takeOdometry(odometry(21, 0));
  expect(trajectory.length).toBe(10);
});

test('a long path is thinned out; its ends stay', () => {
  const trajectory = new Trajectory();
  for (let i = 0; i <= 30_001; i++) trajectory.takeOdometry(odometry(i, 0));
  const path = points(trajectory);
  expect(path.length).toBeLessThanOrEqual(4002);
  expect(path.length).toBeGreaterThan(2000);
  expect(path[0]).toEqual([0, 0, 0]);
  expect(path.at(-1)).toEqual([30_001, 0, 0]);
  expect(trajectory.length).toBe(30_001);
});
