/** The ground under the camera, from frame to frame: for the metric scale by the camera's height, and for a cloud without the floor. */
import type { Intrinsics } from '../geometry/camera';
import { fitGroundPlane, type GroundPlane } from '../odometry/groundPlane';

/** A frame in which no ground is found, behind a lorry for example, has that of the frames before for so long. */
const HELD_SECONDS = 1;

export interface SeenGround {
  /** In this frame. */
  readonly found: GroundPlane | undefined;
  /** In this frame, or in one not long before. */
  readonly plane: GroundPlane | undefined;
}

export class GroundFollower {
  #last: { readonly plane: GroundPlane; readonly seconds: number } | undefined;

  /** @param depth in the model's unit, before any range or threshold in metres: those need a scale that may come from here */
  see(depth: Float32Array, intrinsics: Intrinsics, seconds: number): SeenGround {
    const found = fitGroundPlane(depth, intrinsics);
    if (found) this.#last = { plane: found, seconds };
    else if (this.#last && !(Math.abs(seconds - this.#last.seconds) <= HELD_SECONDS)) this.#last = undefined;
    return { found, plane: this.#last?.plane };
  }
}
