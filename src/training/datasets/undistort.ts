/** Lens distortion, the hood and the size of a camera's frames taken out in one weighted sum per pixel, as depth_node does it. */
import { RGB8 } from '../../geometry/areaResize';
import {
  coveredIntrinsics,
  cropIntrinsics,
  scaleIntrinsics,
  type Intrinsics,
  type PlumbBob,
} from '../../geometry/camera';
import { Lens } from '../../geometry/lens';
import { Rectification } from '../../geometry/rectification';

const NO_ROTATION = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** From one camera's frames to undistorted, cropped, shrunk ones by area averages; the map is computed once. */
export class Undistorter {
  /** Of the frames that come out. */
  readonly intrinsics: Intrinsics;
  readonly #camera: Intrinsics;
  readonly #map: Rectification;

  /**
   * @param usableRows rows of the undistorted image kept, from the top
   * @param width, height of the frames that come out, in pixels
   */
  constructor(camera: Intrinsics, distortion: PlumbBob, usableRows: number, width: number, height: number) {
    this.#camera = camera;
    const ideal = cropIntrinsics(coveredIntrinsics(camera, distortion), 0, 0, camera.width, usableRows);
    this.intrinsics = scaleIntrinsics(ideal, width, height);
    const distorted = { camera, lens: new Lens('plumb_bob', distortion), rotation: NO_ROTATION };
    const source = { width: camera.width, height: camera.height, step: 3 * camera.width, layout: RGB8 };
    this.#map = new Rectification(distorted, this.intrinsics, source);
  }

  /** @param frame rgb8 of the camera's size; @param into rgb8 [height, width, 3] */
  apply(frame: Uint8Array, into: Uint8Array): void {
    const { width, height } = this.#camera;
    if (frame.length !== width * height * 3) {
      throw new RangeError(`frame has ${frame.length} bytes; ${width}x${height} rgb takes ${width * height * 3}`);
    }
    this.#map.apply(frame, into);
  }
}
