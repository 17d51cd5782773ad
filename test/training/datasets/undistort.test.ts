import { join } from 'node:path';
import { coveredView, NO_DISTORTION } from '../../../src/geometry/lens';
import { readPicture } from '../../../src/media/imageFolder';
import { foldsInView, Undistorter } from '../../../src/training/datasets/undistort';
import { Random } from '../../../src/training/random';
import { cameraWithLens, distortPoint, plumbBob, undistortPoint } from '../../support/lensPoints';

const CAMERA = { width: 320, height: 180, fx: 289.6935, fy: 288.519, cx: 167.036, cy: 96.645 };
const BARREL = plumbBob(-0.256779, 0.043388, -0.000687, 0.000126, -0.115031);
const RECORDED = { intrinsics: CAMERA, distortion: BARREL, usableRows: 165 };
const fixture = (name: string) => readPicture(join(__dirname, 'fixtures', name));

test('agrees with OpenCV: remap, crop, area shrink (fixtures/make_undistort.py)', async () => {
  const camera = await fixture('undistort_camera.png');
  const expected = await fixture('undistort_expected.png');
  const seen = new Uint8Array(104 * 54 * 3);
  new Undistorter(RECORDED, 104, 54).apply(camera.data, seen);
  let sum = 0;
  let worst = 0;
  for (let i = 0; i < seen.length; i++) {
    const difference = Math.abs(seen[i] - expected.data[i]);
    sum += difference;
    worst = Math.max(worst, difference);
  }
  expect(sum / seen.length).toBeLessThan(0.7);
  expect(worst).toBeLessThanOrEqual(6);
});

test('the intrinsics follow crop and shrink: a ray meets the same point before and after', () => {
  const { intrinsics } = new Undistorter(RECORDED, 104, 54);
  expect(intrinsics).toMatchObject({ width: 104, height: 54 });
  expect(intrinsics.fx).toBeCloseTo((CAMERA.fx * 104) / 320, 9);
  expect(intrinsics.fy).toBeCloseTo((CAMERA.fy * 54) / 165, 9);
  // A white dot of the distorted picture must come out where its ray meets the new image.
  const frame = new Uint8Array(320 * 180 * 3);
  const [u, v] = [250, 120];
  for (let y = v - 3; y <= v + 3; y++)
    for (let x = u - 3; x <= u + 3; x++) frame.fill(255, 3 * (y * 320 + x), 3 * (y * 320 + x) + 3);
  const out = new Uint8Array(104 * 54 * 3);
  new Undistorter(RECORDED, 104, 54).apply(frame, out);
  const sums = [0, 0, 0];
  for (let i = 0; i < 104 * 54; i++) {
    sums[0] += out[3 * i];
    sums[1] += out[3 * i] * (i % 104);
    sums[2] += out[3 * i] * Math.floor(i / 104);
  }
  const [idealU, idealV] = undistortPoint(cameraWithLens(CAMERA, BARREL), u, v);
  expect(sums[1] / sums[0]).toBeCloseTo(((idealU - CAMERA.cx) / CAMERA.fx) * intrinsics.fx + intrinsics.cx, 1);
  expect(sums[2] / sums[0]).toBeCloseTo(((idealV - CAMERA.cy) / CAMERA.fy) * intrinsics.fy + intrinsics.cy, 1);
});

test('without distortion and shrink a ramp passes unchanged', () => {
  // The samples are bilinear and lie evenly about the pixel: a ramp comes out as it is, away from the border.
  const ramp = Uint8Array.from(
    { length: 24 * 16 * 3 },
    (_, i) => 5 * (Math.floor(i / 3) % 24) + 3 * Math.floor(i / 72) + (i % 3),
  );
  const out = new Uint8Array(ramp.length);
  const intrinsics = { width: 24, height: 16, fx: 20, fy: 20, cx: 12, cy: 8 };
  new Undistorter({ intrinsics, distortion: NO_DISTORTION }, 24, 16).apply(ramp, out);
  for (let v = 1; v < 15; v++)
    for (let i = (v * 24 + 1) * 3; i < (v * 24 + 23) * 3; i++)
      expect(Math.abs(out[i] - ramp[i])).toBeLessThanOrEqual(1);
});

test('a pincushion lens is zoomed until no corner is black', () => {
  const pincushion = cameraWithLens(CAMERA, plumbBob(0.2));
  const covered = coveredView(pincushion);
  expect(covered.fx).toBeGreaterThan(CAMERA.fx * 1.01);
  for (const [u, v] of [
    [0, 0],
    [319, 0],
    [0, 179],
    [319, 179],
  ]) {
    const idealU = ((u - covered.cx) / covered.fx) * CAMERA.fx + CAMERA.cx;
    const idealV = ((v - covered.cy) / covered.fy) * CAMERA.fy + CAMERA.cy;
    const [x, y] = distortPoint(pincushion, idealU, idealV);
    expect(x).toBeGreaterThanOrEqual(-0.5);
    expect(x).toBeLessThanOrEqual(319.5);
    expect(y).toBeGreaterThanOrEqual(-0.5);
    expect(y).toBeLessThanOrEqual(179.5);
  }
  expect(coveredView(cameraWithLens(CAMERA, BARREL))).toEqual(CAMERA);
});

test('of a camera much larger than the frames no pixel is left out', () => {
  // Nine by nine pixels of the camera become one. Their noise (uniform, deviation 255 / sqrt(12)) falls to a ninth where all have the same share.
  const large = { width: 9 * 32, height: 9 * 24, fx: 250, fy: 250, cx: 143.5, cy: 107.5 };
  const random = new Random(1);
  const noise = Uint8Array.from({ length: large.width * large.height * 3 }, () => 256 * random.uniform());
  const out = new Uint8Array(32 * 24 * 3);
  new Undistorter({ intrinsics: large, distortion: plumbBob(-0.05) }, 32, 24).apply(noise, out);
  const mean = out.reduce((sum, value) => sum + value, 0) / out.length;
  const deviation = Math.sqrt(out.reduce((sum, value) => sum + (value - mean) ** 2, 0) / out.length);
  expect(deviation / (255 / Math.sqrt(12) / 9)).toBeLessThan(1.15); // with four samples along each axis: 1.5
});

test('where the model folds back within the view it is zoomed until no pixel is read from there', () => {
  // 1 + r^2 (-.3) grows up to r = 1.05. The corner's ray is at 1.33: it would be read from inside the image, at .62.
  const camera = { width: 640, height: 480, fx: 300, fy: 300, cx: 319.5, cy: 239.5 };
  const folding = { intrinsics: camera, distortion: plumbBob(-0.3) };
  expect(foldsInView(folding)).toBe(true);
  expect(foldsInView(RECORDED)).toBe(false);
  const { fx } = new Undistorter(folding, 320, 240).intrinsics;
  expect(Math.hypot(159.5, 119.5) / fx).toBeLessThan(1 / Math.sqrt(3 * 0.3));
  expect(Math.hypot(159.5, 119.5) / fx).toBeGreaterThan(0.99 / Math.sqrt(3 * 0.3));
});
