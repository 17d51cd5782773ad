/** What /tf_static and /tf say of where frames are. */
import { qos, type Qos, type RosNode, type Subscription } from './rclnodejs';
import type { ThrottledLog } from './throttledLog';
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
        for (const transform of readTransforms(message)) {
          const fault = tree.add(transform);
          if (fault)
            log.warnOnce(`tf ${fault}`, `${topic}: frames ${fault} are ignored; the first: ${transform.child}`);
        }
      } catch (error) {
        log.warn(topic, `${topic}: message ignored: ${(error as Error).message}`);
      }
    });
  return {
    tree,
    subscriptions: [listen('/tf_static', qos('reliable', 100, true)), listen('/tf', qos('reliable', 100))],
  };
}
