import {
  AreaResizer,
  axisTaps,
  BGR8,
  BGRA8,
  MONO8,
  RGB8,
  RGBA8,
  type PixelLayout,
} from '../../src/geometry/areaResize';

function noise(length: number): Uint8Array {
  let state = 12345;
  return Uint8Array.from({ length }, () => (state = (state * 1103515245 + 12345) >>> 0) >>> 24);
}

/** Mean of the covered area in floating point, the definition. */
function exactMean(
  source: Uint8Array,
  layout: PixelLayout,
  width: number,
  height: number,
  step: number,
  out: [number, number],
) {
  const [outputWidth, outputHeight] = out;
  const result = new Float64Array(outputWidth * outputHeight * 3);
  const [sx, sy] = [width / outputWidth, height / outputHeight];
  const overlap = (from: number, size: number, index: number): number =>
    Math.max(0, Math.min(from + size, index + 1) - Math.max(from, index));
  for (let v = 0; v < outputHeight; v++) {
    for (let u = 0; u < outputWidth; u++) {
      for (const [c, channel] of [layout.red, layout.green, layout.blue].entries()) {
        let sum = 0;
        for (let y = Math.floor(v * sy); y < Math.min(height, (v + 1) * sy); y++) {
          for (let x = Math.floor(u * sx); x < Math.min(width, (u + 1) * sx); x++) {
            sum +=
              overlap(v * sy, sy, y) * overlap(u * sx, sx, x) * source[y * step + x * layout.bytesPerPixel + channel];
          }
        }
        result[(v * outputWidth + u) * 3 + c] = sum / (sx * sy);
      }
    }
  }
  return result;
}

const layouts: [string, PixelLayout][] = [
  ['rgb8', RGB8],
  ['bgr8', BGR8],
  ['rgba8', RGBA8],
  ['bgra8', BGRA8],
  ['mono8', MONO8],
];

describe.each(layouts)('%s', (_, layout) => {
  // sizes with whole and with fractional ratios; padding and offset that put rows off word borders
  test.each([
    [64, 48, 0, 0],
    [53, 37, 0, 0],
    [53, 37, 3, 1],
    [53, 37, 5, 4],
  ])('%dx%d, padding %d, offset %d: within 1.5 levels of the exact area mean', (width, height, padding, offset) => {
    const step = width * layout.bytesPerPixel + padding;
    const source = noise(step * height + offset).subarray(offset);
    const [outputWidth, outputHeight] = [16, 12];
    const output = new Uint8Array(outputWidth * outputHeight * 3);
    new AreaResizer({ width, height, step, layout, outputWidth, outputHeight }).resize(source, output);
    const exact = exactMean(source, layout, width, height, step, [outputWidth, outputHeight]);
    const worst = output.reduce((most, value, i) => Math.max(most, Math.abs(value - exact[i])), 0);
    expect(worst).toBeLessThan(1.5);
  });
});

test('the size it has already: unchanged, also where the last word of the last row ends the buffer', () => {
  const [width, height] = [7, 5];
  const source = noise(width * height * 3);
  const output = new Uint8Array(source.length);
  new AreaResizer({ width, height, step: width * 3, layout: RGB8, outputWidth: width, outputHeight: height }).resize(
    source,
    output,
  );
  expect(output).toEqual(source);
});

test.each([0, 1, 127, 254, 255])('flat images stay flat: %d', (level) => {
  const source = new Uint8Array(1280 * 71 * 3).fill(level);
  const output = new Uint8Array(416 * 13 * 3);
  const shape = { width: 1280, height: 71, step: 3840, layout: RGB8, outputWidth: 416, outputHeight: 13 };
  new AreaResizer(shape).resize(source, output);
  expect(output.every((value) => value === level)).toBe(true);
});

test('growing is linear between pixel centres', () => {
  const source = Uint8Array.of(0, 0, 0, 100, 100, 100);
  const output = new Uint8Array(4 * 3);
  new AreaResizer({ width: 2, height: 1, step: 6, layout: RGB8, outputWidth: 4, outputHeight: 1 }).resize(
    source,
    output,
  );
  expect([output[0], output[3], output[6], output[9]]).toEqual([0, 25, 75, 100]);
});

test('weights of every output sample sum to the total exactly', () => {
  const { count, weights } = axisTaps(1280, 416, 256);
  let tap = 0;
  for (const n of count) {
    expect(weights.slice(tap, tap + n).reduce((sum, weight) => sum + weight, 0)).toBe(256);
    tap += n;
  }
  expect(tap).toBe(weights.length);
});

test('shapes that cannot be are refused by name', () => {
  const shape = { width: 4, height: 4, step: 12, layout: RGB8, outputWidth: 2, outputHeight: 2 };
  expect(() => new AreaResizer({ ...shape, step: 11 })).toThrow('step is 11');
  expect(() => new AreaResizer({ ...shape, height: 0 })).toThrow('height is 0');
  expect(() => new AreaResizer(shape).resize(new Uint8Array(47), new Uint8Array(12))).toThrow('source has 47 bytes');
});
