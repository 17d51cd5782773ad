/** Where a camera is on the vehicle. */
import type { Se3 } from '../geometry/se3';

export class Mount {
  #found: { readonly frameId: string; readonly pose: Se3 } | undefined;

  /** @param findTransform pose of a frame in another; undefined while /tf and /tf_static do not connect them */
  constructor(
    private readonly baseFrame: string,
    private readonly findTransform: (frame: string, within: string) => Se3 | undefined,
  ) {}

  /** The camera in the base's axes, looked up once: one that turns on its mount would move the base. Undefined where that is not known. */
  of(frameId: string): Se3 | undefined {
    if (this.#found?.frameId !== frameId) {
      const pose = this.findTransform(frameId, this.baseFrame);
      this.#found = pose && { frameId, pose };
    }
    return this.#found?.pose;
  }

  /** The next time it is looked up anew. */
  forget(): void {
    this.#found = undefined;
  }
}
