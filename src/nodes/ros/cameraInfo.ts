import { type CameraInfoMessage, WHOLE_IMAGE } from './messages';

/** Pixels. */
const SHORTEST_FOCAL = 1;
/** No number of a camera is as large; scaled, it could be infinite. */
const LARGEST = 1e9;
/** No lens model has more coefficients (OpenCV's largest has 14), and none so long a name; both would go out again with every frame. */
const MOST_COEFFICIENTS = 100;
const LONGEST_MODEL = 100;

/** What is wrong with a camera_info for our purpose, naming the field; undefined when nothing is. */
export function cameraInfoFault(info: CameraInfoMessage): string | undefined {
  const fields: [string, number][] = [
    ['k[0] (fx)', info.k[0]],
    ['k[4] (fy)', info.k[4]],
  ];
  for (const [field, value] of fields) {
    if (!(value >= SHORTEST_FOCAL && Number.isFinite(value))) {
      return `${field} is ${value}: the camera is not calibrated`;
    }
  }
  if (info.d.length > MOST_COEFFICIENTS) return `d has ${info.d.length} coefficients`;
  if (info.distortionModel.length > LONGEST_MODEL)
    return `distortion_model has ${info.distortionModel.length} characters`;
  for (const [name, matrix] of Object.entries({ k: info.k, r: info.r, p: info.p, d: info.d })) {
    const bad = Array.from(matrix).findIndex((value) => !(Math.abs(value) < LARGEST));
    if (bad >= 0) return `${name}[${bad}] is ${matrix[bad]}`;
  }
  if (info.width === 0 || info.height === 0) return `size is ${info.width}x${info.height}`;
  const { xOffset, yOffset, width, height } = info.roi;
  if (xOffset + width > info.width || yOffset + height > info.height) {
    return `roi is ${width}x${height} at ${xOffset}, ${yOffset}, outside of width x height ${info.width}x${info.height}`;
  }
  if (info.binningX > (width || info.width) || info.binningY > (height || info.height)) {
    return `binning is ${info.binningX}x${info.binningY}, more than there are pixels`;
  }
  return undefined;
}

/**
 * The camera_info of the image as it is published, for a camera that reads out a part of its sensor: K, P, width and height of
 * the message are those of the whole sensor (sensor_msgs/CameraInfo), the image holds its roi, shrunk by binning.
 */
export function cameraInfoOfImage(info: CameraInfoMessage): CameraInfoMessage {
  const { xOffset, yOffset, doRectify } = info.roi;
  const width = info.roi.width || info.width;
  const height = info.roi.height || info.height;
  const [binningX, binningY] = [Math.max(1, info.binningX), Math.max(1, info.binningY)];
  const k = Float64Array.from(info.k);
  const p = Float64Array.from(info.p);
  k[2] -= xOffset;
  k[5] -= yOffset;
  if (p[0] !== 0) {
    p[2] -= xOffset;
    p[6] -= yOffset;
  }
  const part = { ...info, width, height, k, p, roi: { ...WHOLE_IMAGE, doRectify } };
  return scaleCameraInfo(part, Math.floor(width / binningX), Math.floor(height / binningY));
}

/**
 * The camera_info of the same view resampled to width x height pixels. Pixel centres are at integers, so the principal
 * point moves by cx' = (cx + 0.5) * s - 0.5. Distortion coefficients act on normalised rays and stay as they are: a
 * map made from a distorted image is as distorted as the image. The stamp is the caller's to set. Where the message has a roi or
 * binning, give cameraInfoOfImage's.
 */
export function scaleCameraInfo(info: CameraInfoMessage, width: number, height: number): CameraInfoMessage {
  const sx = width / info.width;
  const sy = height / info.height;
  const k = Float64Array.from(info.k);
  const p = Float64Array.from(info.p);
  for (let column = 0; column < 4; column++) {
    if (column < 3) {
      k[column] *= sx;
      k[3 + column] *= sy;
    }
    p[column] *= sx;
    p[4 + column] *= sy;
  }
  k[2] = (info.k[2] + 0.5) * sx - 0.5;
  k[5] = (info.k[5] + 0.5) * sy - 0.5;
  // An all-zero P (not every driver fills it) stays so: a principal point alone would look like a calibration.
  if (info.p[0] !== 0) {
    p[2] = (info.p[2] + 0.5) * sx - 0.5;
    p[6] = (info.p[6] + 0.5) * sy - 0.5;
  }
  return { ...info, width, height, k, p, binningX: 0, binningY: 0, roi: WHOLE_IMAGE };
}
