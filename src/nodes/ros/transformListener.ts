/** What /tf_static and /tf say of where frames are. */
import { qos, type Qos, type RosNode, type Subscription } from './rclnodejs';
import type { ThrottledLog } from './throttledLog';
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
        for (const transform of readTransforms(message)) {
          tree.add(transform);
          heard(transform, isStatic);
        }
      } catch (error) {
        log.warn(topic, `${topic}: message ignored: ${(error as Error).message}`);
      }
    });
  return {
    tree,
    subscriptions: [listen('/tf_static', qos('reliable', 100, true), true), listen('/tf', qos('reliable', 100), false)],
  };
}
