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

export type TrajectorySource = 'odometry' | 'ego_motion';

export interface ScaleState {
  readonly source: number;
  readonly scale: number;
  readonly variance: number;
  readonly quality: number;
  /** Metres per second where metric, else units of the depth map. */
  readonly speed: number;
}

export class Trajectory {
  /** Of what has come; odometry once it has. */
  source: TrajectorySource | undefined;
  frameId = '';
  /** Points are metres; else the depth map's units. */
  isMetric = false;
  scale: ScaleState | undefined;
  /** Counts changes. */
  version = 0;
  #points: number[] = [];
  #every = 1;
  #skipped = 0;
  #length = 0;
  #last: readonly [number, number, number] | undefined;
  #pose: Se3 = identity();

  /** Of the path, every step counted. */
  get length(): number {
    return this.#length;
  }

  /** Throws RangeError, and changes nothing, where the message is no odometry. */
  takeOdometry({ header, pose }: Odometry): void {
    checkHeader({ stamp: header.stamp, frameId: header.frame_id });
    checkVector('pose.position', pose.pose.position);
    if (this.source !== 'odometry') this.#begin('odometry');
    this.frameId = header.frame_id;
    const { x, y, z } = pose.pose.position;
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
    const speed = Math.hypot(linear.x, linear.y, linear.z);
    this.scale = { source: scale_source, scale, variance: scale_variance, quality, speed };
    if (scale_source === SCALE_UNAVAILABLE) return;
    const isNewUnit = isMetric !== this.isMetric;
    this.isMetric = isMetric;
    if (this.source === 'odometry') return;
    if (!this.source || isNewUnit) this.#begin('ego_motion'); // a path in two units would be none
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
  }

  /** [x, y, z] of every point, as float32. */
  points(): Uint8Array {
    const { buffer } = Float32Array.from(this.#last ? [...this.#points, ...this.#last] : this.#points);
    return new Uint8Array(buffer);
  }

  #begin(source: TrajectorySource): void {
    this.source = source;
    this.#points = [];
    this.#every = 1;
    this.#skipped = 0;
    this.#length = 0;
    this.#last = undefined;
    this.#pose = identity();
  }

  #add(x: number, y: number, z: number): void {
    if (this.#last) this.#length += Math.hypot(x - this.#last[0], y - this.#last[1], z - this.#last[2]);
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
