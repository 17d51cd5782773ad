import { scaleIntrinsics } from '../../../src/geometry/camera';
import { NO_DISTORTION } from '../../../src/geometry/lens';
import { DepthResampler } from '../../../src/training/datasets/resampleDepth';
import { cameraWithLens, plumbBob } from '../../support/lensPoints';

const CAMERA = { width: 6, height: 4, fx: 6, fy: 6, cx: 2.5, cy: 1.5 };

function resample(depth: number[], width: number, height: number): number[] {
  const into = new Float32Array(width * height).fill(-1);
  const camera = cameraWithLens(CAMERA, NO_DISTORTION);
  new DepthResampler(camera, scaleIntrinsics(CAMERA, width, height)).apply(Float32Array.from(depth), into);
  return [...into];
}

test('a pixel takes the lower median of the measurements it covers, never a mean', () => {
  // prettier-ignore
  const depth = [
    1, 2, 0, 0, 5, 5,
    3, 9, 0, 7, 5, 80,
    0, 0, 4, 8, 0, 0,
    0, 0, 4, 8, 6, 0,
  ];
  expect(resample(depth, 3, 2)).toEqual([2, 7, 5, 0, 4, 6]);
  expect(resample(depth, 6, 4)).toEqual(depth);
  expect(resample(depth, 1, 1)).toEqual([5]);
});

test('a finer grid repeats the nearest pixel', () => {
  const depth = Array.from({ length: 24 }, (_, i) => i + 1);
  const fine = resample(depth, 12, 8);
  expect(fine.slice(0, 12)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
  expect(fine.slice(24, 28)).toEqual([7, 7, 8, 8]);
});

test('depth moves with the lens distortion it was recorded under', () => {
  const camera = { width: 64, height: 48, fx: 60, fy: 60, cx: 31.5, cy: 23.5 };
  const depth = new Float32Array(64 * 48);
  // Barrel distortion, k1 = -0.2: the ideal point (0.4, 0) lies at 0.4 (1 - 0.2 * 0.16) = 0.3872, column 54.7, not 55.5.
  depth[23 * 64 + 55] = 7;
  const into = new Float32Array(64 * 48);
  new DepthResampler(cameraWithLens(camera, plumbBob(-0.2)), camera).apply(depth, into);
  const found = Array.from(into).flatMap((z, i) => (z > 0 ? [i % 64] : []));
  expect(found).toEqual([56]);
  expect(() =>
    new DepthResampler(cameraWithLens(camera, NO_DISTORTION), camera).apply(new Float32Array(3), into),
  ).toThrow(/3 values/);
});
