/** tf2_msgs/TFMessage in both directions, and the newest transform between two frames of what has been heard. */
import {
  compose,
  identity,
  inverse,
  quaternionFromRotation,
  rotationFromQuaternion,
  type Se3,
} from '../../geometry/se3';
import { CdrReader, type CdrWriter, type Header } from './cdr';

export interface Transform {
  /** frame_id is the parent. */
  readonly header: Header;
  readonly child: string;
  /** Pose of the child in the parent. */
  readonly pose: Se3;
}

/** Leaves out those whose rotation is none. Throws RangeError where the message ends early. */
export function readTransforms(message: Buffer): Transform[] {
  const cdr = new CdrReader(message);
  const transforms: Transform[] = [];
  for (let count = cdr.uint32(); count > 0; count--) {
    const header = cdr.header();
    const child = cdr.string();
    const translation = cdr.float64s(3);
    const [x, y, z, w] = cdr.float64s(4);
    if (!(Math.hypot(x, y, z, w) > 0)) continue;
    transforms.push({ header, child, pose: { translation, rotation: rotationFromQuaternion([x, y, z, w]) } });
  }
  return transforms;
}

export function writeTransform(cdr: CdrWriter, { header, child, pose }: Transform): CdrWriter {
  return cdr
    .uint32(1)
    .header(header)
    .string(child)
    .float64s(pose.translation)
    .float64s(quaternionFromRotation(pose.rotation));
}

/** No frame is deeper in the tree than this; a longer chain goes in circles. */
const DEEPEST = 100;

/** Frames that are remembered; a robot has tens of them, a fleet on one /tf thousands. */
export const MOST_FRAMES = 10_000;
/** Characters of a frame's name. */
export const LONGEST_NAME = 256;

/** Frames by their parents, as /tf and /tf_static say them. */
export class TransformTree {
  readonly #parents = new Map<string, { parent: string; pose: Se3 }>();

  /** Whoever publishes a new name with every message must not fill the memory. @returns why the frame is not remembered; undefined where it is */
  add({ header, child, pose }: Transform): string | undefined {
    if (!pose.translation.every(Number.isFinite) || !pose.rotation.every(Number.isFinite))
      return 'with a pose that is no number';
    if (child.length > LONGEST_NAME || header.frameId.length > LONGEST_NAME)
      return `with a name of more than ${LONGEST_NAME} characters`;
    if (this.#parents.size >= MOST_FRAMES && !this.#parents.has(child)) return `beyond the first ${MOST_FRAMES}`;
    this.#parents.set(child, { parent: header.frameId, pose });
    return undefined;
  }

  /** Pose of a frame in another one; undefined where nothing connects them. */
  find(frame: string, within: string): Se3 | undefined {
    const above = this.#ancestors(within);
    let pose = identity();
    for (let [at, depth] = [frame, 0]; depth < DEEPEST; depth++) {
      const common = above.get(at);
      if (common) return compose(inverse(common), pose);
      const link = this.#parents.get(at);
      if (!link) return undefined;
      pose = compose(link.pose, pose);
      at = link.parent;
    }
    return undefined;
  }

  /** The frame's pose in each frame above it. */
  #ancestors(frame: string): Map<string, Se3> {
    const poses = new Map([[frame, identity()]]);
    for (let at = this.#parents.get(frame), below = frame; at && !poses.has(at.parent); at = this.#parents.get(below)) {
      poses.set(at.parent, compose(at.pose, poses.get(below)!));
      below = at.parent;
    }
    return poses;
  }
}
