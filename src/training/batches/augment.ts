/** Random views of a frame: crop, shrink, mirror, colour jitter. Geometry changes come with the intrinsics they imply. */
import { cropIntrinsics, flipIntrinsics, scaleIntrinsics, type Intrinsics } from '../../geometry/camera';
import type { Random } from '../random';

/** A sub-image to be resized to the training size, the same for every frame of a sample. */
export interface View {
  left: number;
  top: number;
  width: number;
  height: number;
  mirrored: boolean;
}

/** Weights of the source pixels that make up each output pixel along one axis. */
interface Taps {
  first: Int32Array;
  count: Int32Array;
  weights: Float32Array;
  stride: number;
}

/**
 * Area average when shrinking, linear interpolation when enlarging; the output's pixel i covers
 * [start + i * scale, start + (i + 1) * scale) of the source.
 */
function axisTaps(start: number, length: number, sourceSize: number, outSize: number, mirrored: boolean): Taps {
  const scale = length / outSize;
  const stride = Math.ceil(Math.max(scale, 1)) + 2;
  const taps: Taps = {
    first: new Int32Array(outSize),
    count: new Int32Array(outSize),
    weights: new Float32Array(outSize * stride),
    stride,
  };
  const reach = Math.max(scale, 1);
  for (let i = 0; i < outSize; i++) {
    const o = mirrored ? outSize - 1 - i : i;
    const centre = start + (i + 0.5) * scale - 0.5;
    const low = Math.max(0, Math.ceil(centre - (reach + 1) / 2));
    const high = Math.min(sourceSize - 1, Math.floor(centre + (reach + 1) / 2));
    taps.first[o] = Math.min(low, sourceSize - 1);
    let sum = 0;
    let n = 0;
    for (let j = taps.first[o]; j <= Math.max(high, taps.first[o]) && n < stride; j++, n++) {
      // Overlap of pixel j's unit interval with the window of width `reach` around the centre.
      const overlap = Math.min(j + 0.5, centre + reach / 2) - Math.max(j - 0.5, centre - reach / 2);
      const weight = Math.max(0, overlap);
      taps.weights[o * stride + n] = weight;
      sum += weight;
    }
    if (sum <= 0) {
      taps.weights[o * stride] = 1;
      sum = 1;
      n = Math.max(n, 1);
    }
    for (let m = 0; m < n; m++) taps.weights[o * stride + m] /= sum;
    taps.count[o] = n;
  }
  return taps;
}

/** Resizes the views of one sample's frames; keeps its row buffer between calls. */
export class ViewResizer {
  #rows = new Float32Array(0);

  /** @param source rgb8 [sourceHeight, sourceWidth, 3]  @param out rgb [outHeight, outWidth, 3] in 0..1 */
  resize(
    source: Uint8Array,
    sourceWidth: number,
    sourceHeight: number,
    view: View,
    out: Float32Array,
    outHeight: number,
    outWidth: number,
  ): void {
    const horizontal = axisTaps(view.left, view.width, sourceWidth, outWidth, view.mirrored);
    const vertical = axisTaps(view.top, view.height, sourceHeight, outHeight, false);
    const firstRow = vertical.first[0];
    const lastRow = Math.min(sourceHeight - 1, vertical.first[outHeight - 1] + vertical.count[outHeight - 1] - 1);
    const rowLength = outWidth * 3;
    const needed = (lastRow - firstRow + 1) * rowLength;
    if (this.#rows.length < needed) this.#rows = new Float32Array(needed);
    const rows = this.#rows;
    for (let y = firstRow; y <= lastRow; y++) {
      const into = (y - firstRow) * rowLength;
      for (let x = 0; x < outWidth; x++) {
        let r = 0;
        let g = 0;
        let b = 0;
        let p = 3 * (y * sourceWidth + horizontal.first[x]);
        const w0 = x * horizontal.stride;
        for (let n = 0; n < horizontal.count[x]; n++, p += 3) {
          const w = horizontal.weights[w0 + n];
          r += w * source[p];
          g += w * source[p + 1];
          b += w * source[p + 2];
        }
        rows[into + 3 * x] = r;
        rows[into + 3 * x + 1] = g;
        rows[into + 3 * x + 2] = b;
      }
    }
    for (let y = 0; y < outHeight; y++) {
      const w0 = y * vertical.stride;
      const base = (vertical.first[y] - firstRow) * rowLength;
      for (let i = 0; i < rowLength; i++) {
        let sum = 0;
        let p = base + i;
        for (let n = 0; n < vertical.count[y]; n++, p += rowLength) sum += vertical.weights[w0 + n] * rows[p];
        out[y * rowLength + i] = sum / 255;
      }
    }
  }
}

/** Source pixels nearest to the output pixels' centres along one axis of a view that is not mirrored. */
export function nearestPixels(start: number, length: number, outSize: number, sourceSize: number): Int32Array {
  return Int32Array.from({ length: outSize }, (_, i) =>
    Math.min(sourceSize - 1, Math.max(0, Math.round(start + ((i + 0.5) * length) / outSize - 0.5))),
  );
}

/** Nearest-neighbour view of depth, classes or the like, which must not be averaged across edges. */
export function sampleNearest<Map extends Float32Array | Uint8Array>(
  source: Map,
  sourceWidth: number,
  sourceHeight: number,
  view: View,
  out: Map,
  outHeight: number,
  outWidth: number,
): void {
  const columns = nearestPixels(view.left, view.width, outWidth, sourceWidth);
  const rows = nearestPixels(view.top, view.height, outHeight, sourceHeight);
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++)
      out[y * outWidth + (view.mirrored ? outWidth - 1 - x : x)] = source[rows[y] * sourceWidth + columns[x]];
  }
}

export function viewIntrinsics(intrinsics: Intrinsics, view: View, outHeight: number, outWidth: number): Intrinsics {
  const cropped = cropIntrinsics(intrinsics, view.left, view.top, view.width, view.height);
  const scaled = scaleIntrinsics(cropped, outWidth, outHeight);
  return view.mirrored ? flipIntrinsics(scaled) : scaled;
}

/** A random crop of at least the given share of each side; vertical position is free, so that the horizon moves. */
export function randomView(
  random: Random,
  sourceWidth: number,
  sourceHeight: number,
  minWidthShare: number,
  minHeightShare: number,
): View {
  const width = Math.round(sourceWidth * random.between(minWidthShare, 1));
  const height = Math.round(sourceHeight * random.between(minHeightShare, 1));
  return {
    width,
    height,
    left: random.integer(sourceWidth - width + 1),
    top: random.integer(sourceHeight - height + 1),
    mirrored: random.chance(0.5),
  };
}

/** Colour change of one sample, the same for all its frames (Monodepth2: half of the samples are left as they are). */
export interface ColourJitter {
  brightness: number;
  contrast: number;
  saturation: number;
  /** Per channel, a colour cast. */
  cast: [number, number, number];
  gamma: number;
}

export function randomJitter(random: Random): ColourJitter | undefined {
  if (random.chance(0.4)) return undefined;
  return {
    brightness: random.between(0.7, 1.3),
    contrast: random.between(0.75, 1.25),
    saturation: random.chance(0.15) ? 0 : random.between(0.6, 1.3),
    cast: [random.between(0.93, 1.07), random.between(0.95, 1.05), random.between(0.93, 1.07)],
    gamma: random.between(0.8, 1.25),
  };
}

/** Writes the jittered copy of rgb `image` (0..1) to `out`. */
export function applyJitter(image: Float32Array, jitter: ColourJitter | undefined, out: Float32Array): void {
  if (!jitter) {
    out.set(image);
    return;
  }
  const { brightness, contrast, saturation, cast, gamma } = jitter;
  const curve = new Float32Array(1025);
  for (let i = 0; i <= 1024; i++) curve[i] = (i / 1024) ** gamma;
  for (let i = 0; i < image.length; i += 3) {
    const grey = 0.299 * image[i] + 0.587 * image[i + 1] + 0.114 * image[i + 2];
    for (let c = 0; c < 3; c++) {
      let x = grey + saturation * (image[i + c] - grey);
      x = (0.5 + contrast * (x - 0.5)) * brightness * cast[c];
      x = x < 0 ? 0 : x > 1 ? 1 : x;
      out[i + c] = curve[(x * 1024 + 0.5) | 0];
    }
  }
}
