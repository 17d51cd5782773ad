import { Mount } from '../../src/nodes/mount';
import { Navigator } from '../../src/nodes/navigation';
import { CdrWriter } from '../../src/nodes/ros/cdr';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';
import type { NavigationParameters } from '../../src/nodes/navigationParameters';
import { VehicleSpeed } from '../../src/nodes/vehicleSpeed';
import { identity } from '../../src/geometry/se3';
import type { Scale } from '../../src/odometry/scaleFilter';

const intrinsics = { width: 96, height: 64, fx: 80, fy: 80, cx: 47.5, cy: 25 };
const depth = new Float32Array(96 * 64).fill(NaN);

const parameters: NavigationParameters = {
  publishOdometry: false,
  publishTf: false,
  odomFrame: 'odom',
  baseFrame: '',
  scaleSource: 'camera_height',
  fixedScale: 1,
  cameraHeight: 1.5,
  leastSpeed: 0.2,
  speedTopics: { twist: '', odometry: '' },
};

/** Nobody listens, but those counted here. */
function navigatorWith(
  parameters: NavigationParameters,
  mount: Mount,
  speed?: VehicleSpeed,
  listeners = { odometry: 0, points: 0 },
): Navigator {
  const silent = {
    topic: '',
    get subscriptionCount() {
      return listeners.odometry;
    },
    publish: () => undefined,
    waitForAllAcked: () => true,
  };
  const write = (): void => undefined;
  return new Navigator({
    parameters,
    publishers: { odometry: silent, tf: undefined },
    givesPoints: () => listeners.points > 0,
    speed,
    mount,
    owners: undefined,
    log: new ThrottledLog({ info: write, warn: write, error: write }),
  });
}

/** A camera that sees the ground half a unit below it in every frame. */
class Drive {
  readonly #cdr = new CdrWriter();
  readonly #navigator: Navigator;

  constructor() {
    this.#navigator = navigatorWith(parameters, new Mount('', () => undefined));
    for (let frame = 0; frame < 80; frame++) this.move(100 + Math.floor(frame / 10), (frame % 10) * 1e8);
  }

  scaleOf(model = 'a model'): Scale {
    return this.#navigator.scaleOf(model);
  }

  /** Level and message of /diagnostics. */
  get status(): readonly [number, string] {
    const { level, message } = this.#navigator.status();
    return [level, message];
  }

  isMeasured(): boolean {
    return this.#navigator.isMeasured(this.scaleOf());
  }

  move(sec: number, nanosec: number, groundHeight: number | undefined = 0.5): void {
    const header = { stamp: { sec, nanosec }, frameId: 'camera' };
    const motion = { groundHeight, vector: undefined, previousStamp: undefined };
    this.#navigator.move({ header, depth, intrinsics, scale: this.scaleOf(), ...motion }, this.#cdr);
  }
}

test('one stamp of another year makes the scale a little less sure, not unknown', () => {
  const drive = new Drive();
  const before = drive.scaleOf();
  expect(before).toMatchObject({ known: true, scale: expect.closeTo(3, 1) as number });
  drive.move(2_000_000_000, 0);
  const after = drive.scaleOf();
  // A pause of a minute's drift: .03^2 x 60 of ln(scale).
  expect(after.known).toBe(true);
  expect(after.variance - before.variance).toBeLessThan(before.scale ** 2 * 0.06);
});

test('without a source of the scale, what is taken for metres is warned of as long as it goes out; what says its unit is not', () => {
  const listeners = { odometry: 0, points: 0 };
  const wanted = { ...parameters, scaleSource: 'none' as const, publishOdometry: true };
  const said = (changed: Partial<NavigationParameters> = {}): readonly [number, string] => {
    const mount = new Mount('', () => undefined);
    const { level, message } = navigatorWith({ ...wanted, ...changed }, mount, undefined, listeners).status();
    return [level, message];
  };
  const fine = [0, 'no metric scale wanted'];
  const warned = [1, "~/odometry, tf and ~/points are in the model's unit, not in metres: set scale_source"];
  expect(said()).toEqual(fine);
  expect(said({ publishTf: true })).toEqual(warned);
  listeners.odometry = 1;
  expect([said(), said({ publishOdometry: false })]).toEqual([warned, fine]);
  Object.assign(listeners, { odometry: 0, points: 1 });
  expect(said()).toEqual(warned);
  expect(said({ scaleSource: 'fixed' })).toEqual([0, '1 unit is 1.000 m']);
});

test('another model leaves the scale where it is, and makes it less sure', () => {
  const drive = new Drive();
  const before = drive.scaleOf();
  drive.scaleOf('another model');
  drive.move(108, 0);
  const after = drive.scaleOf('another model');
  expect(Math.abs(after.scale / before.scale - 1)).toBeLessThan(0.01);
  expect(after.variance - before.variance).toBeGreaterThan(before.scale ** 2 * 0.15 ** 2 * 0.9);
});

test('a scale that was measured long ago is said to be unsure; points wait for it only once the model has changed besides, and a measurement mends it', () => {
  const drive = new Drive();
  const drift = (from: number, to: number, step = 1): void => {
    for (let sec = from; sec < to; sec += step) drive.move(sec, 0, NaN); // no ground is like a height that is none
  };
  expect(drive.status).toEqual([0, expect.stringContaining('1 unit is 3.')]);
  drift(108, 250);
  expect(drive.isMeasured()).toBe(true);
  expect(drive.status).toEqual([
    1,
    expect.stringMatching(/^the metric scale is known to 4\d % only, last measured 14\d s ago$/),
  ]);
  drift(250, 36_000, 50); // parked overnight
  expect(drive.isMeasured()).toBe(true);
  expect(drive.status[1]).toMatch(/^the metric scale is known to 45 % only, last measured 358\d\d s ago$/);
  for (const model of ['second', 'third', 'fourth', 'fifth', 'sixth', 'a model']) drive.scaleOf(model);
  drift(36_000, 36_001);
  expect(drive.isMeasured()).toBe(false);
  expect(drive.status[1]).toMatch(
    /^the metric scale is known to 5\d % only, last measured 358\d\d s ago: ~\/points wait$/,
  );
  for (let sec = 36_001; sec < 36_011; sec++) drive.move(sec, 0);
  expect(drive.isMeasured()).toBe(true);
  expect(drive.status[0]).toBe(0);
});

const wall = new Float32Array(96 * 64).fill(5);
const image = Uint8Array.from({ length: 96 * 64 * 3 }, (_, i) => (37 * i) % 251);

test('before a wall, where no ground is seen, a camera that the images say stands keeps its scale; one that turns there does not', () => {
  const navigator = navigatorWith(parameters, new Mount('', () => undefined));
  const cdr = new CdrWriter();
  let shown = 0;
  const see = (frames: number, groundHeight: number | undefined, [z, turn]: readonly number[]): Scale => {
    for (const end = shown + frames; shown < end; shown++) {
      const [before, stamp] = [shown - 1, shown].map((i) => ({
        sec: 50 + Math.floor(i / 10),
        nanosec: (i % 10) * 1e8,
      }));
      navigator.see(image, 64, 96);
      const scale = navigator.scaleOf('a model');
      const motion = { vector: [0, 0, z * scale.scale, 0, turn, 0], previousStamp: shown > 0 ? before : undefined };
      const header = { stamp, frameId: 'camera' };
      const depth = wall.map((value) => value * scale.scale);
      navigator.move({ header, depth, intrinsics, scale, groundHeight, ...motion }, cdr);
    }
    return navigator.scaleOf('a model');
  };
  const kept = see(501, 0.5, [1, 0]); // whole seconds: the first has none before it
  expect(kept).toMatchObject({ known: true, scale: expect.closeTo(3, 6) as number });
  expect(see(100, undefined, [0.001, 0])).toEqual(kept);
  const turned = see(100, undefined, [0.001, 0.01]);
  expect(turned.variance / turned.scale ** 2 - kept.variance / kept.scale ** 2).toBeCloseTo(0.03 ** 2 * 10, 6);
});

describe('the speed of a camera a metre ahead of the axis', () => {
  const mountedAhead = { ...identity(), translation: Float64Array.of(1, 0, 0) };
  const asked: string[] = [];
  const mount = (): Mount =>
    new Mount('base_link', (frame, within) => {
      asked.push(`${frame} in ${within}`);
      return mountedAhead;
    });
  beforeEach(() => void asked.splice(0));

  /** A vehicle at 1 m/s that turns left by .5 rad/s, and a camera that says 1 unit/s, at 10 frames/s. */
  function drive(speed: VehicleSpeed, velocity: readonly number[], frameId: string): number {
    const navigator = navigatorWith({ ...parameters, scaleSource: 'velocity', baseFrame: 'base_link' }, mount(), speed);
    const [cdr, stampOf] = [
      new CdrWriter(),
      (i: number) => ({ sec: 50 + Math.floor(i / 10), nanosec: (i % 10) * 1e8 }),
    ];
    for (let i = 0; i < 100; i++) {
      speed.add(50 + i / 10 - 0.05, velocity, [0, 0, 0.5], frameId);
      navigator.see(image, 64, 96);
      const scale = navigator.scaleOf('a model');
      navigator.move(
        {
          header: { stamp: stampOf(i), frameId: 'camera' },
          depth: wall.map((z) => z * scale.scale),
          intrinsics,
          scale,
          groundHeight: undefined,
          vector: i > 0 ? [0, 0, 0.1 * scale.scale, 0, -0.05, 0] : undefined,
          previousStamp: i > 0 ? stampOf(i - 1) : undefined,
        },
        cdr,
      );
    }
    return navigator.scaleOf('a model').scale;
  }

  test('is that of the axis and what the turn adds, in the middle between two frames', () => {
    const calls: [number, readonly number[]][] = [];
    class Told extends VehicleSpeed {
      override at(stamp: number, lever: ArrayLike<number>): ReturnType<VehicleSpeed['at']> {
        calls.push([stamp, Array.from(lever)]);
        return super.at(stamp, lever);
      }
    }
    expect(drive(new Told('base_link'), [1, 0, 0], 'base_link')).toBeCloseTo(Math.hypot(1, 0.5), 3);
    expect(calls).toHaveLength(100);
    expect(calls[0]).toEqual([50, [1, 0, 0]]); // of no other frame before it
    expect(calls[37]).toEqual([expect.closeTo(53.65, 6), [1, 0, 0]]);
    expect(asked).toEqual(['camera in base_link']);
  });

  test("is the velocity's length where that is in a world's axes", () => {
    expect(drive(new VehicleSpeed('base_link'), [0, 1, 0], 'map')).toBeCloseTo(1, 3);
  });

  test('is nobody to be asked for by another source of the scale: the mount is looked up when the odometry begins', () => {
    const navigator = navigatorWith({ ...parameters, baseFrame: 'base_link' }, mount());
    const header = { stamp: { sec: 1, nanosec: 0 }, frameId: 'camera' };
    const moved = { groundHeight: 0.5, vector: undefined, previousStamp: undefined };
    navigator.move({ header, depth, intrinsics, scale: navigator.scaleOf('a model'), ...moved }, new CdrWriter());
    expect(asked).toEqual([]);
  });
});
