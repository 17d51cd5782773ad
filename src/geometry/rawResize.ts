/**
 * The area-averaging shrink of areaResize.ts for images that are not rgb yet, without a full-size rgb image in between: every colour is
 * averaged on the samples the sensor or the driver gives of it.
 */
import {
  checkBuffers,
  checkShape,
  exactTaps,
  fixedTaps,
  HORIZONTAL_TOTAL,
  laneOf,
  RowSums,
  TOTAL_BITS,
  VERTICAL_TOTAL,
  type AxisTaps,
  type ExactTaps,
  type ResizeShape,
} from './areaResize';

/** A colour filter array: red in every second row and column, blue diagonal to it, green beside both. One byte per pixel. */
export interface BayerLayout {
  readonly kind: 'bayer';
  readonly bytesPerPixel: 1;
  /** Row and column of the first red sample. */
  readonly redRow: 0 | 1;
  readonly redColumn: 0 | 1;
}

/** Two pixels in four bytes: a luma each, one chroma pair for both (limited range of ITU-R BT.601, as OpenCV and cv_bridge read it). */
export interface Yuv422Layout {
  readonly kind: 'yuv422';
  readonly bytesPerPixel: 2;
  /** Places in the four bytes; the second luma is two after the first. */
  readonly luma: number;
  readonly u: number;
  readonly v: number;
}

const bayer = (redRow: 0 | 1, redColumn: 0 | 1): BayerLayout => ({
  kind: 'bayer',
  bytesPerPixel: 1,
  redRow,
  redColumn,
});
export const BAYER_RGGB8 = bayer(0, 0);
export const BAYER_GRBG8 = bayer(0, 1);
export const BAYER_GBRG8 = bayer(1, 0);
export const BAYER_BGGR8 = bayer(1, 1);
export const UYVY: Yuv422Layout = { kind: 'yuv422', bytesPerPixel: 2, luma: 1, u: 0, v: 2 };
export const YUYV: Yuv422Layout = { kind: 'yuv422', bytesPerPixel: 2, luma: 0, u: 1, v: 3 };

/** The taps on samples `at` maps each source position to (position -> samples and their shares), in ascending order. */
function onSamples(taps: readonly ExactTaps[], at: (position: number) => readonly [number, number][]): ExactTaps[] {
  return taps.map(({ first, weights }) => {
    const sums = new Map<number, number>();
    weights.forEach((weight, i) => {
      for (const [sample, share] of at(first + i)) sums.set(sample, (sums.get(sample) ?? 0) + weight * share);
    });
    const from = Math.min(...sums.keys());
    const length = Math.max(...sums.keys()) - from + 1;
    return { first: from, weights: Array.from({ length }, (_, i) => sums.get(from + i) ?? 0) };
  });
}

/** Taps on every second sample, those in between being the mean of their neighbours (bilinear demosaicing). */
function parityTaps(inputLength: number, outputLength: number, parity: 0 | 1, total: number): AxisTaps {
  const last = Math.floor((inputLength - 1 - parity) / 2);
  const bound = (sample: number): number => Math.min(Math.max(sample, 0), last);
  const at = (position: number): [number, number][] =>
    position % 2 === parity
      ? [[(position - parity) / 2, 1]]
      : [
          [bound((position - 1 - parity) / 2), 0.5],
          [bound((position + 1 - parity) / 2), 0.5],
        ];
  return fixedTaps(onSamples(exactTaps(inputLength, outputLength), at), total);
}

/** Bayer images: every colour linear between its samples, green the mean of its two grids, averaged over areas. */
export class BayerResizer {
  readonly #shape: ResizeShape<BayerLayout>;
  /** Of the even and the odd rows. */
  readonly #rows: readonly [RowSums, RowSums];
  readonly #columns: readonly [AxisTaps, AxisTaps];

  /** Throws RangeError as AreaResizer, and below 2x2 pixels. */
  constructor(shape: ResizeShape<BayerLayout>) {
    checkShape(shape);
    const { width, height, step, outputWidth, outputHeight } = shape;
    if (width < 2 || height < 2) throw new RangeError(`size is ${width}x${height}; a Bayer pattern takes 2x2 pixels`);
    this.#shape = shape;
    const rows = (parity: 0 | 1): RowSums =>
      new RowSums(parityTaps(height, outputHeight, parity, VERTICAL_TOTAL), width, 2 * step);
    this.#rows = [rows(0), rows(1)];
    const columns = (parity: 0 | 1): AxisTaps => parityTaps(width, outputWidth, parity, HORIZONTAL_TOTAL);
    this.#columns = [columns(0), columns(1)];
  }

  /** As AreaResizer.resize. */
  resize(source: Uint8Array, output: Uint8Array): void {
    checkBuffers(this.#shape, source, output);
    const { step, layout, outputWidth, outputHeight } = this.#shape;
    const [even, odd] = this.#rows;
    even.begin(source);
    odd.begin(source.subarray(step));
    const [red, blue] = layout.redRow === 0 ? [even.lanes, odd.lanes] : [odd.lanes, even.lanes];
    for (let y = 0; y < outputHeight; y++) {
      even.next();
      odd.next();
      this.#reduceColumns(red, blue, output, y * outputWidth * 3);
    }
  }

  /** @param red sums of the rows that hold red and green  @param blue of those that hold green and blue */
  #reduceColumns(red: Uint16Array, blue: Uint16Array, output: Uint8Array, start: number): void {
    const { layout, outputWidth } = this.#shape;
    const half = 1 << (TOTAL_BITS - 1);
    const redColumns = this.#columns[layout.redColumn];
    const blueColumns = this.#columns[1 - layout.redColumn];
    const redLane = 2 * layout.redColumn;
    const blueLane = 2 - redLane;
    for (let x = 0, at = start, redTap = 0, blueTap = 0; x < outputWidth; x++, at += 3) {
      let redSum = half;
      let blueSum = half;
      let greenSum = 2 * half; // two grids: twice the total, which just fits 31 bits
      let sample = redColumns.first[x];
      for (const end = redTap + redColumns.count[x]; redTap < end; redTap++, sample++) {
        const weight = redColumns.weights[redTap];
        const lane = ((sample >> 1) << 2) + redLane + (sample & 1);
        redSum += red[lane] * weight;
        greenSum += blue[lane] * weight;
      }
      sample = blueColumns.first[x];
      for (const end = blueTap + blueColumns.count[x]; blueTap < end; blueTap++, sample++) {
        const weight = blueColumns.weights[blueTap];
        const lane = ((sample >> 1) << 2) + blueLane + (sample & 1);
        blueSum += blue[lane] * weight;
        greenSum += red[lane] * weight;
      }
      output[at] = redSum >> TOTAL_BITS;
      output[at + 1] = greenSum >> (TOTAL_BITS + 1);
      output[at + 2] = blueSum >> TOTAL_BITS;
    }
  }
}

/** yuv422 images: luma and chroma averaged over areas, then turned into rgb once per output pixel. */
export class Yuv422Resizer {
  readonly #shape: ResizeShape<Yuv422Layout>;
  readonly #rows: RowSums;
  readonly #lumas: AxisTaps;
  readonly #chromas: AxisTaps;

  /** Throws RangeError as AreaResizer, and where the width is odd. */
  constructor(shape: ResizeShape<Yuv422Layout>) {
    checkShape(shape);
    const { width, height, step, outputWidth, outputHeight } = shape;
    if (width % 2 !== 0) throw new RangeError(`width is ${width}; yuv422 has pixels in pairs`);
    this.#shape = shape;
    const columns = exactTaps(width, outputWidth);
    const rows = fixedTaps(exactTaps(height, outputHeight), VERTICAL_TOTAL);
    this.#rows = new RowSums(rows, width * 2, step);
    this.#lumas = fixedTaps(columns, HORIZONTAL_TOTAL);
    this.#chromas = fixedTaps(
      onSamples(columns, (position) => [[position >> 1, 1]]),
      HORIZONTAL_TOTAL,
    );
  }

  /** As AreaResizer.resize. */
  resize(source: Uint8Array, output: Uint8Array): void {
    checkBuffers(this.#shape, source, output);
    const { outputWidth, outputHeight } = this.#shape;
    this.#rows.begin(source);
    for (let y = 0; y < outputHeight; y++) {
      this.#rows.next();
      this.#reduceColumns(output, y * outputWidth * 3);
    }
  }

  #reduceColumns(output: Uint8Array, start: number): void {
    const { layout, outputWidth } = this.#shape;
    const { lanes } = this.#rows;
    const { first: firstLuma, count: lumaCount, weights: lumaWeights } = this.#lumas;
    const { first: firstPair, count: pairCount, weights: pairWeights } = this.#chromas;
    const lumaLane = 2 * layout.luma;
    const uLane = laneOf(layout.u);
    const vLane = laneOf(layout.v);
    for (let x = 0, at = start, lumaTap = 0, chromaTap = 0; x < outputWidth; x++, at += 3) {
      let lumaSum = 0;
      let uSum = 0;
      let vSum = 0;
      let sample = firstLuma[x];
      for (const end = lumaTap + lumaCount[x]; lumaTap < end; lumaTap++, sample++) {
        lumaSum += lanes[((sample >> 1) << 2) + lumaLane + (sample & 1)] * lumaWeights[lumaTap];
      }
      let pair = 4 * firstPair[x];
      for (const end = chromaTap + pairCount[x]; chromaTap < end; chromaTap++, pair += 4) {
        const weight = pairWeights[chromaTap];
        uSum += lanes[pair + uLane] * weight;
        vSum += lanes[pair + vLane] * weight;
      }
      // 8 bits of fraction, and 10 more of the factors 1.164, 1.596, .813, .391, 2.018
      const grey = 1192 * ((lumaSum >> 14) - (16 << 8)) + (1 << 17);
      const u = (uSum >> 14) - (128 << 8);
      const v = (vSum >> 14) - (128 << 8);
      output[at] = inByte((grey + 1634 * v) >> 18);
      output[at + 1] = inByte((grey - 833 * v - 400 * u) >> 18);
      output[at + 2] = inByte((grey + 2066 * u) >> 18);
    }
  }
}

function inByte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
