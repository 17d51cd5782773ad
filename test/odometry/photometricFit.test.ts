/** Against warp.ts: residuals by its bilinear sampling, their derivatives by finite differences. */
import { compose, fromVector6, type Se3 } from '../../src/geometry/se3';
import { sampleBilinear, sourceCoordinates } from '../../src/geometry/warp';
import { greyOf, photometricFit, type GreyImage } from '../../src/odometry/photometricFit';

const [HEIGHT, WIDTH, STRIDE] = [48, 96, 4];
const camera = { width: WIDTH, height: HEIGHT, fx: 70, fy: 72, cx: 47, cy: 23 };
const motion = fromVector6([0.05, -0.02, 0.3, 0.004, -0.01, 0.003]);

/** Hills and a pattern on them: grey levels as a function of the place in the later camera's frame. */
const depthAt = (u: number, v: number): number => 6 + 2 * Math.sin(u / 17) + v / 20;
const depth = Float32Array.from({ length: HEIGHT * WIDTH }, (_, i) => depthAt(i % WIDTH, Math.floor(i / WIDTH)));
const image = (shift: number): GreyImage => ({
  height: HEIGHT,
  width: WIDTH,
  data: Uint8Array.from({ length: HEIGHT * WIDTH }, (_, i) => {
    const [u, v] = [(i % WIDTH) + shift, Math.floor(i / WIDTH)];
    return Math.round(128 + 50 * Math.sin(u / 5) * Math.cos(v / 7) + 40 * Math.sin((u + 2 * v) / 11));
  }),
});

/** Differences of grey levels (0..1) at every STRIDEth pixel, and where both images have it. */
function residuals(earlier: GreyImage, later: GreyImage, pose: Se3): { values: number[]; valid: boolean[] } {
  const { coordinates } = sourceCoordinates(depth, camera, pose, HEIGHT, WIDTH);
  const { samples, valid } = sampleBilinear(Float32Array.from(earlier.data), HEIGHT, WIDTH, 1, coordinates);
  const at: number[] = [];
  for (let v = STRIDE / 2; v < HEIGHT; v += STRIDE)
    for (let u = STRIDE / 2; u < WIDTH; u += STRIDE) at.push(v * WIDTH + u);
  return { values: at.map((i) => (samples[i] - later.data[i]) / 255), valid: at.map((i) => valid[i] === 1) };
}

test('error and information are those of finite differences', () => {
  const [earlier, later] = [image(0.7), image(0)];
  const fit = photometricFit(earlier, later, depth, camera, motion, STRIDE);
  const { values, valid } = residuals(earlier, later, motion);
  const inside = values.flatMap((value, i) => (valid[i] ? [value] : []));
  expect(Math.abs(fit.pixels - inside.length)).toBeLessThanOrEqual(1); // the image's last row and column
  expect(fit.error).toBeCloseTo(inside.reduce((sum, value) => sum + Math.abs(value), 0) / inside.length, 3);

  // Bilinear sampling has kinks at the pixels: steps shorter than the way to them.
  const step = 1e-4;
  const turned = (i: number, by: number): Se3 => {
    const change = fromVector6([0, 1, 2, 3, 4, 5].map((k) => (k === i ? by : 0)));
    if (i < 3) return { ...motion, translation: motion.translation.map((value, k) => value + (k === i ? by : 0)) };
    return { rotation: compose(change, motion).rotation, translation: motion.translation };
  };
  const jacobian = [0, 1, 2, 3, 4, 5].map((i) => {
    const [ahead, behind] = [residuals(earlier, later, turned(i, step)), residuals(earlier, later, turned(i, -step))];
    return ahead.values.map((value, n) => (value - behind.values[n]) / (2 * step));
  });
  const weight = values.map((value) => 1 / (1 + (value / 0.06) ** 2) ** 2);
  const expected = (i: number, j: number): number =>
    values.reduce((sum, _, n) => sum + (valid[n] ? weight[n] * jacobian[i][n] * jacobian[j][n] : 0), 0);
  for (let i = 0; i < 6; i++)
    for (let j = 0; j < 6; j++) {
      const size = Math.sqrt(expected(i, i) * expected(j, j));
      expect(Math.abs(fit.information[6 * i + j] - expected(i, j)) / size).toBeLessThan(0.02);
    }
});

test('the true motion of a plane explains its images, and what has no depth is left out', () => {
  // A wall at 5, seen after a step of .5 to the right: its picture has moved by f x .5 / 5 pixels to the left.
  const wall = new Float32Array(HEIGHT * WIDTH).fill(5);
  const [earlier, later] = [image(0), image(7)];
  const fit = photometricFit(earlier, later, wall, camera, fromVector6([0.5, 0, 0, 0, 0, 0]), STRIDE);
  expect(fit.error).toBeLessThan(0.003);
  expect(fit.errorAtRest).toBeGreaterThan(20 * fit.error);
  wall.fill(NaN, 0, wall.length / 2);
  wall.fill(Infinity, wall.length / 2, (3 * wall.length) / 4);
  const part = photometricFit(earlier, later, wall, camera, fromVector6([0.5, 0, 0, 0, 0, 0]), STRIDE);
  expect(part.pixels).toBeCloseTo(fit.pixels / 4, -1);
  wall.fill(NaN);
  expect(photometricFit(earlier, later, wall, camera, motion, STRIDE)).toMatchObject({ pixels: 0, error: 0 });
});

test('grey is that of the graph: .299 r + .587 g + .114 b', () => {
  const grey = new Uint8Array(3);
  greyOf(Uint8Array.of(255, 0, 0, 0, 255, 0, 200, 100, 50), grey);
  expect([...grey].map((level, i) => Math.abs(level - [76.2, 149.7, 124.2][i]) <= 1)).toEqual([true, true, true]);
});
