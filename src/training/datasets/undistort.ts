/** Lens distortion, the hood and the size of a camera's frames taken out in one weighted sum per pixel. */
import {
  coveredIntrinsics,
  cropIntrinsics,
  scaleIntrinsics,
  undistortionMap,
  type Intrinsics,
  type PlumbBob,
} from '../../geometry/camera';

/** Bilinear samples along each axis of an output pixel: at a shrink of 3 they lie closer than the source's pixels. */
const SAMPLES = 4;

/** A map from one camera's frames to undistorted, cropped, shrunk ones by area averages, computed once. */
export class Undistorter {
  /** Of the frames that come out. */
  readonly intrinsics: Intrinsics;
  readonly #camera: Intrinsics;
  /** Taps of output pixel i: first[i] .. first[i + 1] - 1. */
  readonly #first: Uint32Array;
  /** Byte of the tap's red value in the source. */
  readonly #source: Uint32Array;
  readonly #weight: Float32Array;

  /**
   * @param usableRows rows of the undistorted image kept, from the top
   * @param width, height of the frames that come out, in pixels
   */
  constructor(camera: Intrinsics, distortion: PlumbBob, usableRows: number, width: number, height: number) {
    this.#camera = camera;
    const ideal = cropIntrinsics(coveredIntrinsics(camera, distortion), 0, 0, camera.width, usableRows);
    this.intrinsics = scaleIntrinsics(ideal, width, height);
    const fine = undistortionMap(camera, distortion, scaleIntrinsics(ideal, width * SAMPLES, height * SAMPLES));
    this.#first = new Uint32Array(width * height + 1);
    const sources: number[] = [];
    const weights: number[] = [];
    const taps = new Map<number, number>();
    for (let v = 0, pixel = 0; v < height; v++) {
      for (let u = 0; u < width; u++, pixel++) {
        taps.clear();
        for (let j = 0; j < SAMPLES; j++) {
          for (let i = 0; i < SAMPLES; i++) {
            const at = 2 * ((v * SAMPLES + j) * width * SAMPLES + u * SAMPLES + i);
            addBilinear(taps, fine[at], fine[at + 1], camera.width, camera.height);
          }
        }
        for (const [source, weight] of taps) {
          sources.push(3 * source);
          weights.push(weight / (SAMPLES * SAMPLES));
        }
        this.#first[pixel + 1] = sources.length;
      }
    }
    this.#source = Uint32Array.from(sources);
    this.#weight = Float32Array.from(weights);
  }

  /** @param frame rgb8 of the camera's size; @param into rgb8 [height, width, 3] */
  apply(frame: Uint8Array, into: Uint8Array): void {
    const { width, height } = this.#camera;
    if (frame.length !== width * height * 3) {
      throw new RangeError(`frame has ${frame.length} bytes; ${width}x${height} rgb takes ${width * height * 3}`);
    }
    const first = this.#first;
    const source = this.#source;
    const weight = this.#weight;
    for (let pixel = 0, out = 0, tap = 0; pixel < first.length - 1; pixel++) {
      let red = 0.5;
      let green = 0.5;
      let blue = 0.5;
      for (const end = first[pixel + 1]; tap < end; tap++) {
        const at = source[tap];
        const w = weight[tap];
        red += w * frame[at];
        green += w * frame[at + 1];
        blue += w * frame[at + 2];
      }
      into[out++] = Math.min(255, red);
      into[out++] = Math.min(255, green);
      into[out++] = Math.min(255, blue);
    }
  }
}

function addBilinear(taps: Map<number, number>, u: number, v: number, width: number, height: number): void {
  const x = Math.min(Math.max(u, 0), width - 1);
  const y = Math.min(Math.max(v, 0), height - 1);
  const x0 = Math.min(Math.floor(x), width - 2);
  const y0 = Math.min(Math.floor(y), height - 2);
  const a = x - x0;
  const b = y - y0;
  const add = (pixel: number, weight: number) => weight > 0 && taps.set(pixel, (taps.get(pixel) ?? 0) + weight);
  add(y0 * width + x0, (1 - a) * (1 - b));
  add(y0 * width + x0 + 1, a * (1 - b));
  add((y0 + 1) * width + x0, (1 - a) * b);
  add((y0 + 1) * width + x0 + 1, a * b);
}
