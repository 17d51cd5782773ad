import type { DepthParameters } from './depthParameters';
import { Mount } from './mount';
import { Navigator } from './navigation';
import { qos, type Publisher, type RosNode } from './ros/rclnodejs';
import type { ThrottledLog } from './ros/throttledLog';
import { listenToTransforms } from './ros/transformListener';
import { TransformOwners } from './transformOwners';
import { subscribeSpeed } from './speedSubscription';

/** The navigator of a node, with the topics it needs by its parameters. */
export function createNavigator(
  node: RosNode,
  depth: Pick<DepthParameters, 'navigation' | 'publishPoints'>,
  { odometry, points }: { readonly odometry: Publisher; readonly points: Publisher },
  log: ThrottledLog,
): Navigator {
  const { navigation: parameters } = depth;
  const { publishTf, baseFrame, scaleSource, speedTopics } = parameters;
  const owners = publishTf ? new TransformOwners() : undefined;
  const listens = baseFrame !== '' || owners;
  const frames = listens ? listenToTransforms(node, log, (one, isStatic) => owners?.heard(one, isStatic)) : undefined;
  return new Navigator({
    parameters,
    publishers: {
      odometry,
      tf: publishTf ? node.createPublisher('tf2_msgs/msg/TFMessage', '/tf', { qos: qos('reliable', 100) }) : undefined,
    },
    givesPoints: () => depth.publishPoints && points.subscriptionCount > 0,
    speed: scaleSource === 'velocity' ? subscribeSpeed(node, speedTopics, log, baseFrame) : undefined,
    owners,
    mount: new Mount(baseFrame, (frame, within) => frames?.tree.find(frame, within), log),
    log,
  });
}
