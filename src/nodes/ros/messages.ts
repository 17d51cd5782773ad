/** ROS 2 messages as they are in CDR, field by field in the order of their .msg files. */
import { CdrReader, type CdrWriter, type Header, type Time } from './cdr';

/** sensor_msgs/Image; `data` may be a view. */
export interface ImageMessage {
  readonly header: Header;
  readonly height: number;
  readonly width: number;
  readonly encoding: string;
  readonly isBigEndian: boolean;
  /** Bytes from one row to the next. */
  readonly step: number;
  readonly data: Uint8Array;
}

export function writeImage(cdr: CdrWriter, image: ImageMessage): CdrWriter {
  return cdr
    .header(image.header)
    .uint32(image.height)
    .uint32(image.width)
    .string(image.encoding)
    .uint8(image.isBigEndian ? 1 : 0)
    .uint32(image.step)
    .bytes(image.data);
}

/** Reads the message; `data` is a view of it, no pixel is copied. */
export function readImage(message: Buffer): ImageMessage {
  return readImageFields(new CdrReader(message));
}

/** An image inside another message. */
export function readImageFields(cdr: CdrReader): ImageMessage {
  const header = cdr.header();
  const height = cdr.uint32();
  const width = cdr.uint32();
  const encoding = cdr.string();
  const isBigEndian = cdr.uint8() !== 0;
  const step = cdr.uint32();
  return { header, height, width, encoding, isBigEndian, step, data: cdr.bytes() };
}

/** sensor_msgs/CompressedImage */
export interface CompressedImageMessage {
  readonly header: Header;
  /** What image_transport says of it: "jpeg", "rgb8; jpeg compressed bgr8". */
  readonly format: string;
  readonly data: Uint8Array;
}

/** Reads the message; `data` is a view of it. */
export function readCompressedImage(message: Buffer): CompressedImageMessage {
  const cdr = new CdrReader(message);
  return { header: cdr.header(), format: cdr.string(), data: cdr.bytes() };
}

/** A map of float32 channels as a 32FC1 or 32FC2 image. `values`: [height][width][channels]. */
export function floatImage(header: Header, height: number, width: number, values: Float32Array): ImageMessage {
  const channels = values.length / (height * width);
  return {
    header,
    height,
    width,
    encoding: `32FC${channels}`,
    isBigEndian: false,
    step: width * channels * 4,
    data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}

/** sensor_msgs/CameraInfo. k, r: 3x3; p: 3x4; row-major. */
export interface CameraInfoMessage {
  readonly header: Header;
  readonly height: number;
  readonly width: number;
  readonly distortionModel: string;
  readonly d: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly r: ArrayLike<number>;
  readonly p: ArrayLike<number>;
  readonly binningX: number;
  readonly binningY: number;
  readonly roi: RegionOfInterest;
}

/** sensor_msgs/RegionOfInterest */
export interface RegionOfInterest {
  readonly xOffset: number;
  readonly yOffset: number;
  readonly height: number;
  readonly width: number;
  readonly doRectify: boolean;
}

export const WHOLE_IMAGE: RegionOfInterest = { xOffset: 0, yOffset: 0, height: 0, width: 0, doRectify: false };

export function writeCameraInfo(cdr: CdrWriter, info: CameraInfoMessage): CdrWriter {
  return cdr
    .header(info.header)
    .uint32(info.height)
    .uint32(info.width)
    .string(info.distortionModel)
    .uint32(info.d.length)
    .float64s(info.d)
    .float64s(info.k)
    .float64s(info.r)
    .float64s(info.p)
    .uint32(info.binningX)
    .uint32(info.binningY)
    .uint32(info.roi.xOffset)
    .uint32(info.roi.yOffset)
    .uint32(info.roi.height)
    .uint32(info.roi.width)
    .uint8(info.roi.doRectify ? 1 : 0);
}

export function readCameraInfo(message: Buffer): CameraInfoMessage {
  const cdr = new CdrReader(message);
  return {
    header: cdr.header(),
    height: cdr.uint32(),
    width: cdr.uint32(),
    distortionModel: cdr.string(),
    d: cdr.float64s(cdr.uint32()),
    k: cdr.float64s(9),
    r: cdr.float64s(9),
    p: cdr.float64s(12),
    binningX: cdr.uint32(),
    binningY: cdr.uint32(),
    roi: {
      xOffset: cdr.uint32(),
      yOffset: cdr.uint32(),
      height: cdr.uint32(),
      width: cdr.uint32(),
      doRectify: cdr.uint8() !== 0,
    },
  };
}

/**
 * What is read of a geometry_msgs/TwistStamped or a nav_msgs/Odometry: x, y, z of the linear velocity in m/s and of the angular one in rad/s. Pose and
 * covariance may be NaN: autopilots (PX4) say "not known" so.
 */
export interface Velocity {
  readonly header: Header;
  /** In whose axes both are. */
  readonly frameId: string;
  readonly linear: Float64Array;
  readonly angular: Float64Array;
}

export function readTwistStamped(message: Buffer): Velocity {
  const cdr = new CdrReader(message);
  const header = cdr.header();
  return { header, frameId: header.frameId, linear: cdr.float64s(3), angular: cdr.float64s(3) };
}

export function readOdometryTwist(message: Buffer): Velocity {
  const cdr = new CdrReader(message);
  const header = cdr.header();
  const frameId = cdr.string(); // child_frame_id
  cdr.float64s(7 + 36); // pose and its covariance
  return { header, frameId, linear: cdr.float64s(3), angular: cdr.float64s(3) };
}

export const SPACE_LOG_DISPARITY = 0;

/** depthgrad/DepthGradient of ln(1/Z); `gradient`: [height][width][2], du and dv per pixel. */
export function writeDepthGradient(
  cdr: CdrWriter,
  header: Header,
  height: number,
  width: number,
  gradient: Float32Array,
): CdrWriter {
  cdr.header(header).uint8(SPACE_LOG_DISPARITY).string('1/pixel');
  return writeImage(cdr, floatImage(header, height, width, gradient));
}

/** EgoMotion.scale_source. */
export const SCALE_UNAVAILABLE = 0;
export const SCALE_CODES = { none: 1, velocity: 2, camera_height: 3, fixed: 4 } as const;

/** depthgrad/EgoMotion; see msg/EgoMotion.msg for frames and units. Covariances: 6x6 row-major, x y z rotX rotY rotZ. */
export interface EgoMotionMessage {
  readonly header: Header;
  readonly previousStamp: Time;
  readonly position: ArrayLike<number>;
  /** x y z w */
  readonly orientation: ArrayLike<number>;
  readonly poseCovariance: ArrayLike<number>;
  readonly linear: ArrayLike<number>;
  readonly angular: ArrayLike<number>;
  readonly twistCovariance: ArrayLike<number>;
  readonly scale: number;
  readonly scaleVariance: number;
  readonly scaleSource: number;
  readonly quality: number;
}

export function writeEgoMotion(cdr: CdrWriter, motion: EgoMotionMessage): CdrWriter {
  return cdr
    .header(motion.header)
    .time(motion.previousStamp)
    .float64s(motion.position)
    .float64s(motion.orientation)
    .float64s(motion.poseCovariance)
    .float64s(motion.linear)
    .float64s(motion.angular)
    .float64s(motion.twistCovariance)
    .float64(motion.scale)
    .float64(motion.scaleVariance)
    .uint8(motion.scaleSource)
    .float32(motion.quality);
}

/** diagnostic_msgs/DiagnosticStatus */
export interface DiagnosticStatus {
  readonly level: 0 | 1 | 2 | 3;
  readonly name: string;
  readonly message: string;
  readonly hardwareId: string;
  readonly values: Readonly<Record<string, string>>;
}

/** diagnostic_msgs/DiagnosticArray */
export function writeDiagnosticArray(cdr: CdrWriter, header: Header, statuses: readonly DiagnosticStatus[]): CdrWriter {
  cdr.header(header).uint32(statuses.length);
  for (const { level, name, message, hardwareId, values } of statuses) {
    cdr.uint8(level).string(name).string(message).string(hardwareId);
    const entries = Object.entries(values);
    cdr.uint32(entries.length);
    for (const [key, value] of entries) cdr.string(key).string(value);
  }
  return cdr;
}
