/** Lens distortion by the models of sensor_msgs/CameraInfo, on normalised rays (x / z, y / z), as OpenCV defines them. */
import type { Intrinsics } from './camera';

/** Coefficients in d: plumb_bob k1 k2 p1 p2 k3; rational_polynomial those and k4 k5 k6; equidistant (fisheye) k1 k2 k3 k4. */
export const LENS_COEFFICIENTS = { plumb_bob: 5, rational_polynomial: 8, equidistant: 4 } as const;
export type LensModel = keyof typeof LENS_COEFFICIENTS;
export const LENS_MODELS = Object.keys(LENS_COEFFICIENTS) as LensModel[];

/** What a calibration says of a lens; coefficients that are missing are zero. */
export interface Distortion {
  readonly model: LensModel;
  readonly coefficients: readonly number[];
}

/** Of rectified images. */
export const NO_DISTORTION: Distortion = { model: 'plumb_bob', coefficients: [] };

/** Steps in which the radius is searched for the point where the model folds back; up to a ray 89 degrees off the axis. */
const FOLD_STEPS = 1780;
const FOLD_STEP = Math.PI / 180 / 20;

/** A pixel or ray, written by the function it is given to. */
export interface Point {
  x: number;
  y: number;
}

/** @param d of camera_info  @throws RangeError naming the field that cannot be used */
export function distortionOf(model: string, d: ArrayLike<number>): Distortion {
  const coefficients = Array.from(d);
  const bad = coefficients.findIndex((coefficient) => !Number.isFinite(coefficient));
  if (bad >= 0) throw new RangeError(`d[${bad}] is ${coefficients[bad]}`);
  const known = LENS_MODELS.find((name) => name === model);
  if (known === undefined)
    throw new RangeError(
      `distortion_model is "${model}" with ${coefficients.length} coefficients; known are ${LENS_MODELS.join(', ')}`,
    );
  const length = LENS_COEFFICIENTS[known];
  if (coefficients.slice(length).some((coefficient) => coefficient !== 0))
    throw new RangeError(`d has ${coefficients.length} coefficients; ${model} has ${length}`);
  return { model: known, coefficients: coefficients.slice(0, length) };
}

/** As many as the model has. */
export function allCoefficients({ model, coefficients }: Distortion): number[] {
  return Array.from({ length: LENS_COEFFICIENTS[model] }, (_, i) => coefficients[i] ?? 0);
}

export class Lens {
  readonly #isFisheye: boolean;
  readonly #coefficients: Float64Array;
  /** Rays farther out (radius / z, squared) are where the model has folded back: no pixel shows them. */
  readonly #foldSquared: number;

  /** @throws RangeError naming the field that cannot be used */
  constructor(model: string, d: ArrayLike<number>) {
    const { coefficients } = distortionOf(model, d);
    this.#isFisheye = model === 'equidistant';
    this.#coefficients = Float64Array.from({ length: 8 }, (_, i) => coefficients[i] ?? 0);
    this.#foldSquared = this.#foldOf() ** 2;
  }

  /** Where the lens puts the ray (x, y, 1). @returns whether it puts it anywhere */
  distort(x: number, y: number, out: Point): boolean {
    const r2 = x * x + y * y;
    const scale = this.#radialScale(r2);
    out.x = x * scale;
    out.y = y * scale;
    if (!this.#isFisheye) {
      const [, , p1, p2] = this.#coefficients;
      out.x += 2 * p1 * x * y + p2 * (r2 + 2 * x * x);
      out.y += p1 * (r2 + 2 * y * y) + 2 * p2 * x * y;
    }
    return r2 <= this.#foldSquared;
  }

  #radialScale(r2: number): number {
    const c = this.#coefficients;
    if (this.#isFisheye) {
      const r = Math.sqrt(r2);
      if (r < 1e-9) return 1;
      const theta = Math.atan(r);
      const t = theta * theta;
      return (theta / r) * (1 + t * (c[0] + t * (c[1] + t * (c[2] + t * c[3]))));
    }
    return (1 + r2 * (c[0] + r2 * (c[1] + r2 * c[4]))) / (1 + r2 * (c[5] + r2 * (c[6] + r2 * c[7])));
  }

  /** The radius up to which a ray farther out lies farther out in the picture. */
  #foldOf(): number {
    let before = 0;
    for (let step = 1; step <= FOLD_STEPS; step++) {
      const r = Math.tan(step * FOLD_STEP);
      const distorted = r * this.#radialScale(r * r);
      if (!(distorted > before)) return Math.tan((step - 1) * FOLD_STEP);
      before = distorted;
    }
    return Infinity;
  }
}

/** A camera whose image is to be rectified. */
export interface DistortedCamera {
  /** K, of the image as it comes. */
  readonly camera: Intrinsics;
  readonly lens: Lens;
  /** Row-major 3x3: from the camera to the rectified view (camera_info's r). */
  readonly rotation: ArrayLike<number>;
}

/** Pixel of the camera's image that shows pixel (u, v) of `view`, as OpenCV's initUndistortRectifyMap. @returns whether there is one, in the image or outside */
export function sourcePixel(
  { camera, lens, rotation: r }: DistortedCamera,
  view: Intrinsics,
  u: number,
  v: number,
  out: Point,
): boolean {
  const x = (u - view.cx) / view.fx;
  const y = (v - view.cy) / view.fy;
  const z = r[2] * x + r[5] * y + r[8]; // the inverse of a rotation is its transpose
  const seen = lens.distort((r[0] * x + r[3] * y + r[6]) / z, (r[1] * x + r[4] * y + r[7]) / z, out);
  out.x = out.x * camera.fx + camera.cx;
  out.y = out.y * camera.fy + camera.cy;
  return seen && z > 0;
}

/**
 * For every pixel of `view` the pixel (u, v) of the camera's image that shows it; NaN where none does. Single precision: rays that meet
 * the border between two pixels go to the same one of them, whatever the last bits of the sums say.
 *
 * @returns float32 [height, width, 2]
 */
export function sourceMap(distorted: DistortedCamera, view: Intrinsics): Float32Array {
  const { width, height } = view;
  const map = new Float32Array(width * height * 2);
  const point = { x: 0, y: 0 };
  for (let v = 0, at = 0; v < height; v++) {
    for (let u = 0; u < width; u++, at += 2) {
      const seen = sourcePixel(distorted, view, u, v, point);
      map[at] = seen ? point.x : NaN;
      map[at + 1] = seen ? point.y : NaN;
    }
  }
  return map;
}

export function isInside({ x, y }: Point, { width, height }: Pick<Intrinsics, 'width' | 'height'>): boolean {
  return x >= -0.5 && x <= width - 0.5 && y >= -0.5 && y <= height - 0.5;
}

/**
 * The view of the camera's size whose every pixel the camera's image covers, for recordings, and for a camera_info that does not say
 * which is wanted (p is zero): the camera's focal lengths, grown in steps of half a percent until no border pixel lies outside.
 *
 * @throws RangeError where none does
 */
export function coveredView(distorted: DistortedCamera): Intrinsics {
  const { camera } = distorted;
  const { width, height } = camera;
  const point = { x: 0, y: 0 };
  const covered = (view: Intrinsics): boolean => {
    const seen = (u: number, v: number): boolean =>
      sourcePixel(distorted, view, u, v, point) && isInside(point, camera);
    for (let u = 0; u < width; u++) if (!seen(u, 0) || !seen(u, height - 1)) return false;
    for (let v = 0; v < height; v++) if (!seen(0, v) || !seen(width - 1, v)) return false;
    return true;
  };
  for (let zoom = 1; zoom < 3; zoom += 0.005) {
    const view = { ...camera, fx: camera.fx * zoom, fy: camera.fy * zoom };
    if (covered(view)) return view;
  }
  throw new RangeError('d leaves no view without black corners');
}
