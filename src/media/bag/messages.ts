/** The messages a camera's bag is read for, out of CDR. Their definitions have been the same in every ROS 2 distribution. */
import { ros2humble } from '@foxglove/rosmsg-msgs-common';
import { MessageReader } from '@foxglove/rosmsg2-serialization';

export interface Header {
  readonly stamp: { readonly sec: number; readonly nanosec: number };
  readonly frame_id: string;
}

/** sensor_msgs/Image; `data` is a view of the message. */
export interface ImageMessage {
  readonly header: Header;
  readonly height: number;
  readonly width: number;
  readonly encoding: string;
  readonly step: number;
  readonly data: Uint8Array;
}

/** sensor_msgs/CompressedImage; `data` is a view of the message. */
export interface CompressedImageMessage {
  readonly header: Header;
  readonly format: string;
  readonly data: Uint8Array;
}

/** sensor_msgs/CameraInfo. k: 3x3, p: 3x4, row-major. */
export interface CameraInfoMessage {
  readonly header: Header;
  readonly height: number;
  readonly width: number;
  readonly distortion_model: string;
  readonly d: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly p: ArrayLike<number>;
  readonly binning_x: number;
  readonly binning_y: number;
  readonly roi: {
    readonly x_offset: number;
    readonly y_offset: number;
    readonly width: number;
    readonly height: number;
  };
}

interface Vector3 {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** geometry_msgs/Pose. */
export interface Pose {
  readonly position: Vector3;
  readonly orientation: Vector3 & { readonly w: number };
}

interface TransformStamped {
  readonly header: Header;
  readonly child_frame_id: string;
  readonly transform: { readonly translation: Vector3; readonly rotation: Pose['orientation'] };
}

interface Odometry {
  readonly header: Header;
  readonly child_frame_id: string;
  readonly pose: { readonly pose: Pose };
  readonly twist: { readonly twist: { readonly linear: Vector3 } };
}

interface MessageTypes {
  'sensor_msgs/Image': ImageMessage;
  'sensor_msgs/CompressedImage': CompressedImageMessage;
  'sensor_msgs/CameraInfo': CameraInfoMessage;
  'nav_msgs/Odometry': Odometry;
  'geometry_msgs/TwistStamped': { readonly header: Header; readonly twist: { readonly linear: Vector3 } };
  'tf2_msgs/TFMessage': { readonly transforms: readonly TransformStamped[] };
}
export type MessageType = keyof MessageTypes;

const definitions = Object.values(ros2humble);
const readers = new Map<MessageType, MessageReader>();

/** @throws RangeError when the message ends inside a field */
export function readMessage<T extends MessageType>(type: T, cdr: Uint8Array): MessageTypes[T] {
  let reader = readers.get(type);
  if (!reader) {
    // The first definition is the message's own, the others are what it refers to.
    const { definitions: fields } = ros2humble[type];
    reader = new MessageReader([{ definitions: fields }, ...definitions]);
    readers.set(type, reader);
  }
  const message = reader.readMessage<MessageTypes[T]>(cdr);
  if (reader.lastReadByteLength() > cdr.byteLength)
    throw new RangeError(`${type} of ${cdr.byteLength} bytes ends inside a field`);
  return message;
}

/** Types that say a vehicle's speed. */
export const SPEED_TYPES = ['nav_msgs/Odometry', 'geometry_msgs/TwistStamped'] as const;

export interface VehicleMotion {
  readonly header: Header;
  /** Along the path, metres per second. */
  readonly speed: number;
  /** Of odometry: where the vehicle's frame is in the header's. */
  readonly pose?: Pose;
  readonly childFrame?: string;
}

/** What a message says of a vehicle's motion. @throws RangeError when the message ends inside a field */
export function readMotion(type: (typeof SPEED_TYPES)[number], cdr: Uint8Array): VehicleMotion {
  const along = ({ x, y, z }: Vector3) => Math.hypot(x, y, z);
  if (type === 'geometry_msgs/TwistStamped') {
    const { header, twist } = readMessage(type, cdr);
    return { header, speed: along(twist.linear) };
  }
  const { header, child_frame_id: childFrame, pose, twist } = readMessage(type, cdr);
  return { header, speed: along(twist.twist.linear), pose: pose.pose, childFrame };
}

/** Seconds of the header's stamp; of the reception, where the driver left the stamp empty. */
export function messageSeconds({ stamp }: Header, receivedNs: bigint): number {
  if (stamp.sec === 0 && stamp.nanosec === 0) return Number(receivedNs / 1000n) / 1e6;
  return stamp.sec + stamp.nanosec / 1e9;
}
