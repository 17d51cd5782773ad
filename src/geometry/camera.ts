/**
 * The pinhole camera; lens.ts has the distortion.
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
