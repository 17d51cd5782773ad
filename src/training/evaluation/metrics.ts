/** Depth metrics of Eigen's protocol as Garg and SfMLearner use it, for maps of unknown scale or in metres. */
import { median } from '../../geometry/statistics';

export const DEPTH_SCALINGS = ['median', 'affine', 'none'] as const;
export type DepthScaling = (typeof DEPTH_SCALINGS)[number];

export interface DepthProtocol {
  /** Ground truth outside (minDepth, maxDepth), metres, is not counted; scaled predictions are clipped to it. */
  minDepth: number;
  maxDepth: number;
  /** Part of the image counted: Garg's crop for KITTI, or all of it. */
  crop: 'garg' | 'none';
  /**
   * median (default): each map is scaled by the ratio of the medians, for models that cannot know the scale. affine: scale and shift of
   * each map's disparity are fitted by least squares, for models trained without either (MiDaS). none: the prediction is in metres.
   */
  scale?: DepthScaling;
}

export const EIGEN_PROTOCOL: DepthProtocol & { scale: 'median' } = {
  minDepth: 1e-3,
  maxDepth: 80,
  crop: 'garg',
  scale: 'median',
};

/** Garg's crop as shares of the height and the width. */
const GARG_ROWS = [0.40810811, 0.99189189] as const;
const GARG_COLUMNS = [0.03594771, 0.96405229] as const;

export interface DepthErrors {
  /** Metres. */
  abs_diff: number;
  abs_rel: number;
  /** Metres. */
  sq_rel: number;
  /** Metres. */
  rms: number;
  log_rms: number;
  /** Shares of pixels whose ratio to the truth, or its inverse, is below 1.25, 1.25^2, 1.25^3. */
  a1: number;
  a2: number;
  a3: number;
}

/** Errors of one image, and the ratio of the medians, truth to prediction: 1 where the prediction is metric, applied or not. */
export interface ImageErrors extends DepthErrors {
  scale: number;
}

const ERROR_NAMES = ['abs_diff', 'abs_rel', 'sq_rel', 'rms', 'log_rms', 'a1', 'a2', 'a3'] as const;

/** Rows [top, bottom) and columns [left, right) that are counted. */
export function countedArea(
  height: number,
  width: number,
  crop: DepthProtocol['crop'],
): [number, number, number, number] {
  if (crop === 'none') return [0, height, 0, width];
  const [top, bottom] = GARG_ROWS.map((share) => Math.trunc(share * height));
  const [left, right] = GARG_COLUMNS.map((share) => Math.trunc(share * width));
  return [top, bottom, left, right];
}

/** a and b of the least squares of a / predicted + b - 1 / actual; a constant map has no slope, and b is the mean. */
function fitDisparity(predicted: readonly number[], actual: readonly number[]): { a: number; b: number } {
  const count = predicted.length;
  const mean = (values: readonly number[]): number => values.reduce((sum, z) => sum + 1 / z, 0) / count;
  const [x0, y0] = [mean(predicted), mean(actual)];
  let [xx, xy] = [0, 0];
  for (let i = 0; i < count; i++) {
    const x = 1 / predicted[i] - x0;
    xx += x * x;
    xy += x * (1 / actual[i] - y0);
  }
  const a = xx > 0 ? xy / xx : 0;
  return { a, b: y0 - a * x0 };
}

/**
 * Errors of one depth map against its ground truth over the valid pixels: the prediction is brought to metres as the protocol says, then
 * clipped.
 * @param prediction depth [height, width], above 0
 * @param truth metres [height, width]; 0 where there is none
 * @returns undefined where no pixel has ground truth
 */
export function depthErrors(
  prediction: Float32Array,
  truth: Float32Array,
  height: number,
  width: number,
  protocol: DepthProtocol = EIGEN_PROTOCOL,
): ImageErrors | undefined {
  for (const [name, map] of Object.entries({ prediction, truth })) {
    if (map.length !== height * width) throw new RangeError(`${name} has ${map.length} values, not ${height}x${width}`);
  }
  const { minDepth, maxDepth, crop, scale: scaling = 'median' } = protocol;
  const [top, bottom, left, right] = countedArea(height, width, crop);
  const predicted: number[] = [];
  const actual: number[] = [];
  for (let v = top; v < bottom; v++) {
    for (let i = v * width + left; i < v * width + right; i++) {
      if (!(truth[i] > minDepth && truth[i] < maxDepth)) continue;
      if (!(prediction[i] > 0)) {
        throw new RangeError(`prediction is ${prediction[i]} at column ${i % width}, row ${v}; depth must be above 0`);
      }
      predicted.push(prediction[i]);
      actual.push(truth[i]);
    }
  }
  const count = actual.length;
  if (count === 0) return undefined;
  const scale = median(actual) / median(predicted);
  const { a, b } = scaling === 'affine' ? fitDisparity(predicted, actual) : { a: 1, b: 0 };
  const applied = scaling === 'median' ? scale : 1;
  const sums: DepthErrors = { abs_diff: 0, abs_rel: 0, sq_rel: 0, rms: 0, log_rms: 0, a1: 0, a2: 0, a3: 0 };
  for (let i = 0; i < count; i++) {
    const z = actual[i];
    const disparity = a / predicted[i] + b;
    // A disparity of 0 or below lies behind infinity: the farthest depth.
    const d = disparity > 0 ? Math.min(Math.max(applied / disparity, minDepth), maxDepth) : maxDepth;
    const difference = d - z;
    const ratio = Math.max(d / z, z / d);
    sums.abs_diff += Math.abs(difference);
    sums.abs_rel += Math.abs(difference) / z;
    sums.sq_rel += (difference * difference) / z;
    sums.rms += difference * difference;
    sums.log_rms += Math.log(d / z) ** 2;
    if (ratio < 1.25) sums.a1++;
    if (ratio < 1.25 ** 2) sums.a2++;
    if (ratio < 1.25 ** 3) sums.a3++;
  }
  for (const name of ERROR_NAMES) sums[name] /= count;
  return { ...sums, rms: Math.sqrt(sums.rms), log_rms: Math.sqrt(sums.log_rms), scale };
}

/** Means over images, as `depthgrad evaluate` prints them. */
export interface DepthSummary extends DepthErrors {
  frames: number;
  /** Mean and population standard deviation of the images' ratios of medians. */
  scale_mean: number;
  scale_std: number;
}

/** The figures of a summary by name. */
export const SUMMARY_FIGURES = [
  'frames',
  ...ERROR_NAMES,
  'scale_mean',
  'scale_std',
] as const satisfies readonly (keyof DepthSummary)[];

/** Collects images' errors (update), and averages them (compute). */
export class DepthMetrics {
  readonly #images: ImageErrors[] = [];

  update(errors: ImageErrors): void {
    this.#images.push(errors);
  }

  get count(): number {
    return this.#images.length;
  }

  /** @throws Error when there is no image to take the mean of */
  compute(): DepthSummary {
    const frames = this.count;
    if (frames === 0) throw new Error('no image had ground truth to compare with');
    const mean = (value: (image: ImageErrors) => number) =>
      this.#images.reduce((sum, image) => sum + value(image), 0) / frames;
    const scaleMean = mean((image) => image.scale);
    const scaleStd = Math.sqrt(mean((image) => (image.scale - scaleMean) ** 2));
    const errors = Object.fromEntries(ERROR_NAMES.map((name) => [name, mean((image) => image[name])]));
    return { frames, ...(errors as unknown as DepthErrors), scale_mean: scaleMean, scale_std: scaleStd };
  }
}
