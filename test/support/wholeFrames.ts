/** Batches of whole frames of a recording, without crop, mirror and colour jitter: to overfit, and to measure afterwards. */
import { ViewResizer, viewIntrinsics, type View } from '../../src/training/batches/augment';
import type { BatchSource } from '../../src/training/batches/batchSource';
import { viewMeasured } from '../../src/training/batches/depthView';
import type { FrameSequence } from '../../src/training/datasets/dataset';
import type { TrainingBatch } from '../../src/training/losses/loss';
import type { Random } from '../../src/training/random';

interface Sample {
  image: Float32Array;
  right?: Float32Array;
  depth?: Float32Array;
}

/** Previous and target frame are the same. */
function joinTwice(target: Float32Array): Float32Array {
  const both = new Float32Array(2 * target.length);
  both.set(target);
  both.set(target, target.length);
  return both;
}

export class WholeFrames implements BatchSource {
  readonly #resizer = new ViewResizer();
  readonly #samples = new Map<string, Sample>();

  /** @param frames all of them with the same channels @param random left out where batches are asked for by frame alone */
  constructor(
    private readonly video: FrameSequence,
    readonly frames: readonly number[],
    private readonly random?: Random,
  ) {}

  next(size: number, height: number, width: number): TrainingBatch {
    const { frames, random } = this;
    if (!random) throw new Error('these frames are not drawn at random');
    const drawn = Array.from({ length: size }, () => frames[random.integer(frames.length)]);
    return this.of(drawn, height, width);
  }

  of(frames: readonly number[], height: number, width: number): TrainingBatch {
    const { video } = this;
    const samples = frames.map((frame) => this.#sample(frame, height, width));
    const joined = (part: keyof Sample): Float32Array | undefined => {
      const first = samples[0][part];
      if (!first) return undefined;
      const all = new Float32Array(samples.length * first.length);
      samples.forEach((sample, i) => all.set(sample[part]!, i * first.length));
      return all;
    };
    const target = joined('image')!;
    const right = joined('right');
    return {
      size: frames.length,
      height,
      width,
      intrinsics: frames.map(() => viewIntrinsics(video.intrinsics, this.#view, height, width)),
      target,
      previous: target,
      networkImages: joinTwice(target),
      depth: joined('depth'),
      stereo: right && { right, baseline: new Float32Array(frames.length).fill(video.baseline ?? NaN) },
    };
  }

  get #view(): View {
    return { left: 0, top: 0, width: this.video.width, height: this.video.height, mirrored: false };
  }

  #sample(frame: number, height: number, width: number): Sample {
    const key = `${frame} ${height}x${width}`;
    const known = this.#samples.get(key);
    if (known) return known;
    const { video } = this;
    const bytes = new Uint8Array(3 * video.width * video.height);
    const shrunk = (): Float32Array => {
      const out = new Float32Array(3 * height * width);
      this.#resizer.resize(bytes, video.width, video.height, this.#view, out, height, width);
      return out;
    };
    video.readFrame(frame, bytes);
    const sample: Sample = { image: shrunk() };
    if (video.right?.has(frame)) {
      video.right.read(frame, bytes);
      sample.right = shrunk();
    }
    if (video.depth?.has(frame)) {
      const measured = new Float32Array(video.width * video.height);
      video.depth.read(frame, measured);
      sample.depth = new Float32Array(height * width);
      viewMeasured(measured, video.width, video.height, this.#view, sample.depth, height, width);
    }
    this.#samples.set(key, sample);
    return sample;
  }
}
