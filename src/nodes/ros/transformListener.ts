/** What /tf_static and /tf say of where frames are. */
import { qos, type Qos, type RosNode, type Subscription } from './rclnodejs';
import { warnIgnored, type ThrottledLog } from './throttledLog';
import { readTransforms, TransformTree } from './transforms';

export interface TransformListener {
  readonly tree: TransformTree;
  readonly subscriptions: readonly Subscription[];
}

export function listenToTransforms(node: RosNode, log: ThrottledLog): TransformListener {
  const tree = new TransformTree();
  const listen = (topic: string, quality: Qos): Subscription =>
    node.createSubscription('tf2_msgs/msg/TFMessage', topic, { qos: quality, isRaw: true }, (message) => {
      try {
        const { transforms, faults } = readTransforms(message);
        const lost = transforms.map((transform) => tree.add(transform));
        for (const fault of [...faults, ...lost]) if (fault) warnIgnored(log, topic, fault, 'transform ignored');
      } catch (error) {
        warnIgnored(log, topic, error as Error);
      }
    });
  return {
    tree,
    subscriptions: [listen('/tf_static', qos('reliable', 100, true)), listen('/tf', qos('reliable', 100))],
  };
}
