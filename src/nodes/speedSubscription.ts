/** The topics that tell the vehicle's speed. */
import { checkHeader, stampSeconds } from './ros/cdr';
import { readOdometryTwist, readTwistStamped } from './ros/messages';
import { overriddenQos } from './ros/qosOverrides';
import { qos, type RosNode } from './ros/rclnodejs';
import { warnIgnored, type ThrottledLog } from './ros/throttledLog';
import { VehicleSpeed } from './vehicleSpeed';

const SOURCES = {
  twist: { type: 'geometry_msgs/msg/TwistStamped', read: readTwistStamped },
  odometry: { type: 'nav_msgs/msg/Odometry', read: readOdometryTwist },
} as const;

const foreignFrame = (frameId: string, baseFrame: string): string =>
  `the velocity is in frame ${frameId}, not in base_frame ${baseFrame}: its length is taken for the camera's speed, without what a turn adds off the axis; right for a camera's own odometry, else give one in ${baseFrame}`;

/**
 * Follows the topics that are named.
 *
 * @param baseFrame in whose axes a velocity has to be where the camera's place on the vehicle is reckoned with; empty where it is not
 */
export function subscribeSpeed(
  node: RosNode,
  topics: Readonly<Record<keyof typeof SOURCES, string>>,
  log: ThrottledLog,
  baseFrame = '',
): VehicleSpeed {
  const speed = new VehicleSpeed(baseFrame);
  for (const kind of ['twist', 'odometry'] as const) {
    if (topics[kind] === '') continue;
    const { type, read } = SOURCES[kind];
    const wanted = overriddenQos(node, 'subscription', topics[kind], qos('best_effort', 10));
    const { topic } = node.createSubscription(type, topics[kind], { qos: wanted, isRaw: true }, (message) => {
      try {
        const { header, frameId, linear, angular } = read(message);
        checkHeader(header);
        speed.add(stampSeconds(header.stamp), linear, angular, frameId);
        if (baseFrame !== '' && !speed.isOwn(frameId))
          log.warnOnce(`${topic} frame`, `${topic}: ${foreignFrame(frameId, baseFrame)}`);
      } catch (error) {
        warnIgnored(log, topic, error as Error);
      }
    });
    speed.subscriptions.push({ topic, type, qos: wanted, what: 'speed' });
  }
  return speed;
}
