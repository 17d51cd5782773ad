import { siblingCameraInfo } from '../../media/cameraTopics';
import { cameraInfoFault, cameraInfoOfImage } from './cameraInfo';
import { readCameraInfo, type CameraInfoMessage } from './messages';
import { overriddenQos } from './qosOverrides';
import { qos, type Reliability, type RosNode } from './rclnodejs';
import { isRemapped } from './remapping';
import type { ThrottledLog } from './throttledLog';
import type { OwnEnd } from './topicFaults';

const TYPE = 'sensor_msgs/msg/CameraInfo';

export interface CameraInfoSource {
  /** The latest usable one, as that of the image; undefined where there is none. */
  readonly latest: () => CameraInfoMessage | undefined;
  readonly end: OwnEnd;
}

/** Follows camera_info: the topic it was remapped to, else the sibling of the image topic. */
export function subscribeCameraInfo(
  node: RosNode,
  reliability: Reliability,
  imageTopic: string,
  log: ThrottledLog,
): CameraInfoSource {
  let latest: CameraInfoMessage | undefined;
  let latestBytes: Buffer | undefined;
  const STAMP_END = 12; // encapsulation header and stamp: all that changes from one message to the next

  const receive = (message: Buffer): void => {
    if (latestBytes && message.subarray(STAMP_END).equals(latestBytes.subarray(STAMP_END))) return;
    latestBytes = message; // of a faulty one too: an uncalibrated camera is one warning, not one every few seconds
    const ignore = (fault: string): void =>
      log.warn(`camera_info ignored ${fault.split(' ', 1)[0]}`, `${topic}: camera_info ignored: ${fault}`);
    let info: CameraInfoMessage;
    try {
      info = readCameraInfo(message);
    } catch (error) {
      return ignore((error as Error).message); // it says nothing of the camera: what was known of it holds
    }
    const fault = cameraInfoFault(info);
    if (fault) {
      latest = undefined;
      return ignore(fault);
    }
    if (!latest) log.info('camera_info', `${topic}: camera_info of a ${info.width}x${info.height} camera`);
    latest = cameraInfoOfImage(info);
  };
  // The sibling may be remapped by a rule of its own.
  const name = isRemapped(node, 'camera_info') ? 'camera_info' : siblingCameraInfo(imageTopic);
  const wanted = overriddenQos(node, 'subscription', name, qos(reliability, 1));
  const { topic } = node.createSubscription(TYPE, name, { qos: wanted, isRaw: true }, receive);
  return { latest: () => latest, end: { topic, type: TYPE, qos: wanted, what: 'camera_info' } };
}
