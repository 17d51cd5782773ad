/** What the trainer and the evaluation ask of a recording, wherever its frames are kept. */
import type { Intrinsics } from '../../geometry/camera';
import type { Se3 } from '../../geometry/se3';

/** Frames [first, end). */
export type FrameRange = readonly [first: number, end: number];

const HELD_OUT_SHARE = 0.2;

/** Frames to train on, and the last fifth of `count`, never to be trained on: by time, for neighbours are almost the same picture. */
export function splitAt(count: number): { train: FrameRange; heldOut: FrameRange } {
  const border = Math.floor((1 - HELD_OUT_SHARE) * count);
  return { train: [0, border], heldOut: [border, count] };
}

/** A map that some or all frames have besides their image. */
export interface FrameChannel<Buffer> {
  /** Frames that have it. */
  readonly count: number;
  has(index: number): boolean;
  /** Reads frame `index` into the first elements of `into`. @throws RangeError where the frame has none */
  read(index: number, into: Buffer): void;
}

/** A drive with one pinhole camera, all frames of one size. */
export interface FrameSequence {
  readonly name: string;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  /** Of the frames as they are read: distortion and hood are gone. */
  readonly intrinsics: Intrinsics;
  /**
   * Change between frame i and i + 1 per frame: mean absolute difference of blurred grey, in levels of 0..255. A car at rest is
   * below about 0.5. The last frame has 0, having no next; -1 where frame i + 1 does not follow in time.
   */
  readonly motion: ArrayLike<number>;
  /** Depth along Z in metres, float32 [height, width], 0 where there is none. Undefined where the recording has none. */
  readonly depth?: FrameChannel<Float32Array>;
  /** Class per pixel, uint8 [height, width], 255 where nobody said. Undefined where the recording has none. */
  readonly labels?: FrameChannel<Uint8Array>;
  /** Right image of a rectified pair, rgb8 [height, width, 3], the same intrinsics as the left one. */
  readonly right?: FrameChannel<Uint8Array>;
  /** Distance between the cameras of the pair, metres; a point at depth Z lies fx * baseline / Z pixels further left in the right image. */
  readonly baseline?: number;
  /** Seconds, of the recording's own clock, [count]. */
  readonly stamps?: Float64Array;
  /** Camera-to-world in the optical frame, metres, [count]; undefined where a frame has none. */
  readonly poses?: readonly (Se3 | undefined)[];
  /** Metres per second, [count]; NaN where unknown. */
  readonly speeds?: Float64Array;
  /** Reads frame `index` as rgb8 [height, width, 3] into the first bytes of `into`. */
  readFrame(index: number, into: Uint8Array): void;
  /** `splitAt` of its frames. */
  split(): ReturnType<typeof splitAt>;
}
