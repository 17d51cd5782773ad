import type { Intrinsics } from '../../src/geometry/camera';
import { normalAt, type NormalOptions } from '../../src/geometry/surfaceNormals';
import { Random } from '../../src/training/random';
import { measuredNormals } from '../../src/training/batches/normalView';

const camera: Intrinsics = { width: 48, height: 36, fx: 50, fy: 44, cx: 21.3, cy: 16.8 };
const exact: NormalOptions = { radius: 1, largestResidual: 0.003 };

/** Depth of the plane n . p = -distance at a pixel. */
function planeAt(n: number[], distance: number, u: number, v: number, { fx, fy, cx, cy } = camera): number {
  return -distance / (n[0] * ((u - cx) / fx) + n[1] * ((v - cy) / fy) + n[2]);
}

function map(depth: (u: number, v: number) => number, { width, height } = camera): Float32Array {
  return Float32Array.from({ length: width * height }, (_, i) => depth(i % width, Math.floor(i / width)));
}

function normal(depth: Float32Array, u: number, v: number, options = exact, intrinsics = camera): number[] {
  const out = new Float32Array(3);
  normalAt(depth, intrinsics, u, v, options, out);
  return [...out];
}

function angle(a: number[], b: number[]): number {
  return (180 / Math.PI) * Math.acos(Math.min(1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2]));
}

test.each([
  ['fronto-parallel wall', [0, 0, -1], 4],
  ['ground that fills the picture', [0, -0.8, -0.6], 1.6],
  ['slanted wall', [0.6, 0, -0.8], 30],
  ['near, tilted both ways', [2 / 7, 3 / 7, -6 / 7], 0.3],
])('the normal of the %s is the plane’s, at the border too', (_, n, distance) => {
  const depth = map((u, v) => planeAt(n, distance, u, v));
  for (const options of [exact, measuredNormals]) {
    let [known, largest] = [0, 0];
    for (let v = 0; v < camera.height; v++)
      for (let u = 0; u < camera.width; u++) {
        const found = normal(depth, u, v, options);
        if (found[2] === 0) continue;
        known++;
        largest = Math.max(largest, ...found.map((x, i) => Math.abs(x - n[i])));
      }
    expect(largest).toBeLessThan(1e-3);
    // Some corners have too little of their window.
    expect(known).toBeGreaterThan(0.94 * depth.length);
  }
});

test('on both sides of an edge the normal is that of the side the pixel is on', () => {
  const [near, far] = [
    [0.6, 0, -0.8],
    [0, 0, -1],
  ];
  const depth = map((u, v) => (u < 24 ? planeAt(near, 1, u, v) : planeAt(far, 4, u, v)));
  for (const options of [exact, measuredNormals]) {
    normal(depth, 23, 18, options).forEach((x, i) => expect(x).toBeCloseTo(near[i], 3));
    normal(depth, 24, 18, options).forEach((x, i) => expect(x).toBeCloseTo(far[i], 3));
  }
});

test('there is no normal in a hole, on a line of LiDAR returns, of the sky, or across a low step', () => {
  const none = [0, 0, 0];
  const wall = (u: number, v: number): number => planeAt([0, 0, -1], 4, u, v);
  expect(
    normal(
      map((u, v) => (u === 20 && v === 18 ? 0 : wall(u, v))),
      20,
      18,
    ),
  ).toEqual(none);
  // The hole's neighbours have theirs.
  expect(
    normal(
      map((u, v) => (u === 20 && v === 18 ? 0 : wall(u, v))),
      21,
      18,
    )[2],
  ).toBeCloseTo(-1, 5);
  expect(
    normal(
      map((u, v) => (v === 18 ? wall(u, v) : 0)),
      20,
      18,
      { ...exact, radius: 5 },
    ),
  ).toEqual(none);
  expect(
    normal(
      map(() => 100),
      20,
      18,
      { ...exact, farthest: 99 },
    ),
  ).toEqual(none);
  const step = map((u) => (u < 24 ? 4 : 4.1));
  expect([normal(step, 23, 18), normal(step, 24, 18)]).toEqual([none, none]);
  expect(normal(step, 22, 18)[2]).toBeCloseTo(-1, 5);
});

test('a Kinect’s noise turns the measured fit by a few degrees and a 3x3 fit by many', () => {
  const kinect: Intrinsics = { width: 80, height: 60, fx: 380, fy: 380, cx: 39.5, cy: 29.5 };
  const [focal, baseline] = [580, 0.075];
  const n = [0.48, -0.36, -0.8];
  const random = new Random(1);
  // Disparity in eighths of a pixel, with a deviation of an eighth (Khoshelham & Elberink 2012).
  const noise = (): number => (random.uniform() + random.uniform() + random.uniform() - 1.5) * 2 * 0.125;
  const depth = map((u, v) => {
    const disparity = (focal * baseline) / planeAt(n, 1.6, u, v, kinect);
    return (focal * baseline) / (Math.round(8 * (disparity + noise())) / 8);
  }, kinect);
  const meanAngle = (options: NormalOptions): number => {
    let [sum, count] = [0, 0];
    for (let v = 5; v < 55; v++)
      for (let u = 5; u < 75; u++) {
        const found = normal(depth, u, v, options, kinect);
        if (found[2] === 0) continue;
        sum += angle(found, n);
        count++;
      }
    expect(count).toBeGreaterThan(3000);
    return sum / count;
  };
  expect(meanAngle(measuredNormals)).toBeLessThan(6);
  expect(meanAngle({ ...measuredNormals, radius: 1 })).toBeGreaterThan(20);
});
