/** Lens distortion, the hood and the size of a camera's frames taken out in one weighted sum per pixel, as depth_node does it. */
import { RGB8 } from '../../geometry/areaResize';
import { cropIntrinsics, scaleIntrinsics, type Intrinsics } from '../../geometry/camera';
import { coveredView, Lens, sourcePixel, type DistortedCamera } from '../../geometry/lens';
import { Rectification } from '../../geometry/rectification';
import type { RecordedCamera } from './recording';

const NO_ROTATION = [1, 0, 0, 0, 1, 0, 0, 0, 1];

export function distortedCamera({ intrinsics, distortion }: RecordedCamera): DistortedCamera {
  const lens = new Lens(distortion.model, distortion.coefficients);
  return { camera: intrinsics, lens, rotation: NO_ROTATION };
}

/** @throws RangeError saying what to do, for whoever knows the file to name it */
function coveredViewOf(camera: RecordedCamera): Intrinsics {
  const distorted = distortedCamera(camera);
  try {
    return coveredView(distorted);
  } catch {
    const { model, coefficients } = camera.distortion;
    const lens = `distortion (d of a camera_info) of ${model} [${coefficients.join(', ')}]`;
    throw new RangeError(
      `${lens} leaves no view without black corners; calibrate again, with the board in the corners`,
    );
  }
}

/**
 * What frames prepared at width x height see: the covered view, without the own hood.
 *
 * @throws RangeError where the lens leaves no view without black corners
 */
export function preparedView(camera: RecordedCamera, width: number, height: number): Intrinsics {
  const ideal = coveredViewOf(camera);
  return scaleIntrinsics(cropIntrinsics(ideal, 0, 0, ideal.width, camera.usableRows ?? ideal.height), width, height);
}

/** Whether the lens model folds back within the view of the camera's own focal lengths. */
export function foldsInView(camera: RecordedCamera): boolean {
  const { intrinsics } = camera;
  const distorted = distortedCamera(camera);
  const point = { x: 0, y: 0 };
  return [-0.5, intrinsics.width - 0.5].some((u) =>
    [-0.5, intrinsics.height - 0.5].some((v) => !sourcePixel(distorted, intrinsics, u, v, point)),
  );
}

/** From one camera's frames to undistorted, cropped, shrunk ones by area averages; the map is computed once. */
export class Undistorter {
  /** Of the frames that come out. */
  readonly intrinsics: Intrinsics;
  readonly #camera: Intrinsics;
  readonly #map: Rectification;

  /**
   * @param width, height of the frames that come out, in pixels
   * @throws RangeError where the lens leaves no view without black corners
   */
  constructor(camera: RecordedCamera, width: number, height: number) {
    this.#camera = camera.intrinsics;
    this.intrinsics = preparedView(camera, width, height);
    const [sourceWidth, sourceHeight] = [this.#camera.width, this.#camera.height];
    const source = { width: sourceWidth, height: sourceHeight, step: 3 * sourceWidth, layout: RGB8 };
    this.#map = new Rectification(distortedCamera(camera), this.intrinsics, source);
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
