/** From a frame's depth map and ego-motion to odometry: how well the motion fits both images, its covariance, the chained pose. */
import type { Intrinsics } from '../geometry/camera';
import { fromVector6 } from '../geometry/se3';
import { motionUncertainty } from './motionUncertainty';
import { Odometry, type Motion, type OdometryOptions } from './odometry';
import { greyOf, photometricFit, type GreyImage, type PhotometricFit } from './photometricFit';
import type { Scale } from './scaleFilter';

/** A frame whose ego-motion is known. */
export interface MovedFrame {
  /** [height][width] along Z, in metres by `scale`; not finite where it is invalid. */
  readonly depth: Float32Array;
  /** Translation in the same metres, then axis-angle: pose of this frame in the one before. */
  readonly vector: ArrayLike<number>;
  readonly intrinsics: Intrinsics;
  readonly scale: Scale;
}

export interface MotionEstimate extends Motion {
  readonly fit: PhotometricFit;
}

export class VisualOdometry {
  readonly odometry: Odometry;
  #later: GreyImage | undefined;
  #earlier: GreyImage | undefined;

  constructor(options: Partial<OdometryOptions> = {}) {
    this.odometry = new Odometry(options);
  }

  /**
   * Every frame of the network comes by here, before what is known of its motion.
   * @param image uint8 [height][width][3] rgb of the network's size; copied
   */
  see(image: Uint8Array, height: number, width: number): void {
    const again = this.#earlier?.height === height && this.#earlier.width === width ? this.#earlier : undefined;
    this.#earlier = this.#later;
    this.#later = again ?? { height, width, data: new Uint8Array(height * width) };
    greyOf(image, this.#later.data);
  }

  /** How the frame that was seen last moved; undefined where there is no frame before to compare with. */
  estimate({ depth, vector, intrinsics, scale }: MovedFrame): MotionEstimate | undefined {
    const [earlier, later] = [this.#earlier, this.#later];
    if (!earlier || !later || earlier.width !== later.width || earlier.height !== later.height) return undefined;
    const fit = photometricFit(earlier, later, depth, intrinsics, fromVector6(vector));
    return { fit, vector, ...motionUncertainty(fit, scale) };
  }
}
