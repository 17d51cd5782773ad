/** A depth map at the size of a larger image, without points between objects. */
import type { ImageSize } from './imageResizer';

/** Neighbours whose depths differ by more than this factor belong to different surfaces. */
const SAME_SURFACE = 1.2;

/**
 * Depth at the pixel centres of a larger (or smaller) image of the same view. Between pixels of one surface inverse depth is linear, as that
 * of a plane is in the image; across an edge, and beside pixels without a depth (NaN, infinities), the nearest pixel's value is taken.
 *
 * @param depth [height][width]  @param into [outputHeight][outputWidth]
 */
export function enlargeDepth(
  depth: Float32Array,
  { width, height }: ImageSize,
  into: Float32Array,
  { width: outputWidth, height: outputHeight }: ImageSize,
): void {
  const { before: leftOf, after: rightOf, share } = places(width, outputWidth);
  const rows = places(height, outputHeight);
  for (let y = 0, at = 0; y < outputHeight; y++) {
    const top = rows.before[y] * width;
    const bottom = rows.after[y] * width;
    const b = rows.share[y];
    for (let x = 0; x < outputWidth;) {
      // All output columns between two columns of the map.
      const left = leftOf[x];
      const right = rightOf[x];
      let end = x + 1;
      while (end < outputWidth && leftOf[end] === left && rightOf[end] === right) end++;
      const topLeft = depth[top + left];
      const topRight = depth[top + right];
      const bottomLeft = depth[bottom + left];
      const bottomRight = depth[bottom + right];
      const nearest = Math.min(topLeft, topRight, bottomLeft, bottomRight); // NaN where one is
      const farthest = Math.max(topLeft, topRight, bottomLeft, bottomRight);
      if (nearest > 0 && farthest < Infinity && farthest <= SAME_SURFACE * nearest) {
        const from = (1 - b) / topLeft + b / bottomLeft;
        const rise = (1 - b) / topRight + b / bottomRight - from;
        for (; x < end; x++) into[at++] = 1 / (from + rise * share[x]);
      } else {
        const onLeft = b < 0.5 ? topLeft : bottomLeft;
        const onRight = b < 0.5 ? topRight : bottomRight;
        for (; x < end; x++) into[at++] = share[x] < 0.5 ? onLeft : onRight;
      }
    }
  }
}

/** Between which two samples each output sample lies, and how far towards the second one. */
function places(inputLength: number, outputLength: number) {
  const before = new Int32Array(outputLength);
  const after = new Int32Array(outputLength);
  const share = new Float32Array(outputLength);
  for (let output = 0; output < outputLength; output++) {
    const centre = ((output + 0.5) * inputLength) / outputLength - 0.5;
    const bounded = Math.min(Math.max(centre, 0), inputLength - 1);
    before[output] = Math.floor(bounded);
    after[output] = Math.min(before[output] + 1, inputLength - 1);
    share[output] = bounded - before[output];
  }
  return { before, after, share };
}
