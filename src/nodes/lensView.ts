/** What a node sees of a camera, by its camera_info: the image as it comes, or with the lens distortion taken out. */
import type { Intrinsics } from '../geometry/camera';
import { coveredView, Lens, type DistortedCamera } from '../geometry/lens';
import type { CameraInfoMessage } from './ros/messages';

export interface LensViewOptions {
  readonly imageTopic: string;
  /** Distorted images are rectified. */
  readonly rectify: boolean;
  /** The images are rectified already: P holds. */
  readonly rectified: boolean;
}

export interface LensView {
  /** Of the camera's image as it is seen. */
  readonly info: CameraInfoMessage;
  /** Undefined where the image is seen as it comes. */
  readonly distorted: DistortedCamera | undefined;
  /** Why it is not seen as the options want it. */
  readonly fault: string | undefined;
}

/** image_proc publishes image_rect and image_rect_color beside the camera_info of the raw image. */
const RECTIFIED_TOPIC = /\/image_rect[^/]*(\/compressed)?$/;
const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** @param info of the camera's image, at its size (roi and binning applied) */
export function lensView(info: CameraInfoMessage, { imageTopic, rectify, rectified }: LensViewOptions): LensView {
  const asItIs = (fault?: string): LensView => ({ info, distorted: undefined, fault });
  if (rectified || RECTIFIED_TOPIC.test(imageTopic)) {
    if (hasProjection(info)) return { ...asItIs(), info: pinhole(info, projection(info)) };
    return asItIs(rectified ? 'p has no focal length; parameter rectified needs it' : undefined);
  }
  if (!rectify || Array.from(info.d).every((coefficient) => coefficient === 0)) return asItIs();
  try {
    const camera = intrinsicsOf(info);
    // Drivers that fill K and d alone leave r zero.
    const rotation = Array.from(info.r).some((value) => value !== 0) ? info.r : IDENTITY;
    const lens = new Lens(info.distortionModel, info.d);
    const distorted = { camera, lens, rotation };
    const view = hasProjection(info) ? projection(info) : coveredView(distorted);
    return { info: pinhole(info, view), distorted, fault: undefined };
  } catch (error) {
    return asItIs((error as Error).message);
  }
}

function hasProjection({ p }: CameraInfoMessage): boolean {
  return p[0] > 0 && p[5] > 0;
}

function projection({ width, height, p }: CameraInfoMessage): Intrinsics {
  return { width, height, fx: p[0], fy: p[5], cx: p[2], cy: p[6] };
}

/** camera_info of a rectified image: no distortion, no rotation, and K is P's. */
function pinhole(info: CameraInfoMessage, { fx, fy, cx, cy }: Intrinsics): CameraInfoMessage {
  const [tx, ty] = hasProjection(info) ? [info.p[3], info.p[7]] : [0, 0];
  return {
    ...info,
    distortionModel: 'plumb_bob',
    d: [0, 0, 0, 0, 0],
    k: [fx, 0, cx, 0, fy, cy, 0, 0, 1],
    r: IDENTITY,
    p: [fx, 0, cx, tx, 0, fy, cy, ty, 0, 0, 1, 0],
  };
}

/** K as an object, of a camera_info's own size. */
export function intrinsicsOf({ width, height, k }: CameraInfoMessage): Intrinsics {
  return { width, height, fx: k[0], fy: k[4], cx: k[2], cy: k[5] };
}
