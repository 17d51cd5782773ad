/**
 * Lens distortion taken out of an image on its way to the network's size: every output pixel is a fixed weighted sum of source pixels, of
 * samples spread evenly over it, each bilinear. Where they lie no farther apart than two pixels of the source nothing is left out.
 */
import type { PixelLayout } from './areaResize';
import type { Intrinsics } from './camera';
import type { ImageSize } from './imageResizer';
import { isInside, sourcePixel, type DistortedCamera } from './lens';

/** Of a source much larger than the view the samples would skip pixels: it is shrunk first. */
export const LARGEST_SCALE = 6;
/** What it is shrunk to, at least, in sizes of the view. */
export const SHRUNK_SCALE = 2;

const SAMPLE_DISTANCE = 1.5;
const WEIGHT_BITS = 14;
const WEIGHT_TOTAL = 1 << WEIGHT_BITS;

/** An image that is rectified: the camera's, or a smaller copy of it. */
export interface RectifiedSource extends ImageSize {
  /** Bytes from one row to the next. */
  readonly step: number;
  readonly layout: PixelLayout;
}

export class Rectification {
  /** 1 for each pixel of the view that the camera's image does not show; undefined where it shows all. */
  readonly outside: Uint8Array | undefined;
  readonly #source: RectifiedSource;
  /** Taps of output pixel i: first[i] .. first[i + 1] - 1. */
  readonly #first: Uint32Array;
  /** First byte of the tap's pixel in the source. */
  readonly #bytes: Uint32Array;
  readonly #weights: Uint16Array;

  /** @param view what comes out */
  constructor(distorted: DistortedCamera, view: Intrinsics, source: RectifiedSource) {
    const { width, height } = view;
    const { camera } = distorted;
    this.#source = source;
    const samples = Math.ceil(
      Math.max(source.width / width, source.height / height, SAMPLE_DISTANCE) / SAMPLE_DISTANCE,
    );
    const corners = new Corners(distorted, view);
    const taps = new PixelTaps(source);
    const first = new Uint32Array(width * height + 1);
    const outside = new Uint8Array(width * height);
    const [scaleX, scaleY] = [source.width / camera.width, source.height / camera.height];
    const point = { x: 0, y: 0 };
    let missing = 0;
    for (let v = 0, pixel = 0; v < height; v++) {
      for (let u = 0; u < width; u++, pixel++) {
        let inside = corners.areSeen(u, v);
        for (let sample = 0; sample < samples * samples; sample++) {
          const du = ((sample % samples) + 0.5) / samples;
          const dv = (Math.floor(sample / samples) + 0.5) / samples;
          corners.pointIn(u, v, du, dv, point);
          inside &&= isInside(point, camera);
          taps.add((point.x + 0.5) * scaleX - 0.5, (point.y + 0.5) * scaleY - 0.5);
        }
        if (!inside) {
          outside[pixel] = 1;
          missing++;
        }
        first[pixel + 1] = taps.finish();
      }
    }
    this.#first = first;
    this.#bytes = taps.bytes();
    this.#weights = taps.weights();
    this.outside = missing > 0 ? outside : undefined;
  }

  /** Whether it was made for images of this shape. */
  fits({ width, height, step, layout }: RectifiedSource): boolean {
    const own = this.#source;
    return own.width === width && own.height === height && own.step === step && own.layout === layout;
  }

  /** @param source image of the source's shape; what lies outside of it continues its border  @param into rgb8 of the view's size */
  apply(source: Uint8Array, into: Uint8Array): void {
    const { width, height, step, layout } = this.#source;
    const needed = step * (height - 1) + width * layout.bytesPerPixel;
    if (source.length < needed) throw new RangeError(`source has ${source.length} bytes, needs ${needed}`);
    const { red, green, blue } = layout;
    const first = this.#first;
    const bytes = this.#bytes;
    const weights = this.#weights;
    const half = WEIGHT_TOTAL >> 1;
    for (let pixel = 1, at = 0, tap = 0; pixel < first.length; pixel++, at += 3) {
      let redSum = half;
      let greenSum = half;
      let blueSum = half;
      for (const end = first[pixel]; tap < end; tap++) {
        const byte = bytes[tap];
        const weight = weights[tap];
        redSum += source[byte + red] * weight;
        greenSum += source[byte + green] * weight;
        blueSum += source[byte + blue] * weight;
      }
      into[at] = redSum >> WEIGHT_BITS;
      into[at + 1] = greenSum >> WEIGHT_BITS;
      into[at + 2] = blueSum >> WEIGHT_BITS;
    }
  }
}

/** Where the corners of the view's pixels are in the camera's image; between them the lens is smooth. */
class Corners {
  readonly #columns: number;
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  readonly #seen: Uint8Array;

  constructor(distorted: DistortedCamera, view: Intrinsics) {
    this.#columns = view.width + 1;
    const count = this.#columns * (view.height + 1);
    this.#x = new Float64Array(count);
    this.#y = new Float64Array(count);
    this.#seen = new Uint8Array(count);
    const point = { x: 0, y: 0 };
    for (let i = 0; i < count; i++) {
      const [u, v] = [(i % this.#columns) - 0.5, Math.floor(i / this.#columns) - 0.5];
      this.#seen[i] = sourcePixel(distorted, view, u, v, point) ? 1 : 0;
      this.#x[i] = point.x;
      this.#y[i] = point.y;
    }
  }

  areSeen(u: number, v: number): boolean {
    const at = v * this.#columns + u;
    const seen = this.#seen;
    return (seen[at] & seen[at + 1] & seen[at + this.#columns] & seen[at + this.#columns + 1]) === 1;
  }

  /** At (du, dv) of pixel (u, v), from 0 to 1 across it. */
  pointIn(u: number, v: number, du: number, dv: number, out: { x: number; y: number }): void {
    const at = v * this.#columns + u;
    const below = at + this.#columns;
    const between = (of: Float64Array): number =>
      (1 - dv) * ((1 - du) * of[at] + du * of[at + 1]) + dv * ((1 - du) * of[below] + du * of[below + 1]);
    out.x = between(this.#x);
    out.y = between(this.#y);
  }
}

/** Gathers the source pixels of one output pixel after the other, and their weights. */
class PixelTaps {
  readonly #source: RectifiedSource;
  /** Of the pixel in work: source positions. */
  #x: number[] = [];
  #y: number[] = [];
  /** Shares of the source pixels around them. */
  #window = new Float64Array(64);
  #bytes = new Uint32Array(1 << 16);
  #weights = new Uint16Array(1 << 16);
  #count = 0;

  constructor(source: RectifiedSource) {
    this.#source = source;
  }

  /** A bilinear sample at pixel (x, y), at the border where that is outside. */
  add(x: number, y: number): void {
    // NaN, of a ray along the image plane, becomes 0.
    this.#x.push(Math.min(Math.max(x || 0, 0), this.#source.width - 1));
    this.#y.push(Math.min(Math.max(y || 0, 0), this.#source.height - 1));
  }

  /** Ends an output pixel. @returns the number of all taps so far */
  finish(): number {
    const [xs, ys] = [this.#x, this.#y];
    const { step, layout } = this.#source;
    const left = Math.floor(Math.min(...xs));
    const top = Math.floor(Math.min(...ys));
    const columns = Math.floor(Math.max(...xs)) + 2 - left;
    const rows = Math.floor(Math.max(...ys)) + 2 - top;
    if (this.#window.length < columns * rows) this.#window = new Float64Array(columns * rows);
    const window = this.#window.fill(0, 0, columns * rows);
    for (let i = 0; i < xs.length; i++) {
      const [u, v] = [Math.floor(xs[i]), Math.floor(ys[i])];
      const [a, b] = [xs[i] - u, ys[i] - v];
      const at = (v - top) * columns + u - left;
      window[at] += (1 - a) * (1 - b);
      window[at + 1] += a * (1 - b);
      window[at + columns] += (1 - a) * b;
      window[at + columns + 1] += a * b;
    }
    // In fixed point, their sum exactly the total: a flat image stays flat.
    this.#reserve(columns * rows);
    const unit = WEIGHT_TOTAL / xs.length;
    let largest = this.#count;
    let missing = WEIGHT_TOTAL;
    for (let i = 0; i < columns * rows; i++) {
      const weight = Math.round(window[i] * unit);
      if (weight === 0) continue;
      this.#bytes[this.#count] = (top + Math.floor(i / columns)) * step + (left + (i % columns)) * layout.bytesPerPixel;
      this.#weights[this.#count] = weight;
      if (weight > this.#weights[largest]) largest = this.#count;
      missing -= weight;
      this.#count++;
    }
    this.#weights[largest] += missing;
    xs.length = ys.length = 0;
    return this.#count;
  }

  bytes(): Uint32Array {
    return this.#bytes.slice(0, this.#count);
  }

  weights(): Uint16Array {
    return this.#weights.slice(0, this.#count);
  }

  #reserve(more: number): void {
    if (this.#count + more <= this.#bytes.length) return;
    const [bytes, weights] = [this.#bytes, this.#weights];
    this.#bytes = new Uint32Array(2 * bytes.length + more);
    this.#weights = new Uint16Array(this.#bytes.length);
    this.#bytes.set(bytes);
    this.#weights.set(weights);
  }
}
