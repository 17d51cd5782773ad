/** Surface normals of measured or exact depth maps, which may have holes, edges and noise. */
import type { Intrinsics } from './camera';

export interface NormalOptions {
  /** A normal is that of the plane fitted to the (2 radius + 1)^2 pixels around it. */
  radius: number;
  /**
   * Root mean square distance of the pixels to their plane, as a share of inverse depth, above which they are none: above the depth's noise,
   * and below the 0.025 of an edge that is just too low for its two sides to be told apart.
   */
  largestResidual: number;
  /** Depth from here on, metres, has no surface (the sky of rendered scenes); default: all depth has one. */
  farthest?: number;
}

/** Pixels whose inverse depth differs from the middle's by a larger share lie behind or before an edge. */
const EDGE = 0.1;
/** Share of a window's pixels that must be on the surface. */
const LEAST_SUPPORT = 0.25;

/**
 * Writes the unit normal towards the camera, in its optical frame, at pixel (u, v); zeros where there is none: the pixel has no depth,
 * too few around it lie on its surface, or they are no plane.
 *
 * Inverse depth of a plane n . p = -d is linear in the image, 1/Z = -(n . ray)/d, so the plane is a linear least-squares fit to it, exact
 * on planes however they are tilted; its errors under a Kinect's noise are nearly the same at all depths (Khoshelham & Elberink 2012).
 *
 * @param depth metres along Z, [height, width] of `intrinsics`, 0 where there is none  @param out three numbers
 */
export function normalAt(
  depth: Float32Array,
  { width, height, fx, fy, cx, cy }: Intrinsics,
  u: number,
  v: number,
  { radius, largestResidual, farthest = Infinity }: NormalOptions,
  out: Float32Array,
): void {
  out.fill(0, 0, 3);
  const middle = depth[v * width + u];
  if (!(middle > 0 && middle < farthest)) return;
  // Sums over the window of (1, x, y, xx, xy, yy) and of the same with r = middle/Z - 1, where x, y count from the middle.
  let [n, sx, sy, sxx, sxy, syy, sr, sxr, syr, srr] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const [left, right] = [Math.max(0, u - radius), Math.min(width - 1, u + radius)];
  const [top, bottom] = [Math.max(0, v - radius), Math.min(height - 1, v + radius)];
  for (let row = top; row <= bottom; row++) {
    const y = row - v;
    for (let column = left, at = row * width + left; column <= right; column++, at++) {
      const z = depth[at];
      if (!(z > 0 && z < farthest)) continue;
      const r = middle / z - 1;
      if (r > EDGE || r < -EDGE) continue;
      const x = column - u;
      n++;
      sx += x;
      sy += y;
      sxx += x * x;
      sxy += x * y;
      syy += y * y;
      sr += r;
      sxr += x * r;
      syr += y * r;
      srr += r * r;
    }
  }
  const side = 2 * radius + 1;
  if (n < LEAST_SUPPORT * side * side) return;
  // About the mean, the normal equations are two by two.
  const [xx, xy, yy] = [sxx - (sx * sx) / n, sxy - (sx * sy) / n, syy - (sy * sy) / n];
  const [xr, yr] = [sxr - (sx * sr) / n, syr - (sy * sr) / n];
  const determinant = xx * yy - xy * xy;
  // Pixels in one line, or nearly, belong to many planes.
  if (determinant < 0.01 * xx * yy || determinant <= 0) return;
  const a = (yy * xr - xy * yr) / determinant;
  const b = (xx * yr - xy * xr) / determinant;
  const c = (sr - a * sx - b * sy) / n;
  const squares = srr - (sr * sr) / n - a * xr - b * yr;
  if (squares > n * largestResidual * largestResidual) return;
  // middle/Z = 1 + a x + b y + c, in terms of the ray ((u - cx)/fx, (v - cy)/fy, 1).
  const [nx, ny, nz] = [a * fx, b * fy, 1 + c + a * (cx - u) + b * (cy - v)];
  const length = Math.hypot(nx, ny, nz);
  out[0] = -nx / length;
  out[1] = -ny / length;
  out[2] = -nz / length;
}
