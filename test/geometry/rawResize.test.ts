/** Bayer and yuv422 images shrunk in one pass, against OpenCV: decoded to rgb at full size, then shrunk by areas. */
import { ImageResizer } from '../../src/geometry/imageResizer';
import { imageBytes } from '../../src/media/imageEncodings';
import { bytes, difference, opencv } from '../support/opencv';

interface Answer {
  raw: string;
  step: number;
  expected: string;
  original: string;
}

const ENCODINGS = 'bayer_rggb8 bayer_bggr8 bayer_gbrg8 bayer_grbg8 uyvy yuv422 yuyv yuv422_yuy2'.split(' ');
type Size = [number, number];
/** Camera, network, and the mean and 99.9th percentile of the difference (0..255) that is let pass. */
const SIZES: [string, Size, Size, number, number][] = [
  ['a third', [1280, 720], [416, 128], 0.6, 6],
  ['two thirds', [640, 480], [416, 128], 1, 10],
  ['larger than the camera', [208, 100], [416, 128], 2, 24],
  ['the same', [416, 128], [416, 128], 2, 24],
];
let answers: Map<string, Answer>;

beforeAll(() => {
  const commands = ENCODINGS.flatMap((encoding) =>
    SIZES.map(([, size, output]) => ({ op: 'raw_image', encoding, size, output })),
  );
  const given = opencv<Answer>(commands);
  answers = new Map(commands.map(({ encoding, size, output }, i) => [`${encoding} ${size} ${output}`, given[i]]));
});

describe.each(ENCODINGS)('%s', (encoding) => {
  test.each(SIZES)('%s: as OpenCV', (_, size, output, mean, p999) => {
    const answer = answers.get(`${encoding} ${size} ${output}`)!;
    const [width, height] = size;
    const image = imageBytes({ width, height, encoding, step: answer.step, data: bytes(answer.raw) });
    const rgb = new Uint8Array(output[0] * output[1] * 3);
    new ImageResizer().resize(image, ...output, rgb);
    const seen = difference(rgb, bytes(answer.expected));
    expect(seen.mean).toBeLessThan(mean);
    expect(seen.p999).toBeLessThanOrEqual(p999);
    // and it is the picture that was taken, in its colours
    expect(difference(rgb, bytes(answer.original)).mean).toBeLessThan(4);
  });
});

test('rows with padding, an odd size and a buffer off the word borders do not matter', () => {
  const [width, height] = [53, 37];
  const level = [200, 120, 120, 40]; // of a flat picture through an rggb filter
  for (const [padding, offset] of [
    [0, 0],
    [3, 1],
    [5, 2],
  ]) {
    const step = width + padding;
    const data = new Uint8Array(step * height + offset).fill(255).subarray(offset);
    for (let v = 0; v < height; v++) for (let u = 0; u < width; u++) data[v * step + u] = level[2 * (v % 2) + (u % 2)];
    const rgb = new Uint8Array(16 * 12 * 3);
    new ImageResizer().resize(imageBytes({ width, height, encoding: 'bayer_rggb8', step, data }), 16, 12, rgb);
    expect(rgb).toEqual(Uint8Array.from({ length: rgb.length }, (_, i) => [200, 120, 40][i % 3]));
  }
});

test.each([0, 16, 128, 235, 255])('grey yuv422 is grey: luma %d', (luma) => {
  const data = new Uint8Array(64 * 32 * 2).map((_, i) => (i % 2 === 1 ? luma : 128));
  const rgb = new Uint8Array(20 * 10 * 3);
  new ImageResizer().resize(imageBytes({ width: 64, height: 32, encoding: 'uyvy', step: 128, data }), 20, 10, rgb);
  const level = Math.min(255, Math.max(0, Math.round(1.164 * (luma - 16))));
  expect(rgb.every((value) => value === level)).toBe(true);
});

test('sizes that cannot be are refused by field', () => {
  const at = (fields: object): (() => unknown) => {
    const image = { width: 4, height: 4, encoding: 'uyvy', step: 8, data: new Uint8Array(32), ...fields };
    return () => imageBytes(image);
  };
  expect(at({})).not.toThrow();
  expect(at({ width: 3 })).toThrow('width is 3; uyvy has pixels in pairs');
  expect(at({ step: 7 })).toThrow('step is 7, less than the 8 bytes of 4 uyvy pixels');
  expect(at({ encoding: 'bayer_rggb8', height: 1, data: new Uint8Array(8) })).toThrow('size is 4x1, less than the 2x2');
  expect(at({ data: new Uint8Array(31) })).toThrow('data has 31 bytes, step x height is 32');
  expect(at({ encoding: 'bayer_rggb16' })).toThrow(
    /encoding is "bayer_rggb16"; known are rgb8.*bayer_grbg8.*yuv422_yuy2/,
  );
});
