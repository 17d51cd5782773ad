/**
 * A recording in its own layout (KITTI, TUM, 7-Scenes, a bag, a video ...), read once from start to end by `prepare`, which writes the
 * store the trainer reads. One file per layout beside this one.
 */
import type { Intrinsics, PlumbBob } from '../../geometry/camera';
import type { Se3 } from '../../geometry/se3';

/** The camera as it recorded: lens distortion and all. Sizes in pixels. */
export interface RecordedCamera {
  readonly intrinsics: Intrinsics;
  /** OpenCV's plumb_bob k1 k2 p1 p2 k3; empty where the images are rectified. */
  readonly distortion: PlumbBob;
  /** Rows from the top that show the world and not the own hood; all where undefined. */
  readonly usableRows?: number;
}

/** One moment. Buffers may be reused for the next frame: who wants to keep them copies them. */
export interface RecordedFrame {
  /** Seconds, of the recording's own clock. */
  readonly stamp: number;
  /** rgb8 [height, width, 3]. */
  readonly image: Uint8Array;
  /** Depth along Z in metres at the image's pixels, float32 [height, width]; 0 where there is none. */
  readonly depth?: Float32Array;
  /** Image of the right camera of a rectified pair, as `image`. */
  readonly right?: Uint8Array;
  /** Camera-to-world, optical frame (x right, y down, z ahead), metres. */
  readonly pose?: Se3;
  /** Speed of the vehicle along its path, metres per second, 0 or more. */
  readonly speed?: number;
}

export interface Recording {
  readonly name: string;
  readonly framesPerSecond: number;
  /** Undefined where it is only known after reading. */
  readonly frameCount?: number;
  readonly camera: RecordedCamera;
  /** Distance between the cameras of a stereo pair, metres; present where frames have `right`. */
  readonly baseline?: number;
  /** Streams: memory does not grow with the recording. Throws FrameSourceError naming the file that cannot be read. */
  frames(): AsyncIterable<RecordedFrame>;
  close(): Promise<void>;
}
