/** The vehicle's speed at a camera frame's time, from a twist or an odometry topic. */
import { checkHeader, stampSeconds } from './ros/cdr';
import { readOdometryTwist, readTwistStamped } from './ros/messages';
import { overriddenQos } from './ros/qosOverrides';
import { qos, type RosNode } from './ros/rclnodejs';
import { warnIgnored, type ThrottledLog } from './ros/throttledLog';
import type { OwnEnd } from './ros/topicFaults';

const REMEMBERED = 200;
/** m/s; nothing that carries a camera and a network is faster, and the scale would follow it. */
const FASTEST = 1000;

export class VehicleSpeed {
  /** Measurements taken. */
  received = 0;
  /** Seconds from a frame to the nearest measurement, at most. */
  readonly nearest = 0.2;
  /** Where they come from. */
  readonly subscriptions: OwnEnd[] = [];
  readonly #measured: { stamp: number; speed: number }[] = [];

  /** Throws RangeError where the velocity is none. */
  add(stamp: number, linear: ArrayLike<number>): void {
    const speed = Math.hypot(linear[0], linear[1], linear[2]);
    const bad = ['x', 'y', 'z'].findIndex((_, i) => !Number.isFinite(linear[i]));
    if (bad >= 0) throw new RangeError(`twist.linear.${'xyz'[bad]} is ${linear[bad]}`);
    if (speed > FASTEST) throw new RangeError(`twist.linear is ${speed} m/s, more than ${FASTEST}`);
    this.received++;
    this.#measured.push({ stamp, speed });
    if (this.#measured.length > REMEMBERED) this.#measured.shift();
  }

  /** m/s; undefined where nothing was measured near the time. */
  at(stamp: number): number | undefined {
    let [speed, nearest] = [undefined as number | undefined, this.nearest];
    for (const one of this.#measured) {
      const distance = Math.abs(one.stamp - stamp);
      if (distance > nearest) continue;
      [speed, nearest] = [one.speed, distance];
    }
    return speed;
  }
}

const SOURCES = {
  twist: { type: 'geometry_msgs/msg/TwistStamped', read: readTwistStamped },
  odometry: { type: 'nav_msgs/msg/Odometry', read: readOdometryTwist },
} as const;

/** Follows the topics that are named. */
export function subscribeSpeed(
  node: RosNode,
  topics: Readonly<Record<keyof typeof SOURCES, string>>,
  log: ThrottledLog,
): VehicleSpeed {
  const speed = new VehicleSpeed();
  for (const kind of ['twist', 'odometry'] as const) {
    if (topics[kind] === '') continue;
    const { type, read } = SOURCES[kind];
    const wanted = overriddenQos(node, 'subscription', topics[kind], qos('best_effort', 10));
    const { topic } = node.createSubscription(type, topics[kind], { qos: wanted, isRaw: true }, (message) => {
      try {
        const { header, linear } = read(message);
        checkHeader(header);
        speed.add(stampSeconds(header.stamp), linear);
      } catch (error) {
        warnIgnored(log, topic, error as Error);
      }
    });
    speed.subscriptions.push({ topic, type, qos: wanted, what: 'speed' });
  }
  return speed;
}
