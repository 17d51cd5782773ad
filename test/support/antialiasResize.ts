/**
 * The resize of the exported graph in plain TypeScript: ONNX Resize, mode linear, antialias, half_pixel. A triangle filter
 * stretched by the shrink factor; beyond the border the border's pixel goes on (exclude_outside = 0).
 */

/** Row-major rgb bytes, [height, width, 3]. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

interface Taps {
  first: number;
  weights: Float32Array;
}

function axisTaps(from: number, to: number): Taps[] {
  const { fround } = Math;
  const rate = fround(to / from);
  const support = Math.max(fround(1 / rate), 1);
  return Array.from({ length: to }, (_, index) => {
    // In float32 as onnxruntime does it: at column 1000 its rounding moves the weights by some 1e-5.
    const centre = fround(fround(fround(index + 0.5) / rate) - 0.5) + 0.5;
    const begin = Math.floor(centre - support + 0.5);
    const end = Math.floor(centre + support + 0.5);
    const first = Math.max(0, begin);
    const weights = new Float32Array(Math.min(from, end) - first);
    let sum = 0;
    for (let i = begin; i < end; i++) {
      const weight = Math.max(0, 1 - Math.abs((i + 0.5 - centre) / support));
      weights[Math.min(Math.max(i - first, 0), weights.length - 1)] += weight;
      sum += weight;
    }
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** @returns float32 [height, width, 3], 0..255 */
export function antialiasResize(image: RgbImage, height: number, width: number): Float32Array {
  if (image.data.length !== image.height * image.width * 3) {
    throw new Error(`an rgb image of ${image.width}x${image.height} has not ${image.data.length} bytes`);
  }
  if (image.height === height && image.width === width) return Float32Array.from(image.data);
  const columns = axisTaps(image.width, width);
  const rows = axisTaps(image.height, height);
  const narrow = new Float32Array(image.height * width * 3);
  for (let v = 0, to = 0; v < image.height; v++) {
    for (const { first, weights } of columns) {
      const from = (v * image.width + first) * 3;
      for (let channel = 0; channel < 3; channel++, to++) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += weights[i] * image.data[from + 3 * i + channel];
        narrow[to] = sum;
      }
    }
  }
  const rowSize = width * 3;
  const result = new Float32Array(height * rowSize);
  rows.forEach(({ first, weights }, v) => {
    for (let column = 0; column < rowSize; column++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * narrow[(first + i) * rowSize + column];
      result[v * rowSize + column] = sum;
    }
  });
  return result;
}
