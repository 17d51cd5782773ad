/** Where a camera is on the vehicle. */
import type { Se3 } from '../geometry/se3';
import type { ThrottledLog } from './ros/throttledLog';

/** Parts of the base's z in the camera's z and y: up to 30 degrees off, a body's axes are told from optical ones. */
const UPRIGHT = 0.8;
const LEVEL = 0.5;

export class Mount {
  #found: { readonly frameId: string; readonly pose: Se3 } | undefined;

  /** @param findTransform pose of a frame in another; undefined while /tf and /tf_static do not connect them */
  constructor(
    private readonly baseFrame: string,
    private readonly findTransform: (frame: string, within: string) => Se3 | undefined,
    private readonly log?: Pick<ThrottledLog, 'warnOnce'>,
  ) {}

  /** The camera in the base's axes, looked up once: one that turns on its mount would move the base. Undefined where that is not known. */
  of(frameId: string): Se3 | undefined {
    if (this.#found?.frameId !== frameId) {
      const pose = this.findTransform(frameId, this.baseFrame);
      this.#found = pose && { frameId, pose };
      if (pose && looksLikeBody(pose))
        this.log?.warnOnce(
          `body frame ${frameId}`,
          `${frameId} looks like a body frame (z up): header.frame_id of images should be the optical frame (REP 103)`,
        );
    }
    return this.#found?.pose;
  }

  /** The next time it is looked up anew. */
  forget(): void {
    this.#found = undefined;
  }
}

/** z, along which an optical frame looks, is the base's up, and y, which is down in an image, is not: a frame with a body's axes, or a camera that looks at the ceiling. */
function looksLikeBody({ rotation }: Se3): boolean {
  return rotation[8] > UPRIGHT && Math.abs(rotation[7]) < LEVEL;
}
