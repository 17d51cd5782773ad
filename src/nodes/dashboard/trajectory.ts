/** The path the camera went: depth_node's odometry where there is one, else its ego-motions chained. */
import { compose, identity, rotationFromQuaternion, type Se3 } from '../../geometry/se3';
import { SCALE_CODES, SCALE_UNAVAILABLE } from '../ros/messages';
import type { EgoMotion, Odometry } from './received';

/** Points kept; when there are more, every second one goes. */
const MOST_POINTS = 4000;

export type TrajectorySource = 'odometry' | 'ego_motion';

export class Trajectory {
  /** Of what has come; odometry once it has. */
  source: TrajectorySource | undefined;
  frameId = '';
  /** Points are metres; else the depth map's units. */
  isMetric = false;
  /** By the last motion: metres per second where metric, else units of the depth map. */
  speed: number | undefined;
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

  takeOdometry({ header, pose }: Odometry): void {
    if (this.source !== 'odometry') this.#begin('odometry');
    this.frameId = header.frame_id;
    const { x, y, z } = pose.pose.position;
    this.#add(x, y, z);
  }

  takeEgoMotion({ header, pose, twist, scale_source }: EgoMotion): void {
    const { linear } = twist.twist;
    const isMetric = scale_source !== SCALE_UNAVAILABLE && scale_source !== SCALE_CODES.none;
    this.speed = Math.hypot(linear.x, linear.y, linear.z);
    if (scale_source === SCALE_UNAVAILABLE) return;
    const isNewUnit = isMetric !== this.isMetric;
    this.isMetric = isMetric;
    if (this.source === 'odometry') return;
    if (!this.source || isNewUnit) this.#begin('ego_motion'); // a path in two units would be none
    this.frameId = `start of ${header.frame_id}`;
    const { position, orientation } = pose.pose;
    const { x, y, z, w } = orientation;
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
    if (!Number.isFinite(x + y + z)) return;
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
