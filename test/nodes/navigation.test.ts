import { Navigator } from '../../src/nodes/navigation';
import { CdrWriter } from '../../src/nodes/ros/cdr';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';

const intrinsics = { width: 96, height: 64, fx: 80, fy: 80, cx: 47.5, cy: 25 };

/** Road half a unit under a level camera, sky above. */
const road = (scale: number): Float32Array =>
  Float32Array.from({ length: 96 * 64 }, (_, i) => {
    const slope = (Math.floor(i / 96) - intrinsics.cy) / intrinsics.fy;
    return slope > 0.08 ? (scale * 0.5) / slope : Infinity;
  });

test('one stamp of another year makes the scale a little less sure, not unknown', () => {
  const silent = { topic: '', subscriptionCount: 0, publish: () => undefined, waitForAllAcked: () => true };
  const write = (): void => undefined;
  const navigator = new Navigator({
    parameters: {
      publishOdometry: false,
      publishTf: false,
      odomFrame: 'odom',
      baseFrame: '',
      scaleSource: 'camera_height',
      fixedScale: 1,
      cameraHeight: 1.5,
      speedTopics: { twist: '', odometry: '' },
    },
    publishers: { odometry: silent, tf: undefined },
    speed: undefined,
    findTransform: () => undefined,
    log: new ThrottledLog({ info: write, warn: write, error: write }),
  });
  const cdr = new CdrWriter();
  const move = (sec: number, nanosec: number): void => {
    const { scale } = navigator;
    const header = { stamp: { sec, nanosec }, frameId: 'camera' };
    const motion = { vector: undefined, previousStamp: undefined };
    navigator.move({ header, depth: road(scale.scale), intrinsics, scale, ...motion }, cdr);
  };
  for (let frame = 0; frame < 80; frame++) move(100 + Math.floor(frame / 10), (frame % 10) * 1e8);
  const before = navigator.scale;
  expect(before).toMatchObject({ known: true, scale: expect.closeTo(3, 1) as number });
  move(2_000_000_000, 0);
  // A pause of a minute's drift: .03^2 x 60 of ln(scale).
  expect(navigator.scale.known).toBe(true);
  expect(navigator.scale.variance - before.variance).toBeLessThan(before.scale ** 2 * 0.06);
});
