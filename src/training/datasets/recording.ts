/**
 * A recording in its own layout (KITTI, TUM, 7-Scenes, a bag, a video ...), read once from start to end by `prepare`, which writes the
 * store the trainer reads. One file per layout beside this one, each listed in openRecording.ts.
 */
import type { Intrinsics } from '../../geometry/camera';
import type { Distortion } from '../../geometry/lens';
import type { Se3 } from '../../geometry/se3';
import type { FrameSourceError } from '../../media/frame';

/** The camera as it recorded: lens distortion and all. Sizes in pixels. */
export interface RecordedCamera {
  readonly intrinsics: Intrinsics;
  readonly distortion: Distortion;
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
  /** Class per pixel of the image, uint8 [height, width], 255 where nobody said. */
  readonly labels?: Uint8Array;
  /** Image of the right camera of a rectified pair, as `image`. */
  readonly right?: Uint8Array;
  /** Camera-to-world, optical frame (x right, y down, z ahead), metres. */
  readonly pose?: Se3;
  /** Speed of the vehicle along its path, metres per second, 0 or more. */
  readonly speed?: number;
}

/** Told of a frame that cannot be read; the recording goes on with the next one unless this throws. */
export type UnreadableFrame = (error: FrameSourceError) => void;

export interface Recording {
  readonly name: string;
  /** Files and folders it is made of: a prepared copy is made anew when one of them changes. */
  readonly sources: readonly string[];
  /** Which of several recordings in the same sources this is (a camera's folder, a topic); part of the prepared copy's key. */
  readonly variant?: string;
  readonly framesPerSecond: number;
  /** Undefined where it is only known after reading. */
  readonly frameCount?: number;
  readonly camera: RecordedCamera;
  /** Distance between the cameras of a stereo pair, metres; present where frames have `right`. */
  readonly baseline?: number;
  /** Frames have `labels`: copies that were prepared when nobody read them are not used. */
  readonly labelled?: boolean;
  /** Single pictures that do not follow each other in time (NYU's labelled set): there is no motion between them to learn from. */
  readonly unordered?: boolean;
  /**
   * Streams: memory does not grow with the recording. Throws FrameSourceError naming the file that cannot be read, or hands it to
   * `onUnreadable` where the layout keeps its frames in files of their own, or one message of a bag alone is damaged.
   */
  frames(onUnreadable?: UnreadableFrame): AsyncIterable<RecordedFrame>;
  close(): Promise<void>;
}

export interface OpenRecordingOptions {
  /** Camera file of a video, or of pictures without a calib.yaml. */
  readonly cameraFile?: string;
}

/** One layout of files on disk. */
export interface RecordingLayout {
  readonly name: string;
  /** The files it is known by, for the error message when nothing fits. */
  readonly knownBy: string;
  /** Whether the file or folder is of this layout, told by the names in it. */
  matches(path: string): Promise<boolean>;
  /** @throws Error naming the file that is missing or does not fit */
  open(path: string, options: OpenRecordingOptions): Promise<Recording>;
}
