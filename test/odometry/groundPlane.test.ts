import { fitGroundPlane } from '../../src/odometry/groundPlane';
import { Random } from '../../src/training/random';
import { normal } from '../support/normal';

const camera = { width: 416, height: 128, fx: 240, fy: 240, cx: 207.5, cy: 55 };
const random = new Random(5);

/** A road under a camera of that height and pitch (radians, down is positive), a wall of obstacles on the left, noise. */
function road({ height = 1.6, pitch = 0, noise = 0, wall = 0 }): Float32Array {
  const { width, height: rows, fx, fy, cx, cy } = camera;
  return Float32Array.from({ length: width * rows }, (_, i) => {
    const [u, v] = [i % width, Math.floor(i / width)];
    const ray = [(u - cx) / fx, (v - cy) / fy, 1];
    const down = Math.cos(pitch) * ray[1] + Math.sin(pitch) * ray[2];
    const ground = down > 1e-3 ? height / down : Infinity;
    return Math.min(ground, u < wall * width ? 4 : 60) * (1 + noise * normal(random));
  });
}

test.each([
  ['a level road', {}, 1.6, 0.001],
  ['a pitched camera', { pitch: 0.06 }, 1.6, 0.001],
  ['noise of a tenth', { noise: 0.1 }, 1.6, 0.03],
  ['a wall beside it', { wall: 0.4, noise: 0.05 }, 1.6, 0.03],
  ['a small robot', { height: 0.25 }, 0.25, 0.001],
])('the height above %s', (_, scene, height, tolerance) => {
  const plane = fitGroundPlane(road(scene), camera)!;
  expect(Math.abs(plane.height / height - 1)).toBeLessThan(tolerance);
  expect(plane.normal[2]).toBeCloseTo(Math.sin((scene as { pitch?: number }).pitch ?? 0), 1);
});

test('a wall, nothing valid and a sky are no ground', () => {
  const flat = (z: number): Float32Array => new Float32Array(camera.width * camera.height).fill(z);
  for (const z of [5, NaN, Infinity]) expect(fitGroundPlane(flat(z), camera)).toBeUndefined();
});
