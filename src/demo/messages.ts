/** The messages the demo listens to, read from CDR. The nodes only write them, so the readers are here. */
import { rotationFromQuaternion, type Se3 } from '../geometry/se3';
import { CdrReader, type Header, type Time } from '../nodes/ros/cdr';
import { SCALE_UNAVAILABLE, type ImageMessage } from '../nodes/ros/messages';

export interface Motion {
  readonly header: Header;
  /** Pose of the current camera in the previous camera's frame; undefined where the node could not tell. */
  readonly pose: Se3 | undefined;
}

/** depthgrad/EgoMotion, as far as its scale_source. */
export function readMotion(message: Buffer): Motion {
  const cdr = new CdrReader(message);
  const header = cdr.header();
  cdr.time(); // previous_stamp
  const position = cdr.float64s(3);
  const [x, y, z, w] = cdr.float64s(4);
  cdr.float64s(36); // pose covariance
  cdr.float64s(6); // twist
  cdr.float64s(36); // twist covariance
  cdr.float64s(2); // scale and its variance
  if (cdr.uint8() === SCALE_UNAVAILABLE) return { header, pose: undefined };
  return { header, pose: { translation: position, rotation: rotationFromQuaternion([x, y, z, w]) } };
}

/** The gradient image of a depthgrad/DepthGradient, 32FC2. */
export function readDepthGradient(message: Buffer): ImageMessage {
  const cdr = new CdrReader(message);
  cdr.header();
  cdr.uint8(); // space
  cdr.string(); // units
  return {
    header: cdr.header(),
    height: cdr.uint32(),
    width: cdr.uint32(),
    encoding: cdr.string(),
    isBigEndian: cdr.uint8() !== 0,
    step: cdr.uint32(),
    data: cdr.bytes(),
  };
}

/** Header of a message that begins with one. */
export function readHeader(message: Buffer): Header {
  return new CdrReader(message).header();
}

/** Key values of the named status of a diagnostic_msgs/DiagnosticArray; undefined where it has none of that name. */
export function readStatus(message: Buffer, statusName: string): ReadonlyMap<string, string> | undefined {
  const cdr = new CdrReader(message);
  cdr.header();
  for (let left = cdr.uint32(); left > 0; left--) {
    cdr.uint8(); // level
    const name = cdr.string();
    cdr.string(); // message
    cdr.string(); // hardware_id
    const values = new Map<string, string>();
    for (let pairs = cdr.uint32(); pairs > 0; pairs--) values.set(cdr.string(), cdr.string());
    if (name === statusName) return values;
  }
  return undefined;
}

/** The values of a 32FC image; copied, since CDR does not align them to four bytes in memory. */
export function floats(image: ImageMessage): Float32Array {
  const values = new Float32Array(image.data.length / 4);
  new Uint8Array(values.buffer).set(image.data);
  return values;
}

/** A stamp as text, for equality. */
export function stampKey({ sec, nanosec }: Time): string {
  return `${sec}.${nanosec}`;
}
