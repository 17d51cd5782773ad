/** kornia is the referee; scripts/fixtures/make_geometry_fixtures.py wrote its answers. Pixel centres at integers: align_corners=True. */
import fixtures from '../fixtures/geometry/kornia.json';
import { project } from '../../src/geometry/camera';
import { sourceMap } from '../../src/geometry/lens';
import { axisAngleFromRotation, fromVector6, rotationFromAxisAngle } from '../../src/geometry/se3';
import { sourceCoordinates, warpImage } from '../../src/geometry/warp';
import { cameraWithLens, distortPoint, plumbBob, undistortPoint } from '../support/lensPoints';

const { intrinsics } = fixtures.warp;
const { height, width } = intrinsics;
const depth = Float32Array.from(fixtures.warp.depth);
const transform = fromVector6(fixtures.warp.target_to_source);

test('the fixtures state the sampling convention', () => {
  expect(fixtures.align_corners).toBe(true);
});

test('warpImage equals warp_frame_depth wherever the sample lies inside the source', () => {
  const { image, valid } = warpImage(
    Float32Array.from(fixtures.warp.source),
    depth,
    intrinsics,
    transform,
    height,
    width,
  );
  let inside = 0;
  for (let i = 0; i < height * width; i++) {
    if (!valid[i]) continue;
    inside++;
    for (let c = 0; c < 3; c++) expect(Math.abs(image[3 * i + c] - fixtures.warp.warped[3 * i + c])).toBeLessThan(1e-5);
  }
  // Neither all nor none: both kinds of pixel are exercised.
  expect(inside).toBeGreaterThan(0.5 * height * width);
  expect(inside).toBeLessThan(height * width);
});

test('points outside the source image and behind the camera are invalid and black', () => {
  const far = new Float32Array(height * width).fill(3);
  const source = new Float32Array(height * width * 3).fill(1);
  const behind = warpImage(source, far, intrinsics, fromVector6([0, 0, -4, 0, 0, 0]), height, width);
  expect(behind.valid.some((v) => v === 1)).toBe(false);
  expect(behind.image.some((x) => x !== 0)).toBe(false);
  // Moving the points right by one pixel at depth 3 takes the last column out, and only it.
  const shifted = warpImage(source, far, intrinsics, fromVector6([3 / intrinsics.fx, 0, 0, 0, 0, 0]), height, width);
  for (let i = 0; i < height * width; i++) expect(shifted.valid[i]).toBe(i % width === width - 1 ? 0 : 1);
});

test('an image warped by the identity is itself', () => {
  const source = Float32Array.from(fixtures.warp.source);
  const { image } = warpImage(source, depth, intrinsics, fromVector6([0, 0, 0, 0, 0, 0]), height, width);
  // Float32 coordinates move a sample by up to 1e-6 pixels, and the outermost pixels may fall just outside.
  for (let v = 1; v < height - 1; v++) {
    for (let i = 3 * (v * width + 1); i < 3 * (v * width + width - 1); i++) {
      expect(Math.abs(image[i] - source[i])).toBeLessThan(1e-5);
    }
  }
});

test('project takes the points of depth_to_3d back to their pixels', () => {
  for (let v = 0, i = 0; v < height; v++) {
    for (let u = 0; u < width; u++, i++) {
      const [x, y, z] = fixtures.points.slice(3 * i, 3 * i + 3);
      const [uu, vv] = project(intrinsics, x, y, z);
      expect(Math.hypot(uu - u, vv - v)).toBeLessThan(1e-4);
    }
  }
});

test('source coordinates are the projections of the transformed points', () => {
  const { coordinates, sourceDepth } = sourceCoordinates(depth, intrinsics, transform, height, width);
  const { rotation: r, translation: t } = transform;
  for (let i = 0; i < height * width; i++) {
    const [x, y, z] = fixtures.points.slice(3 * i, 3 * i + 3);
    const q = [0, 1, 2].map((k) => r[3 * k] * x + r[3 * k + 1] * y + r[3 * k + 2] * z + t[k]);
    const [u, v] = project(intrinsics, q[0], q[1], q[2]);
    expect(Math.abs(sourceDepth[i] - q[2])).toBeLessThan(1e-5);
    expect(Math.hypot(coordinates[2 * i] - u, coordinates[2 * i + 1] - v)).toBeLessThan(1e-4);
  }
});

test('rotations equal angle_axis_to_rotation_matrix, and the logarithm inverts them', () => {
  fixtures.rotations.axis_angles.forEach((axisAngle, k) => {
    const rotation = rotationFromAxisAngle(axisAngle[0], axisAngle[1], axisAngle[2]);
    // kornia adds 1e-6 to the squared angle; hence 1e-5 and not 1e-12.
    rotation.forEach((value, i) => expect(Math.abs(value - fixtures.rotations.matrices[k][i])).toBeLessThan(1e-5));
    axisAngleFromRotation(rotation).forEach((value, i) => expect(Math.abs(value - axisAngle[i])).toBeLessThan(1e-9));
  });
});

describe('plumb_bob lens', () => {
  const { intrinsics: lens, distortion, pixels, undistorted, distorted } = fixtures.lens;
  const camera = cameraWithLens(lens, plumbBob(...distortion));

  test('rays meet the pixels of kornia, there and back', () => {
    pixels.forEach(([u, v], k) => {
      const [uu, vu] = undistortPoint(camera, u, v);
      expect(Math.hypot(uu - undistorted[k][0], vu - undistorted[k][1])).toBeLessThan(1e-4);
      const [ud, vd] = distortPoint(camera, u, v);
      expect(Math.hypot(ud - distorted[k][0], vd - distorted[k][1])).toBeLessThan(1e-4);
    });
  });

  test('sourceMap holds the pixel of every ray', () => {
    const small = { ...lens, width: 5, height: 4 };
    const map = sourceMap(camera, small);
    for (let v = 0, i = 0; v < 4; v++) {
      for (let u = 0; u < 5; u++, i++) {
        const [ud, vd] = distortPoint(camera, u, v);
        expect(Math.hypot(map[2 * i] - ud, map[2 * i + 1] - vd)).toBeLessThan(1e-3);
      }
    }
  });
});
