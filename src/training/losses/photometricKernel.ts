/**
 * View synthesis and the photometric error with its gradient, in one pass over typed arrays.
 *
 * Built of ordinary tensor operations this loss is most of a training step (SSIM pooling and element-wise work, method.md 9);
 * fused it reads each pixel a few times and allocates nothing. Checked against finite differences and kornia in
 * test/training/losses.
 *
 * Source: SfMLearner (Zhou et al. 2017) for the warp; Monodepth2 (Godard et al. 2019) for 0.85 (1 - SSIM) / 2 + 0.15 L1,
 * the per-pixel minimum over the sources and the auto-mask.
 */
const SSIM_C1 = 0.01 * 0.01;
const SSIM_C2 = 0.03 * 0.03;
export const SSIM_WEIGHT = 0.85;
/** A warped pixel nearer than this to the source's image plane is behind the camera (in the depth map's unit). */
const MIN_WARP_DEPTH = 1e-3;

/** Pinhole intrinsics of the images the kernel works on, pixel centres at integers. */
export interface KernelIntrinsics {
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

/** Buffers for one image size; make one per size and thread, and use it again. */
export class PhotometricWorkspace {
  readonly warped: Float32Array;
  /** d warped / d x and d y, 3 channels each, interleaved x0 y0 x1 y1 x2 y2. */
  readonly warpedSlope: Float32Array;
  readonly slopeOfLogDisparity: Float32Array;
  readonly point: Float32Array;
  readonly valid: Uint8Array;
  readonly coefficients: Float32Array;

  constructor(
    readonly height: number,
    readonly width: number,
  ) {
    const n = height * width;
    this.warped = new Float32Array(3 * n);
    this.warpedSlope = new Float32Array(6 * n);
    this.slopeOfLogDisparity = new Float32Array(2 * n);
    this.point = new Float32Array(3 * n);
    this.valid = new Uint8Array(n);
    this.coefficients = new Float32Array(9 * n);
  }
}

/**
 * Warps `source` into the target view: p_s ~ K (R D(p) K^-1 p + t), bilinear. A sample outside the image is clamped to its border
 * and marked invalid, as is a point behind the camera.
 *
 * @param source rgb [h,w,3] in 0..1
 * @param logDisparity ln(1/Z) of the target [h,w]
 * @param rotation row-major 3x3, target to source; `translation` in the depth map's unit
 */
export function warpIntoTarget(
  work: PhotometricWorkspace,
  source: Float32Array,
  logDisparity: Float32Array,
  k: KernelIntrinsics,
  rotation: ArrayLike<number>,
  translation: ArrayLike<number>,
): void {
  const { height, width, warped, warpedSlope, slopeOfLogDisparity, point, valid } = work;
  const [r0, r1, r2, r3, r4, r5, r6, r7, r8] = Array.from(rotation);
  const [t0, t1, t2] = Array.from(translation);
  const { fx, fy, cx, cy } = k;
  for (let v = 0; v < height; v++) {
    const ry = (v - cy) / fy;
    for (let u = 0; u < width; u++) {
      const i = v * width + u;
      const depth = Math.exp(-logDisparity[i]);
      const rx = (u - cx) / fx;
      const ax = depth * (r0 * rx + r1 * ry + r2);
      const ay = depth * (r3 * rx + r4 * ry + r5);
      const az = depth * (r6 * rx + r7 * ry + r8);
      const qx = ax + t0;
      const qy = ay + t1;
      const qz = az + t2;
      const front = qz > MIN_WARP_DEPTH;
      const inverseZ = front ? 1 / qz : 1 / MIN_WARP_DEPTH;
      let x = fx * qx * inverseZ + cx;
      let y = fy * qy * inverseZ + cy;
      // The comparison is written so that NaN counts as outside.
      const insideX = x >= 0 && x <= width - 1;
      const insideY = y >= 0 && y <= height - 1;
      valid[i] = front && insideX && insideY ? 1 : 0;
      point[3 * i] = qx;
      point[3 * i + 1] = qy;
      point[3 * i + 2] = front ? qz : 0;
      // dD/du = -D, so dq/du = -(q - t).
      slopeOfLogDisparity[2 * i] = -fx * inverseZ * (ax - qx * inverseZ * az);
      slopeOfLogDisparity[2 * i + 1] = -fy * inverseZ * (ay - qy * inverseZ * az);
      x = insideX ? x : x > 0 ? width - 1 : 0;
      y = insideY ? y : y > 0 ? height - 1 : 0;
      let x0 = x | 0;
      let y0 = y | 0;
      if (x0 > width - 2) x0 = width - 2;
      if (y0 > height - 2) y0 = height - 2;
      const a = x - x0;
      const b = y - y0;
      const keepX = insideX ? 1 : 0;
      const keepY = insideY ? 1 : 0;
      const p = 3 * (y0 * width + x0);
      const q = p + 3 * width;
      for (let c = 0; c < 3; c++) {
        const s00 = source[p + c];
        const s01 = source[p + 3 + c];
        const s10 = source[q + c];
        const s11 = source[q + 3 + c];
        const top = s00 + a * (s01 - s00);
        const bottom = s10 + a * (s11 - s10);
        warped[3 * i + c] = top + b * (bottom - top);
        warpedSlope[6 * i + 2 * c] = keepX * ((1 - b) * (s01 - s00) + b * (s11 - s10));
        warpedSlope[6 * i + 2 * c + 1] = keepY * (bottom - top);
      }
    }
  }
}

/**
 * Photometric error 0.85 (1 - SSIM) / 2 + 0.15 |a - b|, mean over rgb, per pixel; SSIM over 3x3 windows.
 * The outermost ring of pixels has no full window and is left at 0.
 *
 * @param a,b rgb [h,w,3] in 0..1  @param out [h,w]
 */
export function photometricErrorInto(
  a: Float32Array,
  b: Float32Array,
  height: number,
  width: number,
  out: Float32Array,
): void {
  const row = 3 * width;
  out.fill(0);
  for (let v = 1; v < height - 1; v++) {
    for (let u = 1; u < width - 1; u++) {
      let error = 0;
      for (let c = 0; c < 3; c++) {
        const centre = v * row + 3 * u + c;
        let sa = 0;
        let sb = 0;
        let saa = 0;
        let sbb = 0;
        let sab = 0;
        for (let j = centre - row; j <= centre + row; j += row) {
          const a0 = a[j - 3];
          const a1 = a[j];
          const a2 = a[j + 3];
          const b0 = b[j - 3];
          const b1 = b[j];
          const b2 = b[j + 3];
          sa += a0 + a1 + a2;
          sb += b0 + b1 + b2;
          saa += a0 * a0 + a1 * a1 + a2 * a2;
          sbb += b0 * b0 + b1 * b1 + b2 * b2;
          sab += a0 * b0 + a1 * b1 + a2 * b2;
        }
        const ma = sa / 9;
        const mb = sb / 9;
        const n1 = 2 * ma * mb + SSIM_C1;
        const n2 = 2 * (sab / 9 - ma * mb) + SSIM_C2;
        const d1 = ma * ma + mb * mb + SSIM_C1;
        const d2 = saa / 9 - ma * ma + (sbb / 9 - mb * mb) + SSIM_C2;
        const ssim = (n1 * n2) / (d1 * d2);
        error +=
          SSIM_WEIGHT * Math.min(1, Math.max(0, 0.5 * (1 - ssim))) +
          (1 - SSIM_WEIGHT) * Math.abs(a[centre] - b[centre]);
      }
      out[v * width + u] = error / 3;
    }
  }
}

/**
 * Gradient of sum_p weight(p) * error(p) with respect to the warped image in `work`, chained on to log-disparity and pose.
 *
 * @param weight [h,w], zero where this source was not the one chosen
 * @param gradLogDisparity [h,w], added to
 * @param gradTranslation 3 numbers, added to: d/dt of q = R p + t
 * @param gradRotation 3 numbers, added to: d/d(delta) of q = exp(delta) R p + t
 */
export function backwardThroughWarp(
  work: PhotometricWorkspace,
  target: Float32Array,
  weight: Float32Array,
  k: KernelIntrinsics,
  translation: ArrayLike<number>,
  gradLogDisparity: Float32Array,
  gradTranslation: Float64Array,
  gradRotation: Float64Array,
): void {
  const { height, width, warped, warpedSlope, coefficients } = work;
  ssimCoefficients(work, target, weight);
  const row = 9 * width;
  const l1 = (1 - SSIM_WEIGHT) / 3;
  for (let v = 0; v < height; v++) {
    const firstRow = v > 0 ? -1 : 0;
    const lastRow = v < height - 1 ? 1 : 0;
    for (let u = 0; u < width; u++) {
      const i = v * width + u;
      const firstColumn = u > 0 ? -1 : 0;
      const lastColumn = u < width - 1 ? 1 : 0;
      let gx = 0;
      let gy = 0;
      const w = weight[i] * l1;
      for (let c = 0; c < 3; c++) {
        let sA = 0;
        let sB = 0;
        let sC = 0;
        for (let dv = firstRow; dv <= lastRow; dv++) {
          let j = 9 * i + 3 * c + dv * row + 9 * firstColumn;
          for (let du = firstColumn; du <= lastColumn; du++, j += 9) {
            sA += coefficients[j];
            sB += coefficients[j + 1];
            sC += coefficients[j + 2];
          }
        }
        const x = warped[3 * i + c];
        const y = target[3 * i + c];
        let g = sA + x * sB + y * sC;
        if (x > y) g += w;
        else if (x < y) g -= w;
        gx += g * warpedSlope[6 * i + 2 * c];
        gy += g * warpedSlope[6 * i + 2 * c + 1];
      }
      if (gx === 0 && gy === 0) continue;
      chainThroughWarp(work, i, gx, gy, k, translation, gradLogDisparity, gradTranslation, gradRotation);
    }
  }
}

/**
 * Chains one pixel's gradient with respect to its sampling position (gx, gy) on to log-disparity and pose.
 *
 * @param pixel index v * width + u; the other parameters as in backwardThroughWarp
 */
export function chainThroughWarp(
  work: PhotometricWorkspace,
  pixel: number,
  gx: number,
  gy: number,
  k: KernelIntrinsics,
  translation: ArrayLike<number>,
  gradLogDisparity: Float32Array,
  gradTranslation: Float64Array,
  gradRotation: Float64Array,
): void {
  const { slopeOfLogDisparity, point } = work;
  const qz = point[3 * pixel + 2];
  if (qz === 0) return; // behind the camera: the clamped sample does not depend on depth or pose
  gradLogDisparity[pixel] += gx * slopeOfLogDisparity[2 * pixel] + gy * slopeOfLogDisparity[2 * pixel + 1];
  const qx = point[3 * pixel];
  const qy = point[3 * pixel + 1];
  const px = (gx * k.fx) / qz;
  const py = (gy * k.fy) / qz;
  const pz = -(px * qx + py * qy) / qz;
  gradTranslation[0] += px;
  gradTranslation[1] += py;
  gradTranslation[2] += pz;
  const ax = qx - translation[0];
  const ay = qy - translation[1];
  const az = qz - translation[2];
  gradRotation[0] += ay * pz - az * py;
  gradRotation[1] += az * px - ax * pz;
  gradRotation[2] += ax * py - ay * px;
}

/** Per window and channel: d(weight * 0.85 (1 - SSIM) / 2 / 3) as A + B x_j + C y_j for every pixel j in the window. */
function ssimCoefficients(work: PhotometricWorkspace, target: Float32Array, weight: Float32Array): void {
  const { height, width, warped, coefficients } = work;
  const row = 3 * width;
  coefficients.fill(0);
  for (let v = 1; v < height - 1; v++) {
    for (let u = 1; u < width - 1; u++) {
      const i = v * width + u;
      const w = weight[i];
      if (w === 0) continue;
      for (let c = 0; c < 3; c++) {
        const centre = v * row + 3 * u + c;
        let sx = 0;
        let sy = 0;
        let sxx = 0;
        let syy = 0;
        let sxy = 0;
        for (let j = centre - row; j <= centre + row; j += row) {
          const x0 = warped[j - 3];
          const x1 = warped[j];
          const x2 = warped[j + 3];
          const y0 = target[j - 3];
          const y1 = target[j];
          const y2 = target[j + 3];
          sx += x0 + x1 + x2;
          sy += y0 + y1 + y2;
          sxx += x0 * x0 + x1 * x1 + x2 * x2;
          syy += y0 * y0 + y1 * y1 + y2 * y2;
          sxy += x0 * y0 + x1 * y1 + x2 * y2;
        }
        const mx = sx / 9;
        const my = sy / 9;
        const n1 = 2 * mx * my + SSIM_C1;
        const n2 = 2 * (sxy / 9 - mx * my) + SSIM_C2;
        const d1 = mx * mx + my * my + SSIM_C1;
        const d2 = sxx / 9 - mx * mx + (syy / 9 - my * my) + SSIM_C2;
        const inverse = 1 / (d1 * d2);
        const ssim = n1 * n2 * inverse;
        const half = 0.5 * (1 - ssim);
        if (half <= 0 || half >= 1) continue;
        const scale = (-w * SSIM_WEIGHT) / 2 / 3 / 9;
        const j = 9 * i + 3 * c;
        coefficients[j] = scale * (2 * my * (n2 - n1) * inverse - 2 * mx * ssim * (1 / d1 - 1 / d2));
        coefficients[j + 1] = (scale * -2 * ssim) / d2;
        coefficients[j + 2] = scale * 2 * n1 * inverse;
      }
    }
  }
}
