/** tf2_msgs/TFMessage in both directions, and the newest transform between two frames of what has been heard. */
import {
  compose,
  identity,
  inverse,
  quaternionFromRotation,
  rotationFromQuaternion,
  type Se3,
} from '../../geometry/se3';
import { CdrReader, checkFrameId, type CdrWriter, type Header } from './cdr';

export interface Transform {
  /** frame_id is the parent. */
  readonly header: Header;
  readonly child: string;
  /** Pose of the child in the parent. */
  readonly pose: Se3;
}

export interface ReadTransforms {
  readonly transforms: readonly Transform[];
  /** Of those that are left out, as tf2 does; each begins with the field. */
  readonly faults: readonly RangeError[];
}

/** Throws RangeError where the message ends early. */
export function readTransforms(message: Buffer): ReadTransforms {
  const cdr = new CdrReader(message);
  const transforms: Transform[] = [];
  const faults: RangeError[] = [];
  for (let count = cdr.uint32(); count > 0; count--) {
    const header = cdr.header();
    const child = cdr.string();
    const translation = cdr.float64s(3);
    const [x, y, z, w] = cdr.float64s(4);
    try {
      checkTransform(header.frameId, child, translation, [x, y, z, w]);
      transforms.push({ header, child, pose: { translation, rotation: rotationFromQuaternion([x, y, z, w]) } });
    } catch (error) {
      faults.push(error as RangeError);
    }
  }
  return { transforms, faults };
}

/** How far from 1 the squared length of a rotation may be; tf2's. */
const QUATERNION_TOLERANCE = 1e-2;
/** Metres; no place is farther. */
const FARTHEST = 1e9;

/** tf2's own conditions (BufferCore::setTransform), and that the numbers are places on a planet. The stamp is not asked: the newest message counts. */
function checkTransform(parent: string, child: string, translation: Float64Array, q: readonly number[]): void {
  if (child === '') throw new RangeError('child_frame_id is empty');
  if (parent === '') throw new RangeError(`header.frame_id is empty, as the parent of ${child}`);
  if (child === parent) throw new RangeError(`parent of ${child} is itself`);
  checkFrameId('child_frame_id', child);
  checkFrameId('header.frame_id', parent);
  const bad = translation.findIndex((value) => !(Math.abs(value) <= FARTHEST));
  if (bad >= 0) throw new RangeError(`translation.${'xyz'[bad]} of ${child} is ${translation[bad]}`);
  const squared = q.reduce((sum, value) => sum + value * value, 0);
  if (!(Math.abs(squared - 1) <= QUATERNION_TOLERANCE))
    throw new RangeError(`rotation of ${child} is ${q.join(' ')}, of length ${Math.sqrt(squared)} instead of 1`);
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
/** More are of somebody who makes up names: there is no end to them, and to memory there is. */
const MOST_FRAMES = 10_000;

/** Frames by their parents, as /tf and /tf_static say them. */
export class TransformTree {
  readonly #parents = new Map<string, { parent: string; pose: Se3 }>();

  /** The newest counts: an older one that would close a circle with it goes. @returns what could not be kept, of this or of that one */
  add({ header: { frameId: parent }, child, pose }: Transform): RangeError | undefined {
    if (this.#parents.size >= MOST_FRAMES && !this.#parents.has(child))
      return new RangeError(`frames are ${MOST_FRAMES} already; ${child} is one too many`);
    this.#parents.set(child, { parent, pose });
    for (let [at, depth] = [parent, 0]; depth < DEEPEST; depth++) {
      const above = this.#parents.get(at)?.parent;
      if (above === undefined) return undefined;
      if (above === child) {
        this.#parents.delete(at);
        return new RangeError(`circle of ${child} below ${parent}: ${at} is no longer below ${child}`);
      }
      at = above;
    }
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
      if (poses.size > DEEPEST) break;
      poses.set(at.parent, compose(at.pose, poses.get(below)!));
      below = at.parent;
    }
    return poses;
  }
}
