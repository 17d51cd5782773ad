/**
 * Area-averaging shrink of a camera image to the network's size: bytes in, rgb bytes out, one pass over the source.
 *
 * Every output pixel is the mean of the source area it covers, fractional borders included (OpenCV's INTER_AREA); an axis
 * that has to grow is interpolated linearly instead, at pixel centres. Fixed point throughout: an axis' weights sum to a
 * power of two exactly, so a flat image stays flat and an image that has the right size already comes out unchanged.
 *
 * The source is added up 4 bytes at a time, two 16-bit lanes in a 32-bit word: with weights that sum to 256 a lane
 * reaches 255 * 256 at most and never spills into its neighbour. That is what makes plain JavaScript fast enough
 * (docs/decisions.md has the figures), with no second copy of the image in a WebAssembly memory.
 */

/** Layout of one source pixel: bytes per pixel and where red, green and blue are in it. */
export interface PixelLayout {
  readonly kind: 'interleaved';
  readonly bytesPerPixel: number;
  readonly red: number;
  readonly green: number;
  readonly blue: number;
}

export const RGB8 = interleaved(3, 0, 1, 2);
export const BGR8 = interleaved(3, 2, 1, 0);
export const RGBA8 = interleaved(4, 0, 1, 2);
export const BGRA8 = interleaved(4, 2, 1, 0);
export const MONO8 = interleaved(1, 0, 0, 0);

function interleaved(bytesPerPixel: number, red: number, green: number, blue: number): PixelLayout {
  return { kind: 'interleaved', bytesPerPixel, red, green, blue };
}

export interface ResizeShape<Layout = PixelLayout> {
  /** Source size in pixels and bytes from one row to the next (at least width * bytesPerPixel). */
  readonly width: number;
  readonly height: number;
  readonly step: number;
  readonly layout: Layout;
  readonly outputWidth: number;
  readonly outputHeight: number;
}

/** Weights of one output sample along an axis: source samples first .. first + count - 1. */
export interface AxisTaps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** Weights of all output samples, one after the other; each sample's sum to `total`. */
  readonly weights: Int32Array;
  readonly total: number;
}

export const VERTICAL_TOTAL = 256;
export const HORIZONTAL_TOTAL = 1 << 14;
/** Bits of both totals together. */
export const TOTAL_BITS = 22;

/** Weights of one output sample: source samples first, first + 1, ...; they sum to 1. */
export interface ExactTaps {
  readonly first: number;
  readonly weights: readonly number[];
}

/** Weights that map `inputLength` samples to `outputLength`: box coverage when shrinking, linear interpolation between pixel centres when growing. */
export function exactTaps(inputLength: number, outputLength: number): ExactTaps[] {
  const scale = inputLength / outputLength;
  return Array.from({ length: outputLength }, (_, output) => {
    const weights: number[] = [];
    if (scale >= 1) {
      const begin = output * scale;
      const end = Math.min(inputLength, begin + scale);
      // A border that differs from a whole number by rounding noise alone would add a source sample of weight zero.
      const start = Math.floor(begin + 1e-9);
      const stop = Math.min(inputLength, Math.ceil(end - 1e-9));
      for (let input = start; input < stop; input++) {
        weights.push((Math.min(input + 1, end) - Math.max(input, begin)) / scale);
      }
      return { first: start, weights };
    }
    const centre = Math.min(Math.max((output + 0.5) * scale - 0.5, 0), inputLength - 1);
    const start = Math.min(Math.floor(centre), Math.max(inputLength - 2, 0));
    if (inputLength === 1) weights.push(1);
    else weights.push(1 - (centre - start), centre - start);
    return { first: start, weights };
  });
}

/** Taps in fixed point. Largest-remainder rounding keeps every sum exactly `total`. */
export function fixedTaps(taps: readonly ExactTaps[], total: number): AxisTaps {
  return {
    first: Int32Array.from(taps, ({ first }) => first),
    count: Int32Array.from(taps, ({ weights }) => weights.length),
    weights: Int32Array.from(taps.flatMap(({ weights }) => roundToTotal(weights, total))),
    total,
  };
}

/** `exactTaps` in fixed point. */
export function axisTaps(inputLength: number, outputLength: number, total: number): AxisTaps {
  return fixedTaps(exactTaps(inputLength, outputLength), total);
}

function roundToTotal(exact: readonly number[], total: number): number[] {
  const rounded = exact.map((weight) => Math.floor(weight * total));
  let missing = total - rounded.reduce((sum, weight) => sum + weight, 0);
  const byRemainder = exact
    .map((weight, index) => ({ index, remainder: weight * total - rounded[index] }))
    .sort((a, b) => b.remainder - a.remainder);
  for (let i = 0; missing > 0; i = (i + 1) % byRemainder.length, missing--) rounded[byRemainder[i].index]++;
  return rounded;
}

/** Throws RangeError when a size is not a positive integer or the step is smaller than a row. */
export function checkShape({ width, height, step, layout, outputWidth, outputHeight }: ResizeShape<Layout>): void {
  for (const [name, value] of Object.entries({ width, height, outputWidth, outputHeight })) {
    if (!Number.isInteger(value) || value <= 0)
      throw new RangeError(`${name} is ${value}; it must be a positive integer`);
  }
  const rowBytes = width * layout.bytesPerPixel;
  if (step < rowBytes) throw new RangeError(`step is ${step}; a row of ${width} pixels takes ${rowBytes} bytes`);
}

interface Layout {
  readonly bytesPerPixel: number;
}

/** Throws RangeError when source or output are smaller than the shape needs. */
export function checkBuffers(
  { height, width, step, layout, outputWidth, outputHeight }: ResizeShape<Layout>,
  source: Uint8Array,
  output: Uint8Array,
): void {
  const needed = step * (height - 1) + width * layout.bytesPerPixel;
  if (source.length < needed) throw new RangeError(`source has ${source.length} bytes, needs ${needed}`);
  if (output.length < outputWidth * outputHeight * 3) throw new RangeError(`output has ${output.length} bytes`);
}

/** The vertical half of a resize: weighted sums of a source's rows, byte by byte, for one output row after the other. */
export class RowSums {
  /** Sums of the current output row, 16 bits each, 8 of them fraction; `lane` says where a byte's is. */
  readonly lanes: Uint16Array;
  readonly #taps: AxisTaps;
  readonly #rowBytes: number;
  readonly #step: number;
  /** Words of 4 source bytes per row, the last one padded. */
  readonly #wordsPerRow: number;
  /** Per source word the lanes of bytes 0 and 2, then of bytes 1 and 3. */
  readonly #sums: Uint32Array;
  readonly #alignedRow: Uint32Array;
  readonly #alignedRowBytes: Uint8Array;
  #source: Uint8Array = new Uint8Array(0);
  #words: Uint32Array | undefined;
  #wholeWords = 0;
  #output = 0;
  #tap = 0;

  /** @param taps over the rows, of total 256  @param step bytes from one of these rows to the next */
  constructor(taps: AxisTaps, rowBytes: number, step: number) {
    this.#taps = taps;
    this.#rowBytes = rowBytes;
    this.#step = step;
    this.#wordsPerRow = (rowBytes + 3) >> 2;
    this.#sums = new Uint32Array(this.#wordsPerRow * 2);
    this.lanes = new Uint16Array(this.#sums.buffer);
    this.#alignedRow = new Uint32Array(this.#wordsPerRow);
    this.#alignedRowBytes = new Uint8Array(this.#alignedRow.buffer);
  }

  /** Begins with the first output row of another source. */
  begin(source: Uint8Array): void {
    this.#source = source;
    // A row whose first byte is not on a word border, or whose last word reaches past the source, is read from an aligned copy.
    this.#wholeWords = source.length >> 2;
    this.#words =
      source.byteOffset % 4 === 0 ? new Uint32Array(source.buffer, source.byteOffset, this.#wholeWords) : undefined;
    this.#output = 0;
    this.#tap = 0;
  }

  /** Sums up the next output row. */
  next(): void {
    const { first, count, weights } = this.#taps;
    const y = this.#output++;
    const end = first[y] + count[y];
    const words = this.#words;
    let fresh = true;
    for (let row = first[y]; row < end; row++) {
      const weight = weights[this.#tap++];
      if (weight === 0 && !fresh) continue;
      const start = row * this.#step;
      let rowWords = this.#alignedRow;
      let firstWord = 0;
      if (words && start % 4 === 0 && (start >> 2) + this.#wordsPerRow <= this.#wholeWords) {
        rowWords = words;
        firstWord = start >> 2;
      } else this.#alignedRowBytes.set(this.#source.subarray(start, start + this.#rowBytes));
      if (fresh) this.#setRow(rowWords, firstWord, weight);
      else this.#addRow(rowWords, firstWord, weight);
      fresh = false;
    }
  }

  #setRow(words: Uint32Array, start: number, weight: number): void {
    const sums = this.#sums;
    const count = this.#wordsPerRow;
    for (let i = 0, lane = 0; i < count; i++, lane += 2) {
      const word = words[start + i];
      sums[lane] = Math.imul(word & 0x00ff00ff, weight);
      sums[lane + 1] = Math.imul((word >>> 8) & 0x00ff00ff, weight);
    }
  }

  #addRow(words: Uint32Array, start: number, weight: number): void {
    const sums = this.#sums;
    const count = this.#wordsPerRow;
    for (let i = 0, lane = 0; i < count; i++, lane += 2) {
      const word = words[start + i];
      sums[lane] += Math.imul(word & 0x00ff00ff, weight);
      sums[lane + 1] += Math.imul((word >>> 8) & 0x00ff00ff, weight);
    }
  }
}

const LITTLE_ENDIAN_LANE = [0, 2, 1, 3];

/** Place of a byte of the row in `RowSums.lanes`. */
export function laneOf(byte: number): number {
  return (byte & ~3) + LITTLE_ENDIAN_LANE[byte & 3];
}

/** A shrink of one fixed shape, its weights computed once. Make a new one when the source's shape changes. */
export class AreaResizer {
  readonly shape: ResizeShape;
  readonly #rows: RowSums;
  readonly #columns: AxisTaps;
  readonly #laneOfByte: Uint16Array;

  /** Throws RangeError when a size is not a positive integer or the step is smaller than a row. */
  constructor(shape: ResizeShape) {
    checkShape(shape);
    const { width, height, step, layout, outputWidth, outputHeight } = shape;
    this.shape = shape;
    const rowBytes = width * layout.bytesPerPixel;
    this.#rows = new RowSums(axisTaps(height, outputHeight, VERTICAL_TOTAL), rowBytes, step);
    this.#columns = axisTaps(width, outputWidth, HORIZONTAL_TOTAL);
    this.#laneOfByte = Uint16Array.from({ length: rowBytes }, (_, byte) => laneOf(byte));
  }

  /**
   * Shrinks `source` (at least step * (height - 1) + width * bytesPerPixel bytes) into `output`, rgb,
   * outputHeight x outputWidth x 3 bytes.
   */
  resize(source: Uint8Array, output: Uint8Array): void {
    checkBuffers(this.shape, source, output);
    const { outputWidth, outputHeight } = this.shape;
    this.#rows.begin(source);
    for (let y = 0; y < outputHeight; y++) {
      this.#rows.next();
      this.#reduceColumns(output, y * outputWidth * 3);
    }
  }

  #reduceColumns(output: Uint8Array, start: number): void {
    const { layout, outputWidth } = this.shape;
    const { bytesPerPixel, red, green, blue } = layout;
    const { first, count, weights } = this.#columns;
    const { lanes } = this.#rows;
    const laneOfByte = this.#laneOfByte;
    const half = 1 << (TOTAL_BITS - 1);
    let tap = 0;
    let at = start;
    for (let x = 0; x < outputWidth; x++) {
      let redSum = half;
      let greenSum = half;
      let blueSum = half;
      let byte = first[x] * bytesPerPixel;
      for (const end = tap + count[x]; tap < end; tap++, byte += bytesPerPixel) {
        const weight = weights[tap];
        redSum += lanes[laneOfByte[byte + red]] * weight;
        greenSum += lanes[laneOfByte[byte + green]] * weight;
        blueSum += lanes[laneOfByte[byte + blue]] * weight;
      }
      output[at++] = redSum >> TOTAL_BITS;
      output[at++] = greenSum >> TOTAL_BITS;
      output[at++] = blueSum >> TOTAL_BITS;
    }
  }
}
