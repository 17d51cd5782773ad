/** The messages the demo listens to, read from CDR. The nodes only write them, so the readers are here. */
import { rotationFromQuaternion, type Se3 } from '../geometry/se3';
import { CdrReader, type Header, type Time } from '../nodes/ros/cdr';
import { ADAPTATION_STATES } from '../nodes/adaptationStatus';
import { readImageFields, SCALE_UNAVAILABLE, type ImageMessage } from '../nodes/ros/messages';

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
  return readImageFields(cdr);
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

/** What adaptation_node is at; errors are those of the last judgement. */
export interface AdaptationReport {
  readonly state: string;
  readonly reason: string;
  readonly steps: number;
  readonly place_error: { readonly reference: number; readonly published: number };
  readonly source_error: { readonly reference: number; readonly published: number };
  readonly promoted: number;
  readonly rolled_back: number;
  readonly refused: number;
  readonly model_version: string;
  /** Models that depth_node took from this process. */
  readonly updates_accepted: number;
}

/** depthgrad/AdaptationStatus, as far as updates_accepted. */
export function readAdaptation(message: Buffer): AdaptationReport {
  const cdr = new CdrReader(message);
  cdr.time();
  const state = ADAPTATION_STATES[cdr.uint8()];
  const reason = cdr.string();
  const steps = cdr.uint64();
  cdr.float32(); // step_ms
  for (let left = cdr.uint32(); left > 0; left--) cdr.string(); // loss_names
  for (let left = cdr.uint32(); left > 0; left--) cdr.float32(); // loss_values
  const errors = (): { reference: number; published: number } => {
    const [reference, published] = [cdr.float32(), cdr.float32()];
    cdr.float32(); // candidate
    return { reference, published };
  };
  const report = {
    state,
    reason,
    steps,
    place_error: errors(),
    source_error: errors(),
    promoted: cdr.uint32(),
    rolled_back: cdr.uint32(),
    refused: cdr.uint32(),
    model_version: cdr.string(),
  };
  cdr.string(); // model_sha256
  cdr.uint64(); // update_version
  return { ...report, updates_accepted: cdr.uint32() };
}
