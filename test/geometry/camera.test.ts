import { cropIntrinsics, flipIntrinsics, project, scaleIntrinsics, type Intrinsics } from '../../src/geometry/camera';

const camera: Intrinsics = { width: 1280, height: 720, fx: 1158.8, fy: 1154.1, cx: 669.6, cy: 388.1 };
const point = [1.2, -0.4, 9] as const;

test('scaling keeps a point at the same share of the image, with pixel centres at integers', () => {
  const small = scaleIntrinsics(camera, 416, 128);
  const [u, v] = project(camera, ...point);
  const [us, vs] = project(small, ...point);
  expect((us + 0.5) / 416).toBeCloseTo((u + 0.5) / 1280, 12);
  expect((vs + 0.5) / 128).toBeCloseTo((v + 0.5) / 720, 12);
  expect(small.cx).toBeCloseTo((669.6 + 0.5) * (416 / 1280) - 0.5, 12);
});

test('cropping moves a pixel by the corner', () => {
  const [u, v] = project(camera, ...point);
  const cropped = cropIntrinsics(camera, 100, 50, 640, 480);
  const [uc, vc] = project(cropped, ...point);
  expect([uc, vc]).toEqual([expect.closeTo(u - 100, 9), expect.closeTo(v - 50, 9)]);
  expect([cropped.width, cropped.height]).toEqual([640, 480]);
});

test('a mirrored point lands on the mirrored pixel, and mirroring twice changes nothing', () => {
  const [u, v] = project(camera, ...point);
  const [uf, vf] = project(flipIntrinsics(camera), -point[0], point[1], point[2]);
  expect([uf, vf]).toEqual([expect.closeTo(1279 - u, 9), expect.closeTo(v, 9)]);
  expect(flipIntrinsics(flipIntrinsics(camera)).cx).toBeCloseTo(camera.cx, 12);
});

test('an empty image size is refused by name', () => {
  expect(() => scaleIntrinsics(camera, 0, 128)).toThrow(/toWidth must be positive and finite, got 0/);
  expect(() => cropIntrinsics(camera, 0, 0, 10, NaN)).toThrow(/height must be positive and finite, got NaN/);
});
