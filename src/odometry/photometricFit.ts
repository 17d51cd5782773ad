/**
 * How well a motion explains a pair of images, and how firmly the pair holds it: what the odometry's covariance is made from.
 *
 * Every so-manyth pixel of the later image is put where depth and motion say into the earlier one. The sum of J'J over the grey levels' differences (its columns: x y z
 * of the motion, then a small rotation, both in the earlier camera's axes) is the information of a least-squares fit (Barfoot, State Estimation for Robotics, 2017, 4.3),
 * with weights that leave moving things out.
 */
import { MIN_DEPTH, RESIDUAL_SCALE, type PinholeParameters } from '../geometry/alignment';
import type { Se3 } from '../geometry/se3';

export interface GreyImage {
  readonly height: number;
  readonly width: number;
  /** uint8 [height][width]. */
  readonly data: Uint8Array;
}

export interface PhotometricFit {
  /** Pixels compared: with a depth, and in both images. */
  readonly pixels: number;
  /** Mean absolute difference of grey levels (0..1) with the motion, and without any. */
  readonly error: number;
  readonly errorAtRest: number;
  /** 6x6 row-major, of grey levels 0..1: variance of a motion is its inverse times the variance of a pixel's difference. */
  readonly information: Float64Array;
}

const SCALE_SQUARED = (255 * RESIDUAL_SCALE) ** 2;

/** @param image uint8 [height][width][3] rgb; @param into grey, of a third of its length */
export function greyOf(image: Uint8Array, into: Uint8Array): void {
  for (let i = 0, at = 0; i < into.length; i++, at += 3)
    into[i] = (77 * image[at] + 150 * image[at + 1] + 29 * image[at + 2]) >> 8;
}

/**
 * @param depth of the later image, along Z; pixels where it is not finite are left out
 * @param motion points of the later camera to the earlier one's frame
 */
export function photometricFit(
  earlier: GreyImage,
  later: GreyImage,
  depth: Float32Array,
  { fx, fy, cx, cy }: PinholeParameters,
  { rotation: r, translation: t }: Se3,
  stride = 4,
): PhotometricFit {
  const { height, width } = later;
  const upper = new Float64Array(21);
  const j = new Float64Array(6);
  let [pixels, error, errorAtRest] = [0, 0, 0];
  for (let v = stride >> 1; v < height; v += stride)
    for (let u = stride >> 1; u < width; u += stride) {
      const at = v * width + u;
      const d = depth[at];
      if (!(d > 0) || d === Infinity) continue;
      const x = ((u - cx) / fx) * d;
      const y = ((v - cy) / fy) * d;
      // Turned alone, and moved: a small rotation turns the former.
      const [px, py, pz] = [
        r[0] * x + r[1] * y + r[2] * d,
        r[3] * x + r[4] * y + r[5] * d,
        r[6] * x + r[7] * y + r[8] * d,
      ];
      const z = pz + t[2];
      if (!(z > MIN_DEPTH)) continue;
      const [qx, qy] = [(px + t[0]) / z, (py + t[1]) / z];
      const [su, sv] = [fx * qx + cx, fy * qy + cy];
      const [u0, v0] = [Math.floor(su), Math.floor(sv)];
      if (!(u0 >= 0 && v0 >= 0 && u0 < width - 1 && v0 < height - 1)) continue;
      const [a, b] = [su - u0, sv - v0];
      const from = v0 * width + u0;
      const source = earlier.data;
      const [i00, i01, i10, i11] = [source[from], source[from + 1], source[from + width], source[from + width + 1]];
      const difference = (1 - b) * (i00 + a * (i01 - i00)) + b * (i10 + a * (i11 - i10)) - later.data[at];
      pixels++;
      error += Math.abs(difference);
      errorAtRest += Math.abs(source[at] - later.data[at]);

      const gx = (fx * ((1 - b) * (i01 - i00) + b * (i11 - i10))) / z;
      const gy = (fy * ((1 - a) * (i10 - i00) + a * (i11 - i01))) / z;
      const gz = -(gx * qx + gy * qy);
      j[0] = gx;
      j[1] = gy;
      j[2] = gz;
      j[3] = py * gz - pz * gy;
      j[4] = pz * gx - px * gz;
      j[5] = px * gy - py * gx;
      const weight = 1 / (1 + (difference * difference) / SCALE_SQUARED) ** 2;
      for (let k = 0, n = 0; k < 6; k++) for (let l = k; l < 6; l++, n++) upper[n] += weight * j[k] * j[l];
    }
  const information = new Float64Array(36);
  for (let k = 0, n = 0; k < 6; k++)
    for (let l = k; l < 6; l++, n++) information[6 * k + l] = information[6 * l + k] = upper[n] / (255 * 255);
  const count = Math.max(1, pixels) * 255;
  return { pixels, error: error / count, errorAtRest: errorAtRest / count, information };
}
