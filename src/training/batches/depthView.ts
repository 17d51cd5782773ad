/** Views of depth-like maps. */
import { insertSorted, lowerMedian } from '../datasets/resampleDepth';
import type { View } from './augment';

/** First and last source pixel whose centres output pixel i covers; the pixel under its centre where it covers none. */
function coveredBy(start: number, length: number, outSize: number, i: number, sourceSize: number): [number, number] {
  const scale = length / outSize;
  const inside = (pixel: number): number => Math.min(sourceSize - 1, Math.max(0, pixel));
  const first = Math.ceil(start + i * scale - 0.5);
  const last = Math.ceil(start + (i + 1) * scale - 0.5) - 1;
  if (last >= first) return [inside(first), inside(last)];
  const nearest = inside(Math.floor(start + (i + 0.5) * scale));
  return [nearest, nearest];
}

/**
 * A view of a measured map: every pixel takes one of the measurements it covers, their lower median, so that near and far, measured and
 * unmeasured are never mixed, and sparse LiDAR returns are not lost on the way down. A finer view takes the nearest pixel.
 *
 * @param source [sourceHeight, sourceWidth], 0 where nothing was measured  @param out the same, [outHeight, outWidth]
 */
export function viewMeasured(
  source: Float32Array,
  sourceWidth: number,
  sourceHeight: number,
  view: View,
  out: Float32Array,
  outHeight: number,
  outWidth: number,
): void {
  const columns = Array.from({ length: outWidth }, (_, x) =>
    coveredBy(view.left, view.width, outWidth, x, sourceWidth),
  );
  const most = (Math.ceil(view.width / outWidth) + 1) * (Math.ceil(view.height / outHeight) + 1);
  const covered = new Float32Array(most);
  for (let y = 0; y < outHeight; y++) {
    const [top, bottom] = coveredBy(view.top, view.height, outHeight, y, sourceHeight);
    for (let x = 0; x < outWidth; x++) {
      const [left, right] = columns[x];
      let count = 0;
      for (let v = top; v <= bottom; v++) {
        for (let u = left; u <= right; u++) {
          const value = source[v * sourceWidth + u];
          if (value > 0) insertSorted(covered, count++, value);
        }
      }
      out[y * outWidth + (view.mirrored ? outWidth - 1 - x : x)] = count > 0 ? covered[lowerMedian(count)] : 0;
    }
  }
}
