/** Rectification against OpenCV: initUndistortRectifyMap (and fisheye's), remap at full size, cut, shrunk by areas. */
import { coveredView, isInside, Lens, sourcePixel, type DistortedCamera } from '../../src/geometry/lens';
import { ImageResizer } from '../../src/geometry/imageResizer';
import { Rectification, SHRUNK_SCALE } from '../../src/geometry/rectification';
import { RGB8 } from '../../src/geometry/areaResize';
import { cropIntrinsics, scaleIntrinsics } from '../../src/geometry/camera';
import { imageBytes } from '../../src/media/imageEncodings';
import { LENSES, type TestLens } from '../support/lenses';
import { bytes, difference, opencv } from '../support/opencv';

interface Answer {
  image: string;
  expected: string;
  seen: string;
  map: string;
}

const [WIDTH, HEIGHT] = [1280, 720];
const NETWORK = { width: 416, height: 128 };
const ROWS = [0, 660];

const distortedCamera = ({ model, k, d, r }: TestLens): DistortedCamera => ({
  camera: { width: WIDTH, height: HEIGHT, fx: k[0], fy: k[4], cx: k[2], cy: k[5] },
  lens: new Lens(model, d),
  rotation: r,
});
const sourceOf = (width: number, height: number) => ({ width, height, step: 3 * width, layout: RGB8 });
const floatsOf = (base64: string): Float32Array => new Float32Array(bytes(base64).buffer);

let answers: Answer[][];
beforeAll(() => {
  const output = [NETWORK.width, NETWORK.height];
  const commands = LENSES.flatMap(([, lens]) =>
    ROWS.map((rows) => ({ op: 'rectified', ...lens, rows, output, map: rows === 0 })),
  );
  const given = opencv<Answer>(commands);
  answers = LENSES.map((_, i) => given.slice(i * ROWS.length, (i + 1) * ROWS.length));
});

describe.each(LENSES.map(([name, lens], i) => [name, lens, i] as const))('%s', (_, lens, index) => {
  const distorted = distortedCamera(lens);
  const { p } = lens;
  const view = { width: WIDTH, height: HEIGHT, fx: p[0], fy: p[5], cx: p[2], cy: p[6] };

  test('every ray meets the pixel OpenCV gives', () => {
    const map = floatsOf(answers[index][0].map);
    const point = { x: 0, y: 0 };
    let worst = 0;
    for (let v = 0; v < HEIGHT; v += 7)
      for (let u = 0; u < WIDTH; u += 7) {
        if (!sourcePixel(distorted, view, u, v, point)) continue;
        const at = 2 * (v * WIDTH + u);
        worst = Math.max(worst, Math.abs(point.x - map[at]), Math.abs(point.y - map[at + 1]));
      }
    expect(worst).toBeLessThan(0.02);
  });

  test.each(ROWS.map((rows, i) => [rows, i]))(
    'the picture, rows %d: as OpenCV; what has no source is named',
    (rows, i) => {
      const answer = answers[index][i];
      const cut = cropIntrinsics(view, 0, 0, WIDTH, rows || HEIGHT);
      const target = scaleIntrinsics(cut, NETWORK.width, NETWORK.height);
      const image = imageBytes({
        width: WIDTH,
        height: HEIGHT,
        encoding: 'rgb8',
        step: 3 * WIDTH,
        data: bytes(answer.image),
      });
      const seen = floatsOf(answer.seen);
      const apart = (rgb: Uint8Array) =>
        difference(rgb, bytes(answer.expected), (byte) => seen[Math.floor(byte / 3)] > 0.999);
      const rgb = new Uint8Array(NETWORK.width * NETWORK.height * 3);
      const rectification = new Rectification(distorted, target, { ...image, layout: RGB8 });
      rectification.apply(image.data, rgb);
      expect(apart(rgb).mean).toBeLessThan(0.5);
      expect(apart(rgb).p999).toBeLessThanOrEqual(8);
      const outside = rectification.outside ?? new Uint8Array(seen.length);
      const wrong = outside.filter((flag, pixel) => (flag === 1 ? seen[pixel] === 1 : seen[pixel] < 0.5)).length;
      expect(wrong).toBeLessThanOrEqual(outside.length / 1000);

      // From the smaller copy that is made of Bayer, yuv422 and very large images: edges are sampled twice.
      const copy = sourceOf(SHRUNK_SCALE * NETWORK.width, SHRUNK_SCALE * NETWORK.height);
      const shrunk = new Uint8Array(copy.step * copy.height);
      new ImageResizer().resize(image, copy.width, copy.height, shrunk);
      new Rectification(distorted, target, copy).apply(shrunk, rgb);
      expect(apart(rgb).mean).toBeLessThan(1);
      expect(apart(rgb).p999).toBeLessThanOrEqual(20);
    },
  );
});

test('without distortion and shrink a picture passes unchanged', () => {
  const [width, height] = [24, 16];
  const camera = { width, height, fx: 20, fy: 20, cx: 12, cy: 8 };
  const straight = { camera, lens: new Lens('plumb_bob', []), rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
  const ramp = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => 40 + 5 * (Math.floor(i / 3) % width) + (i % 3),
  );
  const out = new Uint8Array(ramp.length);
  const same = new Rectification(straight, camera, sourceOf(width, height));
  same.apply(ramp, out);
  expect(same.outside).toBeUndefined();
  for (let v = 0; v < height; v++)
    for (let i = (v * width + 1) * 3; i < (v * width + width - 1) * 3; i++)
      expect(Math.abs(out[i] - ramp[i])).toBeLessThanOrEqual(1);
});

test('flat pictures stay flat, also where the border goes on outside', () => {
  const distorted = distortedCamera(LENSES[4][1]);
  const view = { width: 96, height: 64, fx: 10, fy: 10, cx: 47.5, cy: 31.5 };
  const rectification = new Rectification(distorted, view, sourceOf(192, 128));
  expect(rectification.outside).toBeDefined();
  for (const level of [0, 77, 255]) {
    const out = new Uint8Array(96 * 64 * 3);
    rectification.apply(new Uint8Array(192 * 128 * 3).fill(level), out);
    expect(out.every((value) => value === level)).toBe(true);
  }
});

test('what the model folds back from far outside is no picture of the scene', () => {
  // Radius 1 + r^2 (-.3): grows up to r = 1.05, and comes back into the image beyond it.
  const camera = { width: 640, height: 480, fx: 300, fy: 300, cx: 320, cy: 240 };
  const folded = { camera, lens: new Lens('plumb_bob', [-0.3]), rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
  const point = { x: 0, y: 0 };
  const wide = { width: 640, height: 480, fx: 120, fy: 120, cx: 320, cy: 240 };
  expect(sourcePixel(folded, wide, 320 + 120, 240, point)).toBe(true);
  expect(sourcePixel(folded, wide, 320 + 1.8 * 120, 240, point)).toBe(false);
  expect(isInside(point, camera)).toBe(true); // where it would have been read from
});

test('without p: the view of the camera matrix, zoomed until no corner is black', () => {
  const barrel = distortedCamera(LENSES[0][1]);
  expect(coveredView(barrel)).toEqual(barrel.camera);
  const pincushion = distortedCamera(LENSES[2][1]);
  const view = coveredView(pincushion);
  expect(view.fx).toBeGreaterThan(1010);
  expect(new Rectification(pincushion, scaleIntrinsics(view, 208, 64), sourceOf(416, 128)).outside).toBeUndefined();
});

test('what is no lens is refused by field', () => {
  expect(() => new Lens('kannala', [0.1])).toThrow(
    'distortion_model is "kannala" with 1 coefficients; known are plumb_bob, rational_polynomial, equidistant',
  );
  expect(() => new Lens('equidistant', [0, 0, 0, 0, 0.1])).toThrow('d has 5 coefficients; equidistant has 4');
  expect(() => new Lens('toString', [0.1])).toThrow('distortion_model is "toString"');
  expect(() => new Lens('plumb_bob', [0.1, NaN])).toThrow('d[1] is NaN');
  expect(() => new Lens('plumb_bob', [0.1, 0, 0, 0, 0, 0, 0, 0])).not.toThrow(); // padded with zeros
});
