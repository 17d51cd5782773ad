/** What a frame source is and what it gives. */

/** One picture: rgb, 8 bits, row-major, height * width * 3 bytes in a buffer of its own (never a view of a larger one). */
export interface VideoFrame {
  /** Counts from 0 over all frames delivered, loops included. */
  readonly index: number;
  /** Seconds since the first frame delivered; goes on growing over loops. */
  readonly timestampSeconds: number;
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface FrameSourceOptions {
  /** Seconds into the file at which to start; cameras ignore it. */
  start?: number;
  /** Begin again (at `start`) after the last frame; cameras never end anyway. */
  loop?: boolean;
  /** Frames per second of an image folder; without it `fps` of the calib.yaml in or beside the folder, else 10. */
  framesPerSecond?: number;
}

export interface FrameSource {
  /** Size of the first frame in pixels. Images of a folder may differ: every frame says its own. */
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  /** Frames of the whole file, as far as it says so itself; undefined for a camera. */
  readonly frameCount?: number;
  /** The frames in order, decoded as they are asked for. Only one iteration at a time; a new one starts anew. */
  frames(): AsyncIterable<VideoFrame>;
  close(): Promise<void>;
}

/** A source that cannot be opened or read. The message names the file or device and what to do. */
export class FrameSourceError extends Error {
  constructor(
    readonly path: string,
    readonly problem: string,
  ) {
    super(`${path}: ${problem}`);
    this.name = 'FrameSourceError';
  }
}
