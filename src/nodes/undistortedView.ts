/** The network's image of a camera with its lens distortion taken out: photometric losses assume a pinhole. */
import { coveredIntrinsics, undistortionMap, type Intrinsics } from '../geometry/camera';
import type { CameraInfoMessage } from './ros/messages';

export class UndistortedView {
  /** Of the image that comes out. */
  readonly intrinsics: Intrinsics;
  /** Where each pixel comes from, [height, width, 2] (u, v); undefined where nothing is to be done. */
  readonly #map?: Float32Array;

  /**
   * @param info of the image as it comes in, at the network's size
   * @param rectified the image is rectified: P holds
   * @throws Error naming the field that cannot be used
   */
  constructor(info: CameraInfoMessage, rectified: boolean) {
    const { width, height, k, p, d, distortionModel } = info;
    if (rectified) {
      if (!(p[0] > 0 && p[5] > 0)) throw new Error('p has no focal length; parameter rectified needs it');
      this.intrinsics = { width, height, fx: p[0], fy: p[5], cx: p[2], cy: p[6] };
      return;
    }
    const camera = { width, height, fx: k[0], fy: k[4], cx: k[2], cy: k[5] };
    const distortion = Array.from(d);
    if (distortion.every((coefficient) => coefficient === 0)) {
      this.intrinsics = camera;
      return;
    }
    if (distortionModel !== 'plumb_bob' || distortion.length > 5)
      throw new Error(
        `distortion_model is ${distortionModel} with ${distortion.length} coefficients; known is plumb_bob with up to 5: use rectified images`,
      );
    this.intrinsics = coveredIntrinsics(camera, distortion);
    this.#map = undistortionMap(camera, distortion, this.intrinsics);
  }

  /** @param image rgb8 [height, width, 3]  @returns the same array where nothing is to be done, else a new one (bilinear) */
  apply(image: Uint8Array): Uint8Array {
    const map = this.#map;
    if (!map) return image;
    const { width, height } = this.intrinsics;
    const out = new Uint8Array(image.length);
    for (let i = 0; i < width * height; i++) {
      const u = Math.min(Math.max(map[2 * i], 0), width - 1);
      const v = Math.min(Math.max(map[2 * i + 1], 0), height - 1);
      const u0 = Math.min(Math.floor(u), width - 2);
      const v0 = Math.min(Math.floor(v), height - 2);
      const [a, b] = [u - u0, v - v0];
      const at = 3 * (v0 * width + u0);
      const below = at + 3 * width;
      for (let c = 0; c < 3; c++) {
        const top = (1 - a) * image[at + c] + a * image[at + 3 + c];
        const bottom = (1 - a) * image[below + c] + a * image[below + 3 + c];
        out[3 * i + c] = (1 - b) * top + b * bottom + 0.5;
      }
    }
    return out;
  }
}
