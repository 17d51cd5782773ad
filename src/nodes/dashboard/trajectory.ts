/** The path the camera went: depth_node's odometry where there is one, else its ego-motions chained. */
import { compose, identity, rotationFromQuaternion, type Se3 } from '../../geometry/se3';
import { checkHeader } from '../ros/cdr';
import { SCALE_CODES, SCALE_UNAVAILABLE } from '../ros/messages';
import type { EgoMotion, Odometry } from './received';

/** Points kept; when there are more, every second one goes. */
const MOST_POINTS = 4000;
const QUATERNION_TOLERANCE = 1e-2;
const LARGEST_SOURCE = Math.max(...Object.values(SCALE_CODES));

/** Metres or units of the depth map, from the start and per second: beyond it numbers are none. */
const FARTHEST = 1e9;
/** Metres, or units of a car's order: no vehicle goes so far between two messages. */
const LONGEST_STEP = 100;
/** No farther from it is the origin itself, where an odometry begins; what is estimated is never exactly there again. */
const AT_ORIGIN = 1e-6;
/** Steps this many times as long as the longest before are none. */
const LEAP = 3;

type Point = readonly [number, number, number];

export type TrajectorySource = 'odometry' | 'ego_motion';

export class Trajectory {
  /** Of what has come; odometry once it has. */
  source: TrajectorySource | undefined;
  frameId = '';
  /** By the last motion: metres per second where metric, else units of the depth map. */
  speed: number | undefined;
  /** Counts changes. */
  version = 0;
  #points: number[] = [];
  #every = 1;
  #skipped = 0;
  #length = 0;
  #last: Point | undefined;
  #pose: Se3 = identity();
  /** Of this path. */
  #longestStep = 0;
  /** Messages were not heard since the last one. */
  #isResumed = false;
  /** Undefined until a motion was heard. */
  #isMetric: boolean | undefined;

  /** Points are metres; else the depth map's units. */
  get isMetric(): boolean {
    return this.#isMetric ?? false;
  }

  /** Of the path, every step counted. */
  get length(): number {
    return this.#length;
  }

  /** Throws RangeError, and changes nothing, where the message is no odometry. */
  takeOdometry({ header, pose }: Odometry): void {
    checkHeader({ stamp: header.stamp, frameId: header.frame_id });
    checkVector('pose.position', pose.pose.position);
    const { x, y, z } = pose.pose.position;
    const isSame = this.source === 'odometry' && this.frameId === header.frame_id;
    if (!isSame || this.#isElsewhere([x, y, z])) this.#begin('odometry');
    this.frameId = header.frame_id;
    this.#add(x, y, z);
  }

  /** Throws RangeError, and changes nothing, where the message is no motion: one that is not finite would stay in the chain for good. */
  takeEgoMotion({ header, pose, twist, scale, scale_variance, scale_source, quality }: EgoMotion): void {
    const { linear } = twist.twist;
    const { position, orientation } = pose.pose;
    checkHeader({ stamp: header.stamp, frameId: header.frame_id });
    checkVector('pose.position', position);
    checkVector('twist.linear', linear);
    const { x, y, z, w } = orientation;
    if (!(Math.abs(Math.hypot(x, y, z, w) - 1) <= QUATERNION_TOLERANCE))
      throw new RangeError(`pose.orientation is ${x} ${y} ${z} ${w}, which is no rotation`);
    if (!(scale > 0 && scale <= FARTHEST)) throw new RangeError(`scale is ${scale}`);
    if (!(scale_variance >= 0)) throw new RangeError(`scale_variance is ${scale_variance}`);
    if (!(quality >= 0 && quality <= 1)) throw new RangeError(`quality is ${quality}`);
    if (scale_source > LARGEST_SOURCE) throw new RangeError(`scale_source is ${scale_source}`);
    const isMetric = scale_source !== SCALE_UNAVAILABLE && scale_source !== SCALE_CODES.none;
    this.speed = Math.hypot(linear.x, linear.y, linear.z);
    if (scale_source === SCALE_UNAVAILABLE) return;
    const isNewUnit = this.#isMetric !== undefined && isMetric !== this.#isMetric;
    this.#isMetric = isMetric;
    if (!this.source || isNewUnit) this.#begin(this.source ?? 'ego_motion'); // a path in two units would be none
    if (this.source === 'odometry') return;
    this.frameId = `start of ${header.frame_id}`;
    this.#pose = compose(this.#pose, {
      rotation: rotationFromQuaternion([x, y, z, w]),
      translation: Float64Array.of(position.x, position.y, position.z),
    });
    // From the optical frame's axes to x ahead, y left, z up (REP 103), as odometry has them.
    const [right, down, ahead] = this.#pose.translation;
    this.#add(ahead, -right, -down);
  }

  /** Motions from here on are not heard: a chain of them has to begin anew, odometry does not. */
  interrupt(): void {
    if (this.source === 'ego_motion') this.source = undefined;
    this.speed = undefined;
    this.#isResumed = true;
  }

  /** [x, y, z] of every point, as float32. */
  points(): Uint8Array {
    const { buffer } = Float32Array.from(this.#last ? [...this.#points, ...this.#last] : this.#points);
    return new Uint8Array(buffer);
  }

  /** The odometry has begun anew (~/reset, a depth_node started again) or was set: from the last point to this one nobody went. */
  #isElsewhere(point: Point): boolean {
    if (!this.#last) return false;
    const step = distance(point, this.#last);
    const fromOrigin = Math.hypot(...point);
    if (fromOrigin <= AT_ORIGIN && step > AT_ORIGIN) return true;
    // The first messages after a new begin may be lost.
    if (fromOrigin <= this.#longestStep && step > LEAP * this.#longestStep) return true;
    return step > LONGEST_STEP && !this.#isResumed;
  }

  #begin(source: TrajectorySource): void {
    this.source = source;
    this.#points = [];
    this.#every = 1;
    this.#skipped = 0;
    this.#length = 0;
    this.#last = undefined;
    this.#longestStep = 0;
    this.#pose = identity();
  }

  #add(x: number, y: number, z: number): void {
    if (this.#last) {
      const step = distance([x, y, z], this.#last);
      this.#length += step;
      if (!this.#isResumed) this.#longestStep = Math.max(this.#longestStep, step);
    }
    this.#isResumed = false;
    this.#last = [x, y, z];
    this.version++;
    if (++this.#skipped < this.#every) return;
    this.#skipped = 0;
    this.#points.push(x, y, z);
    if (this.#points.length <= 3 * MOST_POINTS) return;
    this.#points = this.#points.filter((_, i) => Math.floor(i / 3) % 2 === 0);
    this.#every *= 2;
  }
}

function checkVector(field: string, vector: Odometry['pose']['pose']['position']): void {
  for (const axis of ['x', 'y', 'z'] as const)
    if (!(Math.abs(vector[axis]) <= FARTHEST)) throw new RangeError(`${field}.${axis} is ${vector[axis]}`);
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
