import type { Intrinsics } from './camera.js';
import type { Se3 } from './se3.js';

/** Points nearer than this to the source camera's plane (depth units) are behind it. */
const MINIMUM_DEPTH = 1e-4;

/** A source image seen from the target camera. */
export interface WarpedImage {
  /** float32 [h, w, 3]; zero where invalid. */
  readonly image: Float32Array;
  /** uint8 [h, w]: 1 where the point lies before the source camera and inside its image. */
  readonly valid: Uint8Array;
}

/**
 * Pixel positions in the source image of every target pixel: p_s ~ K T D(p_t) K^-1 p_t (SfMLearner eq. 2).
 * @returns coordinates float32 [h, w, 2] (u, v; NaN behind the camera) and source depth float32 [h, w].
 */
export function sourceCoordinates(
  depth: Float32Array,
  intrinsics: Intrinsics,
  targetToSource: Se3,
  height: number,
  width: number,
): { coordinates: Float32Array; sourceDepth: Float32Array } {
  const { fx, fy, cx, cy } = intrinsics;
  const r = targetToSource.rotation;
  const t = targetToSource.translation;
  const coordinates = new Float32Array(height * width * 2);
  const sourceDepth = new Float32Array(height * width);
  for (let v = 0, i = 0; v < height; v++) {
    const y = (v - cy) / fy;
    for (let u = 0; u < width; u++, i++) {
      const x = (u - cx) / fx;
      const d = depth[i];
      const z = d * (r[6] * x + r[7] * y + r[8]) + t[2];
      sourceDepth[i] = z;
      if (z > MINIMUM_DEPTH) {
        coordinates[2 * i] = (fx * (d * (r[0] * x + r[1] * y + r[2]) + t[0])) / z + cx;
        coordinates[2 * i + 1] = (fy * (d * (r[3] * x + r[4] * y + r[5]) + t[1])) / z + cy;
      } else {
        coordinates[2 * i] = NaN;
        coordinates[2 * i + 1] = NaN;
      }
    }
  }
  return { coordinates, sourceDepth };
}

/**
 * Bilinear sampling at pixel coordinates (pixel centres at integers, i.e. grid_sample's align_corners=True convention).
 * @param source float32 [sourceHeight, sourceWidth, channels]
 * @param coordinates float32 [n, 2] (u, v); positions outside [0, width-1] x [0, height-1], and NaN, are invalid
 * @returns samples float32 [n, channels] (zero where invalid) and valid uint8 [n]
 */
export function sampleBilinear(
  source: Float32Array,
  sourceHeight: number,
  sourceWidth: number,
  channels: number,
  coordinates: Float32Array,
): { samples: Float32Array; valid: Uint8Array } {
  const count = coordinates.length / 2;
  const samples = new Float32Array(count * channels);
  const valid = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const u = coordinates[2 * i];
    const v = coordinates[2 * i + 1];
    if (!(u >= 0 && v >= 0 && u <= sourceWidth - 1 && v <= sourceHeight - 1)) continue;
    valid[i] = 1;
    // On the last column or row the fraction is 1, so that no pixel outside is read.
    const u0 = Math.min(Math.floor(u), Math.max(sourceWidth - 2, 0));
    const v0 = Math.min(Math.floor(v), Math.max(sourceHeight - 2, 0));
    const a = u - u0;
    const b = v - v0;
    const right = sourceWidth > 1 ? channels : 0;
    const down = sourceHeight > 1 ? sourceWidth * channels : 0;
    const o = (v0 * sourceWidth + u0) * channels;
    for (let c = 0; c < channels; c++) {
      const top = source[o + c] * (1 - a) + source[o + right + c] * a;
      const bottom = source[o + down + c] * (1 - a) + source[o + down + right + c] * a;
      samples[i * channels + c] = top * (1 - b) + bottom * b;
    }
  }
  return { samples, valid };
}

/**
 * The source image as seen from the target camera, given the target's depth.
 * @param source float32 [h, w, 3]
 * @param depth float32 [h, w], along the target's optical axis
 * @param targetToSource transform taking points from target-camera to source-camera coordinates
 */
export function warpImage(
  source: Float32Array,
  depth: Float32Array,
  intrinsics: Intrinsics,
  targetToSource: Se3,
  height: number,
  width: number,
): WarpedImage {
  if (source.length !== height * width * 3) {
    throw new RangeError(`warpImage: source has ${source.length} values, expected ${height}x${width}x3`);
  }
  if (depth.length !== height * width) {
    throw new RangeError(`warpImage: depth has ${depth.length} values, expected ${height}x${width}`);
  }
  const { coordinates } = sourceCoordinates(depth, intrinsics, targetToSource, height, width);
  const { samples, valid } = sampleBilinear(source, height, width, 3, coordinates);
  return { image: samples, valid };
}
