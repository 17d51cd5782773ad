/** Pairs (previous, target) of the rendered scenes with exact depth and motion, in random views. */
import type { Intrinsics } from '../../geometry/camera';
import type { LossNeed, TrainingBatch } from '../losses/loss';
import type { Random } from '../random';
import { applyJitter, randomJitter, randomView, sampleNearest, ViewResizer, viewIntrinsics } from './augment';
import { renderedNormals, viewNormals } from './normalView';

/** Rendered scenes on disk, as the batches need them. */
export interface SyntheticSamples {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  read(index: number): {
    /** rgb8 [h,w,3] of the previous and the target frame. */
    images: Uint8Array[];
    /** Z in metres [h,w] per frame. */
    depths: Float32Array[];
    /** Pose of the target camera in the previous camera's optical frame: translation, axis-angle. */
    pose: ArrayLike<number>;
    intrinsics: Intrinsics;
  };
}

/** What a batch of rendered scenes carries only where a loss looks at it. */
export const RENDERED_PARTS = ['normals', 'labels'] as const satisfies readonly LossNeed[];

export interface SyntheticBatchOptions {
  /** Batches carry surface normals of the exact depth. */
  normals?: boolean;
  /** Class per pixel [h,w] of a sample's target frame, where batches are to carry labels. */
  labels?: { read(index: number, into: Uint8Array): void };
}

/** Farthest depth in metres the depth head can express; the sky lies there. */
const FARTHEST = 100;
const MIN_CROP = 0.75;
const TARGET = 1;

export class SyntheticBatches {
  readonly #resizer = new ViewResizer();
  readonly #classes: Uint8Array;

  constructor(
    private readonly samples: SyntheticSamples,
    private readonly random: Random,
    private readonly options: SyntheticBatchOptions = {},
  ) {
    this.#classes = new Uint8Array(samples.width * samples.height);
  }

  next(size: number, height: number, width: number): TrainingBatch {
    const { random, samples, options } = this;
    const pixels = height * width;
    const frames = [0, 1].map(() => new Float32Array(size * pixels * 3));
    const networkImages = new Float32Array(2 * size * pixels * 3);
    const logDisparity = new Float32Array(size * pixels);
    const pose = new Float32Array(size * 6);
    const normals = options.normals ? new Float32Array(size * pixels * 3) : undefined;
    const labels = options.labels ? new Uint8Array(size * pixels) : undefined;
    const intrinsics: Intrinsics[] = [];
    for (let b = 0; b < size; b++) {
      const index = random.integer(samples.count);
      const sample = samples.read(index);
      const view = randomView(random, samples.width, samples.height, MIN_CROP, MIN_CROP);
      const jitter = randomJitter(random);
      intrinsics.push(viewIntrinsics(sample.intrinsics, view, height, width));
      frames.forEach((all, f) => {
        const image = all.subarray(b * pixels * 3, (b + 1) * pixels * 3);
        this.#resizer.resize(sample.images[f], samples.width, samples.height, view, image, height, width);
        const at = (f * size + b) * pixels * 3;
        applyJitter(image, jitter, networkImages.subarray(at, at + pixels * 3));
      });
      const u = logDisparity.subarray(b * pixels, (b + 1) * pixels);
      sampleNearest(sample.depths[TARGET], samples.width, samples.height, view, u, height, width);
      for (let i = 0; i < pixels; i++) u[i] = -Math.log(Math.min(u[i], FARTHEST));
      if (normals) {
        const out = normals.subarray(3 * b * pixels, 3 * (b + 1) * pixels);
        const depth = sample.depths[TARGET];
        viewNormals(depth, sample.intrinsics, view, renderedNormals(FARTHEST), out, height, width);
      }
      if (labels) {
        options.labels?.read(index, this.#classes);
        const out = labels.subarray(b * pixels, (b + 1) * pixels);
        sampleNearest(this.#classes, samples.width, samples.height, view, out, height, width);
      }
      const mirror = view.mirrored ? -1 : 1;
      // In a mirror x turns round: so do the translation's x and the rotations about y and z.
      const [x, y, z, rx, ry, rz] = Array.from(sample.pose);
      pose.set([mirror * x, y, z, rx, mirror * ry, mirror * rz], 6 * b);
    }
    return {
      size,
      height,
      width,
      intrinsics,
      previous: frames[0],
      target: frames[1],
      networkImages,
      truth: { logDisparity, pose },
      normals,
      labels,
    };
  }
}
