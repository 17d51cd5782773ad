/** The vehicle's speed at a camera frame's time, from a twist or an odometry topic. */
import type { OwnEnd } from './ros/topicFaults';

const REMEMBERED = 200;
/** m/s; nothing that carries a camera and a network is faster, and the scale would follow it. */
const FASTEST = 1000;
/** rad/s; a faster one is taken for not known. */
const FASTEST_TURN = 100;

const NONE: ArrayLike<number> = [0, 0, 0];

interface Measured {
  readonly stamp: number;
  readonly linear: ArrayLike<number>;
  readonly angular: ArrayLike<number>;
}

export class VehicleSpeed {
  /** Measurements taken. */
  received = 0;
  /** Seconds from a frame to the nearest measurement, at most. */
  readonly nearest = 0.2;
  /** Where they come from. */
  readonly subscriptions: OwnEnd[] = [];
  readonly #measured: Measured[] = [];

  /**
   * Throws RangeError where the velocity is none.
   *
   * @param linear m/s, in the axes of the vehicle
   * @param angular rad/s, likewise; not finite where it is not known
   */
  add(stamp: number, linear: ArrayLike<number>, angular: ArrayLike<number> = NONE): void {
    const speed = Math.hypot(linear[0], linear[1], linear[2]);
    const bad = ['x', 'y', 'z'].findIndex((_, i) => !Number.isFinite(linear[i]));
    if (bad >= 0) throw new RangeError(`twist.linear.${'xyz'[bad]} is ${linear[bad]}`);
    if (speed > FASTEST) throw new RangeError(`twist.linear is ${speed} m/s, more than ${FASTEST}`);
    const turn = Math.hypot(angular[0], angular[1], angular[2]);
    this.received++;
    this.#measured.push({ stamp, linear, angular: turn <= FASTEST_TURN ? angular : NONE });
    if (this.#measured.length > REMEMBERED) this.#measured.shift();
  }

  /** m/s, of a camera at `lever` (metres, in the vehicle's axes: it moves by v + w x l); undefined where nothing was measured near the time. */
  at(stamp: number, lever: ArrayLike<number> = NONE): number | undefined {
    let [found, nearest] = [undefined as Measured | undefined, this.nearest];
    for (const one of this.#measured) {
      const distance = Math.abs(one.stamp - stamp);
      if (distance > nearest) continue;
      [found, nearest] = [one, distance];
    }
    if (!found) return undefined;
    const { linear: v, angular: w } = found;
    return Math.hypot(
      v[0] + w[1] * lever[2] - w[2] * lever[1],
      v[1] + w[2] * lever[0] - w[0] * lever[2],
      v[2] + w[0] * lever[1] - w[1] * lever[0],
    );
  }
}
