/** The photometric error's SSIM against kornia's, with the 3x3 box window (scripts/fixtures/make_geometry_fixtures.py). */
import fixtures from '../../fixtures/geometry/kornia.json';
import { photometricErrorInto } from '../../../src/training/losses/photometricKernel';

test('0.85 (1 - SSIM) / 2 + 0.15 L1 equals the same of the SSIM map of kornia', () => {
  const { height, width } = fixtures.warp.intrinsics;
  const a = Float32Array.from(fixtures.warp.source);
  const b = Float32Array.from(fixtures.ssim.target);
  const error = new Float32Array(height * width);
  photometricErrorInto(a, b, height, width, error);
  for (let v = 1; v < height - 1; v++) {
    for (let u = 1; u < width - 1; u++) {
      const i = v * width + u;
      let expected = 0;
      for (let c = 0; c < 3; c++) {
        const dissimilarity = Math.min(1, Math.max(0, (1 - fixtures.ssim.map[3 * i + c]) / 2));
        expected += (0.85 * dissimilarity + 0.15 * Math.abs(a[3 * i + c] - b[3 * i + c])) / 3;
      }
      expect(Math.abs(error[i] - expected)).toBeLessThan(1e-5);
    }
  }
});
