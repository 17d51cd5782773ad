import { cameraInfoFault, cameraInfoOfImage, siblingCameraInfo } from './cameraInfo';
import { readCameraInfo, type CameraInfoMessage } from './messages';
import { qos, rclnodejs, type Reliability, type RosNode, type Subscription } from './rclnodejs';
import type { ThrottledLog } from './throttledLog';

/** Follows camera_info: the topic it was remapped to, else the sibling of the image topic. Returns the latest usable one, as that of the image. */
export function subscribeCameraInfo(
  node: RosNode,
  reliability: Reliability,
  imageTopic: string,
  log: ThrottledLog,
): () => CameraInfoMessage | undefined {
  let latest: CameraInfoMessage | undefined;
  let latestBytes: Buffer | undefined;
  let topic = '';
  const STAMP_END = 12; // encapsulation header and stamp: all that changes from one message to the next

  const receive = (message: Buffer): void => {
    if (latestBytes && message.subarray(STAMP_END).equals(latestBytes.subarray(STAMP_END))) return;
    latestBytes = message; // of a faulty one too: an uncalibrated camera is one warning, not one every few seconds
    try {
      const info = readCameraInfo(message);
      const fault = cameraInfoFault(info);
      if (fault) throw new RangeError(fault);
      if (!latest) node.getLogger().info(`${topic}: camera_info of a ${info.width}x${info.height} camera`);
      latest = cameraInfoOfImage(info);
    } catch (error) {
      latest = undefined;
      log.warn('camera_info', `${topic}: camera_info ignored: ${(error as Error).message}`);
    }
  };
  const subscribe = (name: string): Subscription =>
    node.createSubscription('sensor_msgs/msg/CameraInfo', name, { qos: qos(reliability, 1), isRaw: true }, receive);

  let subscription = subscribe('camera_info');
  const notRemapped = rclnodejs.expandTopicName('camera_info', node.name(), node.namespace());
  if (subscription.topic === notRemapped && notRemapped !== siblingCameraInfo(imageTopic)) {
    node.destroySubscription(subscription);
    subscription = subscribe(siblingCameraInfo(imageTopic));
  }
  topic = subscription.topic;
  return () => latest;
}
