/** Label images brought to the view of the undistorted, cropped, shrunk frames. */
import type { Intrinsics } from '../../geometry/camera';
import { sourceMap, type DistortedCamera } from '../../geometry/lens';
import { UNLABELLED } from '../../media/labelImage';

/** Every pixel of the view takes the class of the source pixel nearest to its centre: classes have no mean. */
export class LabelResampler {
  /** Source pixel per pixel of the view, -1 outside. */
  readonly #source: Int32Array;
  readonly #sourceLength: number;

  /** @param distorted the camera as it recorded  @param view the undistorted frames that come out, see Undistorter.intrinsics */
  constructor(distorted: DistortedCamera, view: Intrinsics) {
    const { camera } = distorted;
    const map = sourceMap(distorted, view);
    this.#sourceLength = camera.width * camera.height;
    this.#source = Int32Array.from({ length: view.width * view.height }, (_, pixel) => {
      const [x, y] = [Math.round(map[2 * pixel]), Math.round(map[2 * pixel + 1])];
      return x >= 0 && x < camera.width && y >= 0 && y < camera.height ? y * camera.width + x : -1;
    });
  }

  /** @param labels of the camera's size  @param into the same, [height, width] of the view; UNLABELLED outside the camera's image */
  apply(labels: Uint8Array, into: Uint8Array): void {
    if (labels.length !== this.#sourceLength)
      throw new RangeError(`labels have ${labels.length} values, the camera's image ${this.#sourceLength} pixels`);
    this.#source.forEach((source, pixel) => (into[pixel] = source < 0 ? UNLABELLED : labels[source]));
  }
}
