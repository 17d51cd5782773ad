/** The vehicle's speed at a camera frame's time, from a twist or an odometry topic. */
import type { OwnEnd } from './ros/topicFaults';

const REMEMBERED = 200;
/** m/s; nothing that carries a camera and a network is faster, and the scale would follow it. */
const FASTEST = 1000;
/** rad/s; a faster one is taken for not known. */
const FASTEST_TURN = 100;

/** rad/s, up to which every place on the vehicle is taken to have its speed: a metre off the axis .2 m/s are added, mostly across. */
const STRAIGHT = 0.2;

const NONE: ArrayLike<number> = [0, 0, 0];

/** Of a camera at a time. */
export interface SpeedAtTime {
  /** m/s */
  readonly speed: number;
  /** rad/s, about whichever axis; undefined where it is not known. */
  readonly turn: number | undefined;
}

interface Measured {
  readonly stamp: number;
  readonly linear: ArrayLike<number>;
  /** Undefined where it is not known. */
  readonly angular: ArrayLike<number> | undefined;
  /** Whether they are in the vehicle's axes. */
  readonly isOwn: boolean;
}

/** tf1 wrote frames with a slash in front, and some drivers still do. */
const plain = (frame: string): string => frame.replace(/^\//, '');

export class VehicleSpeed {
  /** Measurements taken. */
  received = 0;
  /** Seconds from a frame to the nearest measurement, at most. */
  readonly nearest = 0.2;
  /** Where they come from. */
  readonly subscriptions: OwnEnd[] = [];
  readonly #measured: Measured[] = [];

  /** @param baseFrame whose speed it is; empty where nobody says */
  constructor(private readonly baseFrame = '') {}

  /** Whether a velocity in this frame is in the vehicle's axes: one that names none is, one in a world's axes or of another part of it is not. */
  isOwn(frameId: string): boolean {
    return frameId === '' || plain(frameId) === plain(this.baseFrame);
  }

  /**
   * Throws RangeError where the velocity is none.
   *
   * @param linear m/s
   * @param angular rad/s; not finite where it is not known
   * @param frameId in whose axes both are
   */
  add(stamp: number, linear: ArrayLike<number>, angular: ArrayLike<number> = NONE, frameId = ''): void {
    const speed = Math.hypot(linear[0], linear[1], linear[2]);
    const bad = ['x', 'y', 'z'].findIndex((_, i) => !Number.isFinite(linear[i]));
    if (bad >= 0) throw new RangeError(`twist.linear.${'xyz'[bad]} is ${linear[bad]}`);
    if (speed > FASTEST) throw new RangeError(`twist.linear is ${speed} m/s, more than ${FASTEST}`);
    const turn = Math.hypot(angular[0], angular[1], angular[2]);
    this.received++;
    const isOwn = this.isOwn(frameId);
    this.#measured.push({ stamp, linear, angular: turn <= FASTEST_TURN ? angular : undefined, isOwn });
    if (this.#measured.length > REMEMBERED) this.#measured.shift();
  }

  /** m/s, of a camera whose place on the vehicle is not known: undefined also where a turn is told that makes other places faster or slower. */
  anywhere(stamp: number): number | undefined {
    const { speed, turn = 0 } = this.at(stamp) ?? {};
    return turn > STRAIGHT ? undefined : speed;
  }

  /**
   * Of a camera at `lever` (metres, in the vehicle's axes: it moves by v + w x l); undefined where nothing was measured near the time. Of a velocity
   * in other axes only the length is taken: the lever's place in them is not known.
   */
  at(stamp: number, lever: ArrayLike<number> = NONE): SpeedAtTime | undefined {
    let [found, nearest] = [undefined as Measured | undefined, this.nearest];
    for (const one of this.#measured) {
      const distance = Math.abs(one.stamp - stamp);
      if (distance > nearest) continue;
      [found, nearest] = [one, distance];
    }
    if (!found) return undefined;
    const { linear: v, angular, isOwn } = found;
    const w = (isOwn && angular) || NONE;
    const speed = Math.hypot(
      v[0] + w[1] * lever[2] - w[2] * lever[1],
      v[1] + w[2] * lever[0] - w[0] * lever[2],
      v[2] + w[0] * lever[1] - w[1] * lever[0],
    );
    return { speed, turn: angular && Math.hypot(angular[0], angular[1], angular[2]) };
  }
}
