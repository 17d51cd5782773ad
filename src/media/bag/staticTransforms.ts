/** Where the parts of a robot are mounted, out of a bag's /tf_static. */
import { compose, identity, inverse, rotationFromQuaternion, type Se3 } from '../../geometry/se3';
import { FrameSourceError } from '../frame';
import type { Bag } from './bag';
import { BagDamageError, describe } from './bagFile';
import { readMessage, type Pose } from './messages';

const TOPIC = '/tf_static';
const TYPE = 'tf2_msgs/TFMessage';

/** A ROS pose, or transform, as the rigid motion that takes points of the child frame to the parent's. @throws RangeError on a quaternion of zeros */
export function poseToSe3({ position: p, orientation: q }: Pose): Se3 {
  return { rotation: rotationFromQuaternion([q.x, q.y, q.z, q.w]), translation: Float64Array.of(p.x, p.y, p.z) };
}

/** tf1 wrote frames with a slash in front, and some drivers still do. */
const plain = (frame: string) => frame.replace(/^\//, '');

/** The tree of fixed transforms: each frame's parent, and where the frame is in it. */
export class StaticTransforms {
  readonly #parents = new Map<string, { readonly parent: string; readonly pose: Se3 }>();

  add(parent: string, child: string, pose: Se3): void {
    this.#parents.set(plain(child), { parent: plain(parent), pose });
  }

  /** The topmost frame that `frame` hangs on, and where `frame` is in it. */
  #fromRoot(frame: string): { root: string; pose: Se3 } {
    const seen = new Set<string>();
    let [root, pose] = [plain(frame), identity()];
    for (let link = this.#parents.get(root); link && !seen.has(root); link = this.#parents.get(root)) {
      seen.add(root);
      pose = compose(link.pose, pose);
      root = link.parent;
    }
    return { root, pose };
  }

  /** Takes points of frame `from` to frame `to`; undefined where nothing fixed connects them. */
  between(to: string, from: string): Se3 | undefined {
    if (plain(to) === plain(from)) return identity();
    const [a, b] = [this.#fromRoot(to), this.#fromRoot(from)];
    return a.root === b.root ? compose(inverse(a.pose), b.pose) : undefined;
  }
}

/** Those before the damage, where the bag is damaged: who reads its images learns of it. @throws FrameSourceError naming the topic */
export async function readStaticTransforms(bag: Bag): Promise<StaticTransforms> {
  const transforms = new StaticTransforms();
  if (bag.topics.find(({ name }) => name === TOPIC)?.type !== TYPE) return transforms;
  try {
    for await (const { cdr } of bag.messages([TOPIC])) {
      for (const { header, child_frame_id: child, transform } of readMessage(TYPE, cdr).transforms) {
        const { translation: position, rotation: orientation } = transform;
        transforms.add(header.frame_id, child, poseToSe3({ position, orientation }));
      }
    }
  } catch (error) {
    if (error instanceof BagDamageError) return transforms;
    throw new FrameSourceError(bag.path, `a message on ${TOPIC} cannot be read (${describe(error)})`);
  }
  return transforms;
}
