/** What comes in from the camera, and the triplets made of it at the network's size. */
import type { Intrinsics } from '../geometry/camera';

export interface CameraFrame {
  /** rgb8 [height, width, 3], without padding. Read before `push` returns, and not kept. */
  image: Uint8Array;
  width: number;
  height: number;
  /** Of an undistorted image of this size. */
  intrinsics: Intrinsics;
  /** Seconds. */
  stamp: number;
  /** m/s, where odometry or a twist says so. */
  speed?: number;
}

/** A frame at the network's size. */
export interface ShrunkFrame {
  /** rgb8 [height, width, 3] of the network. */
  image: Uint8Array;
  /** For images of the network's size. */
  intrinsics: Intrinsics;
  stamp: number;
  speed?: number;
}

/** Three frames with motion between them: all that a step learns from and a judgement looks at. */
export interface Triplet {
  /** rgb8 [h,w,3] of the network's size: previous, target and next frame. */
  images: readonly [Uint8Array, Uint8Array, Uint8Array];
  intrinsics: Intrinsics;
  /** Of the target, seconds. */
  stamp: number;
  /** Speed at the target in m/s, and the seconds to its neighbours. */
  motion?: { speed: number; sincePrevious: number; untilNext: number };
}

/** @throws Error naming the field that does not fit */
export function checkFrame({ image, width, height, intrinsics, stamp }: CameraFrame): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width <= 0 || height <= 0)
    throw new Error(`frame: width and height must be positive integers, not ${width} x ${height}`);
  if (image.length !== width * height * 3)
    throw new Error(`frame: image has ${image.length} bytes, rgb8 of ${width} x ${height} has ${width * height * 3}`);
  if (intrinsics.width !== width || intrinsics.height !== height)
    throw new Error(
      `frame: intrinsics are of ${intrinsics.width} x ${intrinsics.height}, the image is ${width} x ${height}; scale them`,
    );
  if (!(intrinsics.fx > 0 && intrinsics.fy > 0)) throw new Error('frame: intrinsics have no focal length');
  if (!Number.isFinite(stamp)) throw new Error(`frame: stamp is ${stamp}, not seconds`);
}
