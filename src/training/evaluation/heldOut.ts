/**
 * How well a model explains the parts of the drives it never saw (or, for settling a choice, the parts it was trained on): photometric error of the previous frame warped by depth and
 * ego-motion against that of the frame as it is, without any mask, and the gradient head against the fused depth's differences.
 */
import { scaleIntrinsics, type Intrinsics } from '../../geometry/camera';
import { forwardDifferences } from '../../geometry/poisson';
import { fromVector6 } from '../../geometry/se3';
import { warpImage } from '../../geometry/warp';
import type { FrameSequence } from '../datasets/dataset';
import { photometricErrorInto } from '../losses/photometricKernel';
import { OnnxModel, type ModelOutputs } from './onnxModel';
import { ShrunkFrames } from './shrunkFrames';

export interface HeldOutOptions {
  /** Distances in frames between source and target. */
  strides?: readonly number[];
  /** Default heldOut. Choices are settled on `train`: a part that was chosen by measures nothing any more. */
  part?: 'heldOut' | 'train';
  /** Take every n-th frame of the part as a target. */
  every?: number;
  threads?: number;
  onFrame?: (done: number, count: number) => void;
}

/** Means over pixels of frames; the error is 0.85 (1 - SSIM) / 2 + 0.15 L1 over rgb in 0..1, at the network's size. */
export interface PhotometricResult {
  frames: number;
  /** Of the source warped into the target, over the pixels it covers. */
  warped_error: number;
  /** Of the source as it is, over the same pixels. */
  unwarped_error: number;
  /** 1 - warped / un-warped: the share of the error that depth and ego-motion explain. */
  reduction: number;
  /** Share of pixels the warped source covers. */
  covered_share: number;
}

export interface StrideResult extends PhotometricResult {
  stride: number;
  drive: string;
}

export interface HeldOutResult extends PhotometricResult {
  /**
   * Pearson correlation, over all pixels of both axes, of the gradient output with forward differences of the fused log-disparity
   * (-ln of the depth output).
   */
  gradient_correlation: number;
  by_drive_and_stride: StrideResult[];
  /** Share of the depth map's values at its nearest and farthest value: a collapsed model has most there. */
  at_limits_share: number;
  /** Standard deviation of ln(depth) over a frame's pixels, mean over frames: 0 for the same depth everywhere, .5 and more on roads. */
  depth_variation: number;
}

/** A map that varies by less is blank: photometric losses alone have such depths as a way out (docs/decisions.md). */
const BLANK_VARIATION = 0.05;

/** What to say of a model whose maps are blank; undefined where they are not. */
export function blankFault({ depth_variation: variation }: Pick<HeldOutResult, 'depth_variation'>): string | undefined {
  if (variation >= BLANK_VARIATION) return undefined;
  return (
    `the depth is nearly the same everywhere: its logarithm varies by ${variation.toFixed(4)} over a frame, under ${BLANK_VARIATION}. ` +
    `Train longer, on drives that move, or with rendered scenes in the mix (synthetic)`
  );
}

/** Sums for Pearson's correlation of pairs that come one after the other. */
export class Correlation {
  #count = 0;
  #x = 0;
  #y = 0;
  #xx = 0;
  #yy = 0;
  #xy = 0;

  add(x: number, y: number): void {
    this.#count++;
    this.#x += x;
    this.#y += y;
    this.#xx += x * x;
    this.#yy += y * y;
    this.#xy += x * y;
  }

  /** NaN when either side does not vary. */
  compute(): number {
    const n = this.#count;
    const covariance = this.#xy - (this.#x * this.#y) / n;
    const spread = (this.#xx - this.#x ** 2 / n) * (this.#yy - this.#y ** 2 / n);
    return spread > 0 ? covariance / Math.sqrt(spread) : NaN;
  }
}

/**
 * Adds a frame's pairs: gradient output [height, width, 2] against forward differences of -ln(depth). The last column has no
 * horizontal difference and the last row no vertical one.
 */
export function addGradientPairs(
  correlation: Correlation,
  { depth, gradient, height, width }: Pick<ModelOutputs, 'depth' | 'gradient' | 'height' | 'width'>,
): void {
  const logDisparity = depth.map((z) => -Math.log(z));
  const differences = forwardDifferences(logDisparity, height, width);
  for (let v = 0, i = 0; v < height; v++) {
    for (let u = 0; u < width; u++, i += 2) {
      if (u < width - 1) correlation.add(gradient[i], differences[i]);
      if (v < height - 1) correlation.add(gradient[i + 1], differences[i + 1]);
    }
  }
}

/** Sums over frames and pixels, from which the means come. */
export class ErrorSums {
  frames = 0;
  covered = 0;
  total = 0;
  warped = 0;
  unwarped = 0;

  add(other: ErrorSums): void {
    this.frames += other.frames;
    this.covered += other.covered;
    this.total += other.total;
    this.warped += other.warped;
    this.unwarped += other.unwarped;
  }

  result(): PhotometricResult {
    const { frames, covered, total, warped, unwarped } = this;
    return {
      frames,
      warped_error: warped / covered,
      unwarped_error: unwarped / covered,
      reduction: 1 - warped / unwarped,
      covered_share: covered / total,
    };
  }
}

/**
 * Errors of one pair of frames, summed over the pixels whose 3x3 window, which SSIM looks at, the warp covers whole.
 * @param target, source rgb in 0..1 [height, width, 3]; outputs are the target's, its ego-motion from the source
 */
export function pairErrors(
  target: Float32Array,
  source: Float32Array,
  { depth, egoMotion, height, width }: Pick<ModelOutputs, 'depth' | 'egoMotion' | 'height' | 'width'>,
  driveIntrinsics: Intrinsics,
): ErrorSums {
  // Ego-motion is the current camera in the previous camera's frame: it takes target points to the source camera.
  const intrinsics = scaleIntrinsics(driveIntrinsics, width, height);
  const { image, valid } = warpImage(source, depth, intrinsics, fromVector6(egoMotion), height, width);
  const warpedError = new Float32Array(height * width);
  const unwarpedError = new Float32Array(height * width);
  photometricErrorInto(image, target, height, width, warpedError);
  photometricErrorInto(source, target, height, width, unwarpedError);
  const sums = new ErrorSums();
  sums.frames = 1;
  for (let v = 1; v < height - 1; v++) {
    for (let i = v * width + 1; i < v * width + width - 1; i++) {
      sums.total++;
      if (!windowCovered(valid, i, width)) continue;
      sums.covered++;
      sums.warped += warpedError[i];
      sums.unwarped += unwarpedError[i];
    }
  }
  return sums;
}

function windowCovered(valid: Uint8Array, centre: number, width: number): boolean {
  for (let row = centre - width; row <= centre + width; row += width) {
    if (valid[row - 1] + valid[row] + valid[row + 1] < 3) return false;
  }
  return true;
}

function shareAtLimits(depth: Float32Array, nearest: number, farthest: number): number {
  let count = 0;
  for (const z of depth) if (z <= nearest * 1.01 || z >= farthest * 0.99) count++;
  return count / depth.length;
}

/** Standard deviation of ln(depth). */
export function variationOf(depth: Float32Array): number {
  let sum = 0;
  let squares = 0;
  for (const z of depth) {
    const logarithm = Math.log(z);
    sum += logarithm;
    squares += logarithm * logarithm;
  }
  const mean = sum / depth.length;
  return Math.sqrt(Math.max(0, squares / depth.length - mean * mean));
}

/** @throws Error when the model cannot be read or a held-out part is too short for the strides */
export async function evaluateHeldOut(
  modelPath: string,
  drives: readonly FrameSequence[],
  options: HeldOutOptions = {},
): Promise<HeldOutResult> {
  const { strides = [1, 2, 3], part = 'heldOut', every = 5, threads, onFrame } = options;
  const model = await OnnxModel.open(modelPath, threads);
  const { height, width } = model.size;
  const correlation = new Correlation();
  const all = new ErrorSums();
  const table: StrideResult[] = [];
  let limits = 0;
  let variation = 0;
  let done = 0;
  const targetsOf = (drive: FrameSequence): number[] => {
    const [first, end] = drive.split()[part];
    const targets: number[] = [];
    for (let index = first + Math.max(...strides); index < end; index += every) targets.push(index);
    if (targets.length === 0) throw new Error(`${drive.name}: its ${part} part has only ${end - first} frames`);
    return targets;
  };
  const count = drives.reduce((sum, drive) => sum + targetsOf(drive).length, 0);
  try {
    for (const drive of drives) {
      const frames = new ShrunkFrames(drive, height, width);
      const intrinsics = scaleIntrinsics(drive.intrinsics, width, height);
      const perStride = strides.map(() => new ErrorSums());
      for (const index of targetsOf(drive)) {
        const target = frames.read(index);
        for (const [s, stride] of strides.entries()) {
          const source = frames.read(index - stride);
          const before = await model.run(source.bytes, height, width, model.emptyFeatures());
          const outputs = await model.run(target.bytes, height, width, before.features, intrinsics);
          perStride[s].add(pairErrors(target.image, source.image, outputs, drive.intrinsics));
          if (s > 0) continue;
          addGradientPairs(correlation, outputs);
          limits += shareAtLimits(outputs.depth, 0.1, 100);
          variation += variationOf(outputs.depth);
        }
        onFrame?.(++done, count);
      }
      perStride.forEach((sums, s) => {
        table.push({ drive: drive.name, stride: strides[s], ...sums.result() });
        all.add(sums);
      });
    }
  } finally {
    await model.close();
  }
  return {
    ...all.result(),
    gradient_correlation: correlation.compute(),
    at_limits_share: limits / count,
    depth_variation: variation / count,
    by_drive_and_stride: table,
  };
}
