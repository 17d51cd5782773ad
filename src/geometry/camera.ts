/**
 * The pinhole camera with plumb_bob (Brown-Conrady) distortion, as in sensor_msgs/CameraInfo.
 * Pixel centres are at integers: the image covers [-0.5, width - 0.5] x [-0.5, height - 0.5].
 */

/** Pinhole intrinsics, all in pixels of an image of width x height. */
export interface Intrinsics {
  readonly width: number;
  readonly height: number;
  readonly fx: number;
  readonly fy: number;
  readonly cx: number;
  readonly cy: number;
}

/** plumb_bob coefficients in ROS and OpenCV order: k1, k2, p1, p2, k3 (missing ones are zero). */
export type PlumbBob = readonly number[];

function requirePositive(name: string, value: number): void {
  if (!(value > 0) || !Number.isFinite(value))
    throw new RangeError(`${name} must be positive and finite, got ${value}`);
}

/**
 * Intrinsics of the same view resized to toWidth x toHeight.
 * With centres at integers the principal point maps as cx' = (cx + 0.5) * s - 0.5.
 */
export function scaleIntrinsics(intrinsics: Intrinsics, toWidth: number, toHeight: number): Intrinsics {
  requirePositive('scaleIntrinsics: toWidth', toWidth);
  requirePositive('scaleIntrinsics: toHeight', toHeight);
  const sx = toWidth / intrinsics.width;
  const sy = toHeight / intrinsics.height;
  return {
    width: toWidth,
    height: toHeight,
    fx: intrinsics.fx * sx,
    fy: intrinsics.fy * sy,
    cx: (intrinsics.cx + 0.5) * sx - 0.5,
    cy: (intrinsics.cy + 0.5) * sy - 0.5,
  };
}

/** Intrinsics of the sub-image whose first pixel is (left, top) and whose size is width x height. */
export function cropIntrinsics(
  intrinsics: Intrinsics,
  left: number,
  top: number,
  width: number,
  height: number,
): Intrinsics {
  requirePositive('cropIntrinsics: width', width);
  requirePositive('cropIntrinsics: height', height);
  return { width, height, fx: intrinsics.fx, fy: intrinsics.fy, cx: intrinsics.cx - left, cy: intrinsics.cy - top };
}

/** Intrinsics of the image mirrored left to right (column u becomes width - 1 - u). */
export function flipIntrinsics(intrinsics: Intrinsics): Intrinsics {
  return { ...intrinsics, cx: intrinsics.width - 1 - intrinsics.cx };
}

/** Pixel (u, v) of the camera-frame point (x, y, z). z must not be zero; a negative z is behind the camera. */
export function project(intrinsics: Intrinsics, x: number, y: number, z: number): [number, number] {
  return [(intrinsics.fx * x) / z + intrinsics.cx, (intrinsics.fy * y) / z + intrinsics.cy];
}

/** Camera-frame point (x, y, z) seen at pixel (u, v) at depth z along the optical axis. */
export function backProject(intrinsics: Intrinsics, u: number, v: number, depth: number): [number, number, number] {
  return [((u - intrinsics.cx) / intrinsics.fx) * depth, ((v - intrinsics.cy) / intrinsics.fy) * depth, depth];
}

function distortNormalized(x: number, y: number, distortion: PlumbBob): [number, number] {
  const [k1 = 0, k2 = 0, p1 = 0, p2 = 0, k3 = 0] = distortion;
  const r2 = x * x + y * y;
  const radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3));
  return [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y];
}

/** Where the ideal (undistorted) pixel (u, v) lands in the image of a lens with plumb_bob distortion. */
export function distortPoint(intrinsics: Intrinsics, distortion: PlumbBob, u: number, v: number): [number, number] {
  const x = (u - intrinsics.cx) / intrinsics.fx;
  const y = (v - intrinsics.cy) / intrinsics.fy;
  const [xd, yd] = distortNormalized(x, y, distortion);
  return [xd * intrinsics.fx + intrinsics.cx, yd * intrinsics.fy + intrinsics.cy];
}

/**
 * Ideal pixel of the distorted pixel (u, v), the inverse of distortPoint: fixed-point iteration as in OpenCV's
 * undistortPoints, until the step is below 1e-12 in normalised coordinates or `iterations` are used up.
 */
export function undistortPoint(
  intrinsics: Intrinsics,
  distortion: PlumbBob,
  u: number,
  v: number,
  iterations = 100,
): [number, number] {
  const [k1 = 0, k2 = 0, p1 = 0, p2 = 0, k3 = 0] = distortion;
  const xd = (u - intrinsics.cx) / intrinsics.fx;
  const yd = (v - intrinsics.cy) / intrinsics.fy;
  let x = xd;
  let y = yd;
  for (let i = 0; i < iterations; i++) {
    const r2 = x * x + y * y;
    const radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3));
    const nextX = (xd - 2 * p1 * x * y - p2 * (r2 + 2 * x * x)) / radial;
    const nextY = (yd - p1 * (r2 + 2 * y * y) - 2 * p2 * x * y) / radial;
    const step = Math.max(Math.abs(nextX - x), Math.abs(nextY - y));
    x = nextX;
    y = nextY;
    if (step < 1e-12) break;
  }
  return [x * intrinsics.fx + intrinsics.cx, y * intrinsics.fy + intrinsics.cy];
}

/**
 * Sampling map that removes distortion: for every pixel of the ideal image `target`, the pixel of the distorted camera
 * image `camera` to read. Returns float32 [height, width, 2] (u, v).
 */
export function undistortionMap(camera: Intrinsics, distortion: PlumbBob, target: Intrinsics = camera): Float32Array {
  const { width, height } = target;
  const map = new Float32Array(width * height * 2);
  for (let v = 0, o = 0; v < height; v++) {
    const y = (v - target.cy) / target.fy;
    for (let u = 0; u < width; u++, o += 2) {
      const [xd, yd] = distortNormalized((u - target.cx) / target.fx, y, distortion);
      map[o] = xd * camera.fx + camera.cx;
      map[o + 1] = yd * camera.fy + camera.cy;
    }
  }
  return map;
}

/**
 * Intrinsics of the ideal image of the camera's size whose every pixel the distorted camera image covers: the focal lengths grow
 * in steps of half a percent until no corner would be black. Barrel lenses need no growth.
 */
export function coveredIntrinsics(camera: Intrinsics, distortion: PlumbBob): Intrinsics {
  for (let zoom = 1; zoom < 3; zoom += 0.005) {
    const target = { ...camera, fx: camera.fx * zoom, fy: camera.fy * zoom };
    const map = undistortionMap(camera, distortion, target);
    let inside = true;
    for (let i = 0; i < map.length && inside; i += 2) {
      inside =
        map[i] >= -0.5 && map[i] <= camera.width - 0.5 && map[i + 1] >= -0.5 && map[i + 1] <= camera.height - 0.5;
    }
    if (inside) return target;
  }
  throw new Error(`distortion [${distortion.join(', ')}] leaves no view without black corners; check the calibration`);
}
