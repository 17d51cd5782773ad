/** A vehicle's speed and pose at the moments its camera took images, out of messages at other moments. */
import { axisAngleFromRotation, compose, inverse, rotationFromAxisAngle, type Se3 } from '../../geometry/se3';

/** Samples further apart than this, in seconds, are not interpolated between. */
const GAP = 1;

export interface Motion {
  /** Metres per second. */
  readonly speed: number;
  readonly pose?: Se3;
}

export interface MotionSample extends Motion {
  readonly stamp: number;
}

/** `share` of the way from a to b: positions on a line, orientations by the shortest turn (slerp). */
export function interpolatePose(a: Se3, b: Se3, share: number): Se3 {
  const [x, y, z] = axisAngleFromRotation(compose(inverse(a), b).rotation);
  const turn: Se3 = {
    rotation: rotationFromAxisAngle(share * x, share * y, share * z),
    translation: new Float64Array(3),
  };
  return {
    rotation: compose(a, turn).rotation,
    translation: a.translation.map((value, k) => value + share * (b.translation[k] - value)),
  };
}

/** The motion at `stamp`, not later than `after`; undefined where the two are too far apart or do not enclose it. */
function interpolate(before: MotionSample, after: MotionSample, stamp: number): Motion | undefined {
  const gap = after.stamp - before.stamp;
  if (stamp === after.stamp) return after;
  if (stamp < before.stamp || gap > GAP) return undefined;
  const share = (stamp - before.stamp) / gap;
  return {
    speed: before.speed + share * (after.speed - before.speed),
    pose: before.pose && after.pose && interpolatePose(before.pose, after.pose, share),
  };
}

/** Motions around the stamps that are asked for, which grow: what lies behind them is forgotten. */
export class MotionTrack {
  #samples: MotionSample[] = [];

  add(sample: MotionSample): void {
    this.#samples.push(sample);
  }

  get end(): number {
    return this.#samples.at(-1)?.stamp ?? -Infinity;
  }

  at(stamp: number): Motion | undefined {
    const after = this.#samples.findIndex((sample) => sample.stamp >= stamp);
    if (after < 0) return undefined;
    const motion = interpolate(this.#samples[Math.max(0, after - 1)], this.#samples[after], stamp);
    this.#samples = this.#samples.slice(Math.max(0, after - 1));
    return motion;
  }
}
