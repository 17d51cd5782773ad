/** What the trainer and the evaluation ask of a recording, wherever its frames are kept. */
import type { Intrinsics } from '../../geometry/camera';

/** Frames [first, end). */
export type FrameRange = readonly [first: number, end: number];

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
   * below about 0.5. The last frame has 0, having no next.
   */
  readonly motion: ArrayLike<number>;
  /** Reads frame `index` as rgb8 [height, width, 3] into the first bytes of `into`. */
  readFrame(index: number, into: Uint8Array): void;
  /** Frames to train on, and the last fifth, never to be trained on. */
  split(): { train: FrameRange; heldOut: FrameRange };
}
