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
  readonly bytesPerPixel: number;
  readonly red: number;
  readonly green: number;
  readonly blue: number;
}

export const RGB8: PixelLayout = { bytesPerPixel: 3, red: 0, green: 1, blue: 2 };
export const BGR8: PixelLayout = { bytesPerPixel: 3, red: 2, green: 1, blue: 0 };
export const RGBA8: PixelLayout = { bytesPerPixel: 4, red: 0, green: 1, blue: 2 };
export const BGRA8: PixelLayout = { bytesPerPixel: 4, red: 2, green: 1, blue: 0 };
export const MONO8: PixelLayout = { bytesPerPixel: 1, red: 0, green: 0, blue: 0 };

export interface ResizeShape {
  /** Source size in pixels and bytes from one row to the next (at least width * bytesPerPixel). */
  readonly width: number;
  readonly height: number;
  readonly step: number;
  readonly layout: PixelLayout;
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

const VERTICAL_TOTAL = 256;
const HORIZONTAL_TOTAL = 1 << 14;

/**
 * Fixed-point weights that map `inputLength` samples to `outputLength`: box coverage when shrinking, linear
 * interpolation between pixel centres when growing. Largest-remainder rounding keeps every sum exactly `total`.
 */
export function axisTaps(inputLength: number, outputLength: number, total: number): AxisTaps {
  const first = new Int32Array(outputLength);
  const count = new Int32Array(outputLength);
  const weights: number[] = [];
  const scale = inputLength / outputLength;
  for (let output = 0; output < outputLength; output++) {
    const exact: number[] = [];
    if (scale >= 1) {
      const begin = output * scale;
      const end = Math.min(inputLength, begin + scale);
      // A border that differs from a whole number by rounding noise alone would add a source sample of weight zero.
      const start = Math.floor(begin + 1e-9);
      const stop = Math.min(inputLength, Math.ceil(end - 1e-9));
      first[output] = start;
      for (let input = start; input < stop; input++) {
        exact.push((Math.min(input + 1, end) - Math.max(input, begin)) / scale);
      }
    } else {
      const centre = Math.min(Math.max((output + 0.5) * scale - 0.5, 0), inputLength - 1);
      const start = Math.min(Math.floor(centre), Math.max(inputLength - 2, 0));
      first[output] = start;
      if (inputLength === 1) exact.push(1);
      else exact.push(1 - (centre - start), centre - start);
    }
    count[output] = exact.length;
    weights.push(...roundToTotal(exact, total));
  }
  return { first, count, weights: Int32Array.from(weights), total };
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

/** A shrink of one fixed shape, its weights computed once. Make a new one when the source's shape changes. */
export class AreaResizer {
  readonly shape: ResizeShape;
  readonly #rows: AxisTaps;
  readonly #columns: AxisTaps;
  /** Words of 4 source bytes per row, the last one padded. */
  readonly #wordsPerRow: number;
  /** Column sums of one output row: per source word the lanes of bytes 0 and 2, then of bytes 1 and 3. */
  readonly #sums: Uint32Array;
  readonly #sumLanes: Uint16Array;
  readonly #alignedRow: Uint32Array;
  readonly #alignedRowBytes: Uint8Array;
  /** Lane of each source byte of a row. */
  readonly #laneOfByte: Uint16Array;

  /** Throws RangeError when a size is not a positive integer or the step is smaller than a row. */
  constructor(shape: ResizeShape) {
    const { width, height, step, layout, outputWidth, outputHeight } = shape;
    for (const [name, value] of Object.entries({ width, height, outputWidth, outputHeight })) {
      if (!Number.isInteger(value) || value <= 0)
        throw new RangeError(`${name} is ${value}; it must be a positive integer`);
    }
    const rowBytes = width * layout.bytesPerPixel;
    if (step < rowBytes) throw new RangeError(`step is ${step}; a row of ${width} pixels takes ${rowBytes} bytes`);
    this.shape = shape;
    this.#rows = axisTaps(height, outputHeight, VERTICAL_TOTAL);
    this.#columns = axisTaps(width, outputWidth, HORIZONTAL_TOTAL);
    this.#wordsPerRow = (rowBytes + 3) >> 2;
    this.#sums = new Uint32Array(this.#wordsPerRow * 2);
    this.#sumLanes = new Uint16Array(this.#sums.buffer);
    this.#alignedRow = new Uint32Array(this.#wordsPerRow);
    this.#alignedRowBytes = new Uint8Array(this.#alignedRow.buffer);
    const littleEndianLane = [0, 2, 1, 3];
    this.#laneOfByte = Uint16Array.from({ length: rowBytes }, (_, byte) => (byte & ~3) + littleEndianLane[byte & 3]);
  }

  /** Whether this resizer fits a source of the given shape. */
  fits(width: number, height: number, step: number, layout: PixelLayout): boolean {
    const own = this.shape;
    return own.width === width && own.height === height && own.step === step && own.layout === layout;
  }

  /**
   * Shrinks `source` (at least step * (height - 1) + width * bytesPerPixel bytes) into `output`, rgb,
   * outputHeight x outputWidth x 3 bytes.
   */
  resize(source: Uint8Array, output: Uint8Array): void {
    const { height, width, step, layout, outputWidth, outputHeight } = this.shape;
    const needed = step * (height - 1) + width * layout.bytesPerPixel;
    if (source.length < needed) throw new RangeError(`source has ${source.length} bytes, needs ${needed}`);
    if (output.length < outputWidth * outputHeight * 3) throw new RangeError(`output has ${output.length} bytes`);
    // A row whose first byte is not on a word border, or whose last word reaches past the source, is read from an aligned copy.
    const wholeWords = source.length >> 2;
    const words =
      source.byteOffset % 4 === 0 ? new Uint32Array(source.buffer, source.byteOffset, wholeWords) : undefined;
    const rows = this.#rows;
    let tap = 0;
    for (let y = 0; y < outputHeight; y++) {
      const end = rows.first[y] + rows.count[y];
      let fresh = true;
      for (let row = rows.first[y]; row < end; row++, tap++) {
        const weight = rows.weights[tap];
        if (weight === 0 && !fresh) continue;
        const start = row * step;
        let rowWords = this.#alignedRow;
        let firstWord = 0;
        if (words && start % 4 === 0 && (start >> 2) + this.#wordsPerRow <= wholeWords) {
          rowWords = words;
          firstWord = start >> 2;
        } else this.#alignedRowBytes.set(source.subarray(start, start + width * layout.bytesPerPixel));
        if (fresh) this.#setRow(rowWords, firstWord, weight);
        else this.#addRow(rowWords, firstWord, weight);
        fresh = false;
      }
      this.#reduceColumns(output, y * outputWidth * 3);
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

  #reduceColumns(output: Uint8Array, start: number): void {
    const { layout, outputWidth } = this.shape;
    const { bytesPerPixel, red, green, blue } = layout;
    const { first, count, weights } = this.#columns;
    const lanes = this.#sumLanes;
    const laneOfByte = this.#laneOfByte;
    const shift = 22; // 8 bits of the rows' weights, 14 of the columns'
    const half = 1 << (shift - 1);
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
      output[at++] = redSum >> shift;
      output[at++] = greenSum >> shift;
      output[at++] = blueSum >> shift;
    }
  }
}
