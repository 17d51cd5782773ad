/** Depth maps brought to the view of the undistorted, cropped, shrunk frames without making up values between near and far. */
import { scaleIntrinsics, type Intrinsics } from '../../geometry/camera';
import { sourceMap, type DistortedCamera } from '../../geometry/lens';

/**
 * Every pixel of the view takes ONE of the measurements it covers: their lower median. A mean would put points into the air between an
 * edge's two sides, and would count pixels without depth as 0; the median also holds against a stray LiDAR return. A grid finer than
 * the source finds the nearest pixel.
 */
export class DepthResampler {
  /** Source pixels under output pixel i: first[i] .. first[i + 1] - 1. */
  readonly #first: Uint32Array;
  readonly #source: Uint32Array;
  readonly #sourceLength: number;
  readonly #covered: Float32Array;

  /** @param distorted the camera as it recorded  @param view the undistorted frames that come out, see Undistorter.intrinsics */
  constructor(distorted: DistortedCamera, view: Intrinsics) {
    const { camera } = distorted;
    const { width, height } = view;
    // At least one sample per source pixel along each axis, so that no measurement is overlooked.
    const samples = Math.max(1, Math.ceil(Math.max(camera.fx / view.fx, camera.fy / view.fy)));
    const fine = sourceMap(distorted, scaleIntrinsics(view, width * samples, height * samples));
    this.#sourceLength = camera.width * camera.height;
    this.#first = new Uint32Array(width * height + 1);
    const sources: number[] = [];
    const covered = new Set<number>();
    let most = 0;
    for (let v = 0, pixel = 0; v < height; v++) {
      for (let u = 0; u < width; u++, pixel++) {
        covered.clear();
        for (let j = 0; j < samples; j++) {
          for (let i = 0; i < samples; i++) {
            const at = 2 * ((v * samples + j) * width * samples + u * samples + i);
            const x = Math.round(fine[at]);
            const y = Math.round(fine[at + 1]);
            if (x >= 0 && x < camera.width && y >= 0 && y < camera.height) covered.add(y * camera.width + x);
          }
        }
        for (const source of covered) sources.push(source);
        this.#first[pixel + 1] = sources.length;
        most = Math.max(most, covered.size);
      }
    }
    this.#source = Uint32Array.from(sources);
    this.#covered = new Float32Array(most);
  }

  /** @param depth Z in metres of the camera's size, 0 where there is none  @param into the same, [height, width] of the view */
  apply(depth: Float32Array, into: Float32Array): void {
    if (depth.length !== this.#sourceLength) {
      throw new RangeError(`depth has ${depth.length} values, the camera's image ${this.#sourceLength} pixels`);
    }
    const covered = this.#covered;
    for (let pixel = 0, tap = 0; pixel < this.#first.length - 1; pixel++) {
      let count = 0;
      for (const end = this.#first[pixel + 1]; tap < end; tap++) {
        const z = depth[this.#source[tap]];
        if (z > 0) insertSorted(covered, count++, z);
      }
      into[pixel] = count > 0 ? covered[lowerMedian(count)] : 0;
    }
  }
}

/** Puts `value` among the first `count` values, which rise. */
export function insertSorted(values: Float32Array, count: number, value: number): void {
  let place = count;
  for (; place > 0 && values[place - 1] > value; place--) values[place] = values[place - 1];
  values[place] = value;
}

/** Index of the lower median of `count` sorted values. */
export function lowerMedian(count: number): number {
  return (count - 1) >> 1;
}
