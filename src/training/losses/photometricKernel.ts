/**
 * View synthesis and the photometric error with its gradient, in one pass over typed arrays.
 *
 * Built of ordinary tensor operations this loss is most of a training step (SSIM pooling and element-wise work);
 * fused it reads each pixel a few times and allocates nothing. The arithmetic is in native/photometric.cc. Checked against finite
 * differences and kornia in test/training/losses.
 *
 * Source: SfMLearner (Zhou et al. 2017) for the warp; Monodepth2 (Godard et al. 2019) for 0.85 (1 - SSIM) / 2 + 0.15 L1,
 * the per-pixel minimum over the sources and the auto-mask.
 */
import { native, type WorkspaceArguments } from '../../native';

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
  /** Error per pixel, and what its gradient is weighed with. */
  readonly error: Float32Array;
  readonly weight: Float32Array;

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
    this.error = new Float32Array(n);
    this.weight = new Float32Array(n);
  }
}

function workspaceArguments(work: PhotometricWorkspace, { fx, fy, cx, cy }: KernelIntrinsics): WorkspaceArguments {
  const camera = Float32Array.of(fx, fy, cx, cy);
  const { height, width, warped, warpedSlope, slopeOfLogDisparity, point, valid, coefficients } = work;
  return [height, width, camera, warped, warpedSlope, slopeOfLogDisparity, point, valid, coefficients];
}

/**
 * Warps `source` into the target view: p_s ~ K (R D(p) K^-1 p + t), bilinear. A sample outside the image is clamped to its border
 * and marked invalid, as is a point behind the camera (nearer than 1 mm in metres to its image plane).
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
  const transform = [Float32Array.from(rotation), Float32Array.from(translation)] as const;
  native.warpIntoTarget(...workspaceArguments(work, k), source, logDisparity, ...transform);
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
  native.photometricError(height, width, a, b, out);
}

/**
 * Gradient of sum_p weight(p) * error(p) with respect to the warped image in `work`, chained on to log-disparity and pose.
 *
 * @param weight [h,w], zero where this source was not the one chosen
 * @param gradLogDisparity [h,w], added to
 * @param gradPose 6 numbers, added to: d/dt of q = R p + t, then d/d(delta) of q = exp(delta) R p + t
 */
export function backwardThroughWarp(
  work: PhotometricWorkspace,
  target: Float32Array,
  weight: Float32Array,
  k: KernelIntrinsics,
  translation: ArrayLike<number>,
  gradLogDisparity: Float32Array,
  gradPose: Float64Array,
): void {
  const t = Float32Array.from(translation);
  native.backwardThroughWarp(...workspaceArguments(work, k), target, weight, t, gradLogDisparity, gradPose);
}

/**
 * The same from a gradient with respect to the warped image on.
 *
 * @param pull [h,w,3]; the other parameters as in backwardThroughWarp
 */
export function backwardFromImage(
  work: PhotometricWorkspace,
  pull: Float32Array,
  k: KernelIntrinsics,
  translation: ArrayLike<number>,
  gradLogDisparity: Float32Array,
  gradPose: Float64Array,
): void {
  const t = Float32Array.from(translation);
  native.backwardFromImage(...workspaceArguments(work, k), pull, t, gradLogDisparity, gradPose);
}
