import { Mount } from '../../src/nodes/mount';
import type { NavigationParameters } from '../../src/nodes/navigationParameters';
import { OdometryTopic } from '../../src/nodes/odometryTopic';
import { CdrReader, CdrWriter, type Time } from '../../src/nodes/ros/cdr';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';
import { Odometry } from '../../src/odometry/odometry';
import type { MotionEstimate } from '../../src/odometry/visualOdometry';

const parameters: NavigationParameters = {
  publishOdometry: true,
  publishTf: false,
  odomFrame: 'odom',
  baseFrame: '',
  scaleSource: 'none',
  fixedScale: 1,
  cameraHeight: 0,
  leastSpeed: 0.2,
  speedTopics: { twist: '', odometry: '' },
};
const covariance = new Float64Array(36);
for (let i = 0; i < 6; i++) covariance[7 * i] = 1e-4;
/** Half a metre ahead, every thirtieth of a second: 15 m/s. */
const estimate: MotionEstimate = {
  vector: [0, 0, 0.5, 0, 0, 0],
  covariance,
  length: 0,
  scale: 0,
  fit: { pixels: 0, error: 0, errorAtRest: 0, information: new Float64Array(36) },
};
const time = (seconds: number): Time => ({ sec: Math.floor(seconds), nanosec: Math.round((seconds % 1) * 1e9) });

/** Frames of a camera, each with its motion from the one before; where the odometry says it is after each, in metres ahead. */
class Camera {
  readonly warnings: string[] = [];
  readonly ahead: number[] = [];
  readonly #topic: OdometryTopic;
  readonly #odometry = new Odometry();
  readonly #cdr = new CdrWriter();
  #previous: Time | undefined;

  constructor() {
    const publish = (message: Buffer): void => {
      const cdr = new CdrReader(message);
      cdr.header();
      cdr.string(); // child_frame_id
      this.ahead.push(cdr.float64s(3)[0]); // x of a body's axes
    };
    const write = (): void => undefined;
    this.#topic = new OdometryTopic({
      parameters,
      publishers: {
        odometry: { topic: '', subscriptionCount: 1, publish, waitForAllAcked: () => true },
        tf: undefined,
      },
      mount: new Mount('', () => undefined),
      owners: undefined,
      log: new ThrottledLog({ info: write, warn: (text) => this.warnings.push(text), error: write }),
    });
  }

  get fault(): string {
    return this.#topic.fault;
  }

  see(seconds: number, frameId = 'camera'): void {
    expect(this.#topic.wantsMotion).toBe(true);
    const stamp = time(seconds);
    const frame = {
      header: { stamp, frameId },
      previousStamp: this.#previous,
      vector: estimate.vector,
      depth: new Float32Array(),
      intrinsics: undefined,
      scale: { scale: 1, variance: Infinity, known: false },
      groundHeight: undefined,
    };
    this.#previous = stamp;
    this.#topic.follow(frame, frame.previousStamp && estimate, this.#odometry, this.#cdr);
  }
}

test('a clock that is set back moves the odometry by a frame, not by half a second of driving', () => {
  const camera = new Camera();
  for (const seconds of [100, 100.0333, 100.0667]) camera.see(seconds);
  expect(camera.ahead[2]).toBeCloseTo(1);
  for (const seconds of [99.9667, 100, 100.0333]) camera.see(seconds); // by .1 s
  // The frame whose stamp went back waits; the one after it brings its own motion, and that from the frame before is taken for one of the same.
  expect(camera.ahead).toHaveLength(5);
  expect(camera.ahead[3]).toBeCloseTo(2, 2);
  expect(camera.ahead[4]).toBeCloseTo(2.5, 2);
});

test('images of another frame_id do not go into a pose that is in the axes of the first', () => {
  const camera = new Camera();
  for (const seconds of [100, 100.0333, 100.0667]) camera.see(seconds, 'front');
  camera.see(100.1, 'rear');
  expect(camera.ahead).toHaveLength(3);
  expect(camera.fault).toMatch(
    /it began with images of frame "front", now they are of frame "rear": ~\/reset begins it anew/,
  );
  expect(camera.warnings.join()).toContain('no odometry: it began with images of frame "front"');
  camera.see(100.1333, 'front');
  expect(camera.fault).toBe('');
  expect(camera.ahead).toHaveLength(4);
});
