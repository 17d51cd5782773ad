/** Surface normals of a recording's depth in a view of it. */
import type { Intrinsics } from '../../geometry/camera';
import { normalAt, type NormalOptions } from '../../geometry/surfaceNormals';
import { nearestPixels, type View } from './augment';

export interface NormalViewOptions extends NormalOptions {
  /** Only every such row and column of the view has normals: those of neighbours with wide windows are nearly the same. */
  every: number;
}

/** A 3x3 fit to the rendered scenes' depth, which is exact but for its 16 bits; what lies at the farthest depth is sky. */
export const renderedNormals = (farthest: number): NormalViewOptions => ({
  radius: 1,
  largestResidual: 0.003,
  // Depth that was rounded to 16 bits may come back a little nearer.
  farthest: 0.999 * farthest,
  every: 1,
});

/**
 * For a Kinect's or a LiDAR's depth: at 2 m an eighth of a pixel's disparity is half a percent of depth, which a 3x3 fit turns into 40 degrees
 * and an 11x11 fit into 4.
 */
export const measuredNormals: NormalViewOptions = { radius: 5, largestResidual: 0.02, every: 2 };

/**
 * Fitted on the recording's own grid, where depths lie where they were measured; a shrunk map's depths are up to half a pixel off, which on
 * ground seen at a flat angle is another slope.
 *
 * @param depth metres along Z, [height, width] of `intrinsics`, 0 where there is none
 * @param out [outHeight, outWidth, 3], unit normals towards the camera in the view's optical frame; zeros where there is none
 */
export function viewNormals(
  depth: Float32Array,
  intrinsics: Intrinsics,
  view: View,
  { every, ...fit }: NormalViewOptions,
  out: Float32Array,
  outHeight: number,
  outWidth: number,
): void {
  out.fill(0);
  const columns = nearestPixels(view.left, view.width, outWidth, intrinsics.width);
  const rows = nearestPixels(view.top, view.height, outHeight, intrinsics.height);
  for (let y = 0; y < outHeight; y += every) {
    for (let x = 0; x < outWidth; x += every) {
      const at = 3 * (y * outWidth + (view.mirrored ? outWidth - 1 - x : x));
      const normal = out.subarray(at, at + 3);
      normalAt(depth, intrinsics, columns[x], rows[y], fit, normal);
      // Cropping and shrinking change the camera and not the normal; a mirror turns its x round.
      if (view.mirrored) normal[0] = -normal[0];
    }
  }
}
