/** What a node sees of a camera, by its camera_info: the image as it comes, or with the lens distortion taken out. */
import type { Intrinsics } from '../geometry/camera';
import { coveredView, Lens, sourcePixel, type DistortedCamera } from '../geometry/lens';
import { isRectifiedTopic } from '../media/cameraTopics';
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

const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];
const NO_DISTORTION = { distortionModel: 'plumb_bob', d: [0, 0, 0, 0, 0] };
/** Drivers that do not know P leave it zero, or make it the unit matrix: a focal length of one pixel. */
const LEAST_FOCAL_SHARE = 1 / 20;
/** Pixels by which P's view and the image may differ at the corners and be the same: what is left by rounding in calibration files. */
const SAME_VIEW = 0.1;

/**
 * K and the left of P are the same in what comes out, and r is none: depth_image_proc and others take the camera out of P alone, whatever is left of the
 * distortion.
 *
 * @param info of the camera's image, at its size (roi and binning applied)
 */
export function lensView(info: CameraInfoMessage, { imageTopic, rectify, rectified }: LensViewOptions): LensView {
  const asItComes = (fault?: string): LensView => ({
    info: { ...ofView(info, intrinsicsOf(info)), distortionModel: info.distortionModel, d: info.d },
    distorted: undefined,
    fault,
  });
  const asPinhole = (view: Intrinsics): LensView => ({
    info: ofView(info, view),
    distorted: undefined,
    fault: undefined,
  });
  if (rectified || isRectifiedTopic(imageTopic)) {
    if (hasProjection(info)) return asPinhole(projection(info));
    return rectified ? asItComes('p has no focal length; parameter rectified needs it') : asPinhole(intrinsicsOf(info));
  }
  if (!rectify) return asItComes();
  try {
    const isStraight = Array.from(info.d).every((coefficient) => coefficient === 0);
    const { distortionModel, d } = isStraight ? NO_DISTORTION : info;
    if (isStraight && !hasProjection(info)) return asPinhole(intrinsicsOf(info));
    const rotation = rotationOf(info);
    const distorted = { camera: intrinsicsOf(info), lens: new Lens(distortionModel, d), rotation };
    const view = hasProjection(info) ? projection(info) : coveredViewOf(distorted);
    if (isStraight && isImageItself(distorted, view)) return asPinhole(view);
    return { info: ofView(info, view), distorted, fault: undefined };
  } catch (error) {
    return asItComes((error as Error).message);
  }
}

function hasProjection({ k, p }: CameraInfoMessage): boolean {
  return p[0] > LEAST_FOCAL_SHARE * k[0] && p[5] > LEAST_FOCAL_SHARE * k[4];
}

function coveredViewOf(distorted: DistortedCamera): Intrinsics {
  try {
    return coveredView(distorted);
  } catch (error) {
    throw new RangeError(`${(error as Error).message}, and p is zero`);
  }
}

function projection({ width, height, p }: CameraInfoMessage): Intrinsics {
  return { width, height, fx: p[0], fy: p[5], cx: p[2], cy: p[6] };
}

/** @throws RangeError where r is none */
function rotationOf({ r }: CameraInfoMessage): ArrayLike<number> {
  // Drivers that fill K and d alone leave r zero.
  if (Array.from(r).every((value) => value === 0)) return IDENTITY;
  for (const [a, b] of [0, 3, 6].flatMap((a) => [0, 3, 6].map((b) => [a, b]))) {
    const product = r[a] * r[b] + r[a + 1] * r[b + 1] + r[a + 2] * r[b + 2];
    if (!(Math.abs(product - (a === b ? 1 : 0)) < 0.01)) throw new RangeError('r is no rotation');
  }
  return r;
}

/** Of a camera without distortion: whether the view shows at every pixel what the image does. */
function isImageItself(camera: DistortedCamera, view: Intrinsics): boolean {
  const point = { x: 0, y: 0 };
  return [0, view.width - 1].every((u) =>
    [0, view.height - 1].every(
      (v) => sourcePixel(camera, view, u, v, point) && Math.hypot(point.x - u, point.y - v) < SAME_VIEW,
    ),
  );
}

/**
 * camera_info of an image that shows this view: no distortion, no rotation, no baseline. A right camera's P has one (Tx), which image_geometry takes off every
 * pixel, and so off every ray: depth is along the rays of this camera's own centre.
 */
function ofView(info: CameraInfoMessage, { fx, fy, cx, cy }: Intrinsics): CameraInfoMessage {
  return {
    ...info,
    ...NO_DISTORTION,
    k: [fx, 0, cx, 0, fy, cy, 0, 0, 1],
    r: IDENTITY,
    p: [fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0],
  };
}

/** K as an object, of a camera_info's own size. */
export function intrinsicsOf({ width, height, k }: CameraInfoMessage): Intrinsics {
  return { width, height, fx: k[0], fy: k[4], cx: k[2], cy: k[5] };
}
