/** What /tf_static and /tf say of where frames are. */
import { qos, type Qos, type RosNode, type Subscription } from './rclnodejs';
import { warnIgnored, type ThrottledLog } from './throttledLog';
import { readTransforms, TransformTree, type Transform } from './transforms';

export interface TransformListener {
  readonly tree: TransformTree;
  readonly subscriptions: readonly Subscription[];
}

/** @param heard every transform, after it is in the tree */
export function listenToTransforms(
  node: RosNode,
  log: ThrottledLog,
  heard: (transform: Transform, isStatic: boolean) => void,
): TransformListener {
  const tree = new TransformTree();
  const listen = (topic: string, quality: Qos, isStatic: boolean): Subscription =>
    node.createSubscription('tf2_msgs/msg/TFMessage', topic, { qos: quality, isRaw: true }, (message) => {
      try {
        const { transforms, faults } = readTransforms(message);
        for (const fault of faults) warnIgnored(log, topic, fault, 'transform ignored');
        for (const transform of transforms) {
          const fault = tree.add(transform);
          if (fault) warnIgnored(log, topic, fault, 'transform ignored');
          else heard(transform, isStatic);
        }
      } catch (error) {
        warnIgnored(log, topic, error as Error);
      }
    });
  return {
    tree,
    subscriptions: [listen('/tf_static', qos('reliable', 100, true), true), listen('/tf', qos('reliable', 100), false)],
  };
}
