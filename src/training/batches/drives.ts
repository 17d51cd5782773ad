/** Triplets (previous, target, next) of the drives' training part, in random views. */
import type { FrameRange, FrameSequence } from '../datasets/dataset';
import type { TrainingBatch } from '../losses/loss';
import type { Random } from '../random';
import { applyJitter, randomJitter, randomView, ViewResizer, viewIntrinsics } from './augment';

export interface DriveBatchOptions {
  strides: number[];
  /** Lowest motion score between neighbouring frames. */
  minMotion: number;
  /**
   * Motion score that must add up between the target and each of its sources: every target takes the smallest of `strides` that reaches
   * it. 0: every target with every stride.
   */
  strideMotion: number;
  minCrop: [number, number];
  /** Share of the training part, at its end, that is for validation. */
  validationShare: number;
  /** Which of the two the batches are of. */
  part: BatchPart;
}

export type BatchPart = 'train' | 'validation';

/** The drives are too short, or stand still too long, for what is asked of them. */
export class NoTargetsError extends Error {}

/** The frames of a drive's training part that are trained on, or those kept out of it for validation. */
export function framesOf(
  video: Pick<FrameSequence, 'split'>,
  { validationShare, part }: Pick<DriveBatchOptions, 'validationShare' | 'part'>,
): FrameRange {
  const [first, end] = video.split().train;
  const border = end - Math.ceil(validationShare * (end - first));
  return part === 'train' ? [first, border] : [border, end];
}

/** Whether no frame on the way is static or cut off from its next, and both sources are far enough from the target. */
export function moves(
  { motion }: Pick<FrameSequence, 'motion'>,
  target: number,
  stride: number,
  { minMotion, strideMotion }: Pick<DriveBatchOptions, 'minMotion' | 'strideMotion'>,
): boolean {
  const between = [0, 0];
  for (let step = 0; step < stride; step++) {
    [motion[target - 1 - step], motion[target + step]].forEach((score, side) => {
      between[side] = score < Math.max(minMotion, 0) ? -Infinity : between[side] + score;
    });
  }
  return Math.min(...between) >= strideMotion;
}

export class DriveBatches {
  readonly #resizer = new ViewResizer();
  readonly #frame: Uint8Array;
  /** Target frames per stride: those whose sources lie in the training part and that are not static. */
  readonly #targets: { video: FrameSequence; index: number; stride: number }[] = [];

  constructor(
    videos: FrameSequence[],
    private readonly options: DriveBatchOptions,
    private readonly random: Random,
  ) {
    const strides = [...options.strides].sort((a, b) => a - b);
    for (const video of videos) {
      const [first, end] = framesOf(video, options);
      const settled = new Set<number>();
      for (const stride of strides) {
        for (let index = first + stride; index + stride < end; index++) {
          if (settled.has(index) || !moves(video, index, stride, options)) continue;
          this.#targets.push({ video, index, stride });
          if (options.strideMotion > 0) settled.add(index);
        }
      }
    }
    if (this.#targets.length === 0)
      throw new NoTargetsError(
        `no drive has moving frames in its ${options.part} part; lower data.min_motion or data.stride_motion`,
      );
    this.#frame = new Uint8Array(Math.max(...videos.map((v) => v.width * v.height * 3)));
  }

  get count(): number {
    return this.#targets.length;
  }

  next(size: number, height: number, width: number): TrainingBatch {
    const { random, options } = this;
    const length = 3 * height * width;
    const frames = [0, 1, 2].map(() => new Float32Array(size * length)); // previous, target, next
    const networkImages = new Float32Array(3 * size * length);
    const batch: TrainingBatch = {
      size,
      height,
      width,
      intrinsics: [],
      previous: frames[0],
      target: frames[1],
      next: frames[2],
      networkImages,
    };
    for (let b = 0; b < size; b++) {
      const { video, index, stride } = this.#targets[random.integer(this.#targets.length)];
      const view = randomView(random, video.width, video.height, options.minCrop[0], options.minCrop[1]);
      const jitter = randomJitter(random);
      batch.intrinsics.push(viewIntrinsics(video.intrinsics, view, height, width));
      [index - stride, index, index + stride].forEach((frameIndex, f) => {
        video.readFrame(frameIndex, this.#frame);
        const image = frames[f].subarray(b * length, (b + 1) * length);
        this.#resizer.resize(this.#frame, video.width, video.height, view, image, height, width);
        const at = (f * size + b) * length;
        applyJitter(image, jitter, networkImages.subarray(at, at + length));
      });
    }
    return batch;
  }
}
