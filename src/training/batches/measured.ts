/** Frames with measured depth, a right image, class labels, a known motion or several of them, with their neighbours where those are wanted and there, in random views. */
import { splitAt, type FrameSequence } from '../datasets/dataset';
import type { LossNeed, TrainingBatch } from '../losses/loss';
import type { Random } from '../random';
import {
  applyJitter,
  randomJitter,
  randomView,
  sampleNearest,
  ViewResizer,
  viewIntrinsics,
  type View,
} from './augment';
import { viewMeasured } from './depthView';
import { framesOf, moves, NoTargetsError, type DriveBatchOptions } from './drives';
import { measuredNormals, viewNormals } from './normalView';

/** What of a recording a batch can carry besides the target and its camera. */
export const MEASURED_PARTS = [
  'depth',
  'normals',
  'labels',
  'stereo',
  'next',
  'motion',
] as const satisfies readonly LossNeed[];
export type MeasuredPart = (typeof MEASURED_PARTS)[number];

export interface MeasuredBatchOptions extends DriveBatchOptions {
  /** What the recipe's losses look at; the rest is not read. A target has one of those wanted here besides `next`. */
  wanted: ReadonlySet<MeasuredPart>;
  /** Of a recording's frames with measured depth every n-th keeps it, as if the others had none (default 1). */
  depthEvery?: number;
}

interface Target {
  video: FrameSequence;
  index: number;
  /** Distances at which both neighbours follow in time and move as is asked; none where the target is shown alone. */
  strides: number[];
  parts: ReadonlySet<MeasuredPart>;
}

/** Samples of a batch carry the same parts, since a part is there for a whole batch or not at all. */
function kindOf({ parts }: Target): string {
  return MEASURED_PARTS.filter((part) => parts.has(part)).join('+');
}

export class MeasuredBatches {
  readonly #resizer = new ViewResizer();
  readonly #frame: Uint8Array;
  readonly #depth: Float32Array;
  readonly #labels: Uint8Array;
  readonly #targets: Target[] = [];
  readonly #byKind = new Map<string, Target[]>();
  /** Frames with measured depth that were offered so far. */
  readonly #depthSeen = new Map<FrameSequence, number>();

  /** @throws NoTargetsError naming the recordings when none has a frame of the wanted parts to train on */
  constructor(
    recordings: FrameSequence[],
    private readonly options: MeasuredBatchOptions,
    private readonly random: Random,
  ) {
    const singles = recordings.filter(({ count }) => count === 1);
    // Of single pictures there is no end to keep out: the end of the list of them is.
    const [firstSingle, endSingle] = framesOf({ split: () => splitAt(singles.length) }, options);
    for (const video of recordings.filter(({ count }) => count > 1)) {
      const [first, end] = framesOf(video, options);
      for (let index = first; index < end; index++) this.#offer(video, index, first, end);
    }
    for (const video of singles.slice(firstSingle, endSingle)) this.#offer(video, 0, 0, 1);
    if (this.#targets.length === 0) {
      const names = recordings.map(({ name }) => name).join(', ');
      const parts = [...options.wanted].join(', ') || 'neither depth, normals, labels, stereo nor motion';
      throw new NoTargetsError(
        `no frame to take in the ${options.part} part of ${names} (the last fifth is never taken, of single pictures the last fifth of the list). ` +
          `The recipe's losses look at: ${parts}; give recordings with measured depth, label images, right images or speeds, as they ask, or more of them`,
      );
    }
    for (const target of this.#targets) {
      const kind = kindOf(target);
      this.#byKind.set(kind, [...(this.#byKind.get(kind) ?? []), target]);
    }
    const pixels = Math.max(...recordings.map(({ width, height }) => width * height));
    this.#frame = new Uint8Array(3 * pixels);
    this.#depth = new Float32Array(pixels);
    this.#labels = new Uint8Array(pixels);
  }

  get count(): number {
    return this.#targets.length;
  }

  /** Takes the frame as a target where it has what is wanted. */
  #offer(video: FrameSequence, index: number, first: number, end: number): void {
    const { wanted, strideMotion } = this.options;
    const parts = new Set<MeasuredPart>();
    const measured = this.#keepsDepth(video, index);
    for (const part of ['depth', 'normals'] as const) if (wanted.has(part) && measured) parts.add(part);
    if (wanted.has('labels') && video.labels?.has(index)) parts.add('labels');
    if (wanted.has('stereo') && video.baseline !== undefined && video.right?.has(index)) parts.add('stereo');
    let strides: number[] = [];
    if (wanted.has('next') || wanted.has('motion')) {
      strides = [...this.options.strides]
        .sort((a, b) => a - b)
        .filter(
          (stride) => index - stride >= first && index + stride < end && moves(video, index, stride, this.options),
        );
      if (strideMotion > 0) strides = strides.slice(0, 1);
    }
    if (strides.length > 0) {
      parts.add('next');
      if (wanted.has('motion') && video.stamps && Number.isFinite(video.speeds?.[index])) parts.add('motion');
    }
    // Neighbours alone are what the drives give.
    if ([...parts].every((part) => part === 'next')) return;
    this.#targets.push({ video, index, strides, parts });
  }

  #keepsDepth(video: FrameSequence, index: number): boolean {
    if (!video.depth?.has(index)) return false;
    const before = this.#depthSeen.get(video) ?? 0;
    this.#depthSeen.set(video, before + 1);
    return before % (this.options.depthEvery ?? 1) === 0;
  }

  /** Batches of one kind: the first sample is drawn from all targets, the others from those that carry the same parts. */
  #draw(size: number): Target[] {
    const { random } = this;
    const first = this.#targets[random.integer(this.#targets.length)];
    const others = this.#byKind.get(kindOf(first)) ?? [];
    return Array.from({ length: size }, (_, b) => (b === 0 ? first : others[random.integer(others.length)]));
  }

  next(size: number, height: number, width: number): TrainingBatch {
    const { random, options } = this;
    const targets = this.#draw(size);
    const { parts } = targets[0];
    const pixels = height * width;
    const images = (): Float32Array => new Float32Array(size * pixels * 3);
    const target = images();
    const previous = parts.has('next') ? images() : target;
    const next = parts.has('next') ? images() : undefined;
    const frames = next ? [previous, target, next] : [previous, target];
    const networkImages = new Float32Array(frames.length * size * pixels * 3);
    const batch: TrainingBatch = { size, height, width, intrinsics: [], previous, target, next, networkImages };
    if (parts.has('depth')) batch.depth = new Float32Array(size * pixels);
    if (parts.has('normals')) batch.normals = images();
    if (parts.has('labels')) batch.labels = new Uint8Array(size * pixels);
    if (parts.has('stereo')) batch.stereo = { right: images(), baseline: new Float32Array(size) };
    if (parts.has('motion')) {
      const numbers = (): Float32Array => new Float32Array(size);
      batch.motion = { speed: numbers(), sincePrevious: numbers(), untilNext: numbers() };
    }
    targets.forEach(({ video, index, strides }, b) => {
      const stride = strides.length > 0 ? strides[random.integer(strides.length)] : 0;
      const view = randomView(random, video.width, video.height, options.minCrop[0], options.minCrop[1]);
      const jitter = randomJitter(random);
      if (view.mirrored && !mayMirror(video, index, stride, parts)) view.mirrored = false;
      // In the mirror the right camera is the left one: the pair swaps, and the target with it.
      const swapped = view.mirrored && parts.has('stereo');
      batch.intrinsics.push(viewIntrinsics(video.intrinsics, view, height, width));
      const imageOf = (all: Float32Array): Float32Array => all.subarray(3 * b * pixels, 3 * (b + 1) * pixels);
      const read = (frame: number, right: boolean, into: Float32Array): void =>
        this.#readView(video, frame, right, view, imageOf(into), height, width);
      read(index, swapped, target);
      if (next) {
        read(index - stride, swapped, previous);
        read(index + stride, swapped, next);
      }
      if (batch.stereo) {
        read(index, !swapped, batch.stereo.right);
        batch.stereo.baseline[b] = video.baseline ?? NaN;
      }
      if (batch.depth || batch.normals) video.depth?.read(index, this.#depth);
      if (batch.depth) {
        const out = batch.depth.subarray(b * pixels, (b + 1) * pixels);
        viewMeasured(this.#depth, video.width, video.height, view, out, height, width);
      }
      if (batch.normals)
        viewNormals(this.#depth, video.intrinsics, view, measuredNormals, imageOf(batch.normals), height, width);
      if (batch.labels) {
        video.labels?.read(index, this.#labels);
        const out = batch.labels.subarray(b * pixels, (b + 1) * pixels);
        sampleNearest(this.#labels, video.width, video.height, view, out, height, width);
      }
      if (batch.motion) setMotion(batch.motion, b, video, index, stride);
      frames.forEach((all, f) => {
        const at = 3 * (f * size + b) * pixels;
        applyJitter(imageOf(all), jitter, networkImages.subarray(at, at + 3 * pixels));
      });
    });
    return batch;
  }

  #readView(
    video: FrameSequence,
    index: number,
    right: boolean,
    view: View,
    out: Float32Array,
    height: number,
    width: number,
  ): void {
    if (right) video.right?.read(index, this.#frame);
    else video.readFrame(index, this.#frame);
    this.#resizer.resize(this.#frame, video.width, video.height, view, out, height, width);
  }
}

/** What is known of the left image's pixels alone. */
const OF_LEFT_IMAGE: readonly MeasuredPart[] = ['depth', 'normals', 'labels'];

/** A mirrored pair swaps, so its target is the right image: there is no depth of that one, and its neighbours need right images too. */
function mayMirror({ right }: FrameSequence, index: number, stride: number, parts: ReadonlySet<MeasuredPart>): boolean {
  if (!parts.has('stereo')) return true;
  return (
    !OF_LEFT_IMAGE.some((part) => parts.has(part)) &&
    [index - stride, index + stride].every((neighbour) => right?.has(neighbour))
  );
}

function setMotion(
  motion: NonNullable<TrainingBatch['motion']>,
  b: number,
  { speeds, stamps }: FrameSequence,
  index: number,
  stride: number,
): void {
  if (!speeds || !stamps) return;
  motion.speed[b] = speeds[index];
  motion.sincePrevious[b] = stamps[index] - stamps[index - stride];
  if (motion.untilNext) motion.untilNext[b] = stamps[index + stride] - stamps[index];
}
