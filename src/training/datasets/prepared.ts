/** Drives as `prepare` writes them: raw bytes in the cache folder, read at random by the trainer. */
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Intrinsics } from '../../geometry/camera';
import { fromMatrix4, type Se3 } from '../../geometry/se3';
import { upperMedian } from '../../geometry/statistics';
import { CorruptFrameError } from './corruptFrame';
import { splitAt, type FrameChannel, type FrameSequence } from './dataset';

/** Changes when the bytes written for the same input would. */
export const PREPARED_FORMAT = 'depthgrad-frames/1';
/** Motion score of a frame whose next one does not follow in time. */
export const NOT_FOLLOWED = -1;
/** Numbers of a pose in pose.bin: the 3x4 camera-to-world matrix, row by row. */
export const POSE_NUMBERS = 12;

/** The names of the files in a prepared drive's folder. */
export const PREPARED_FILES = {
  index: 'frames.json',
  image: 'frames.bin',
  depth: 'depth.bin',
  right: 'right.bin',
  labels: 'labels.bin',
  stamp: 'stamp.bin',
  pose: 'pose.bin',
  speed: 'speed.bin',
} as const;

const indexSchema = z.object({
  format: z.literal(PREPARED_FORMAT),
  name: z.string(),
  count: z.int().positive(),
  width: z.int().positive(),
  height: z.int().positive(),
  frames_per_second: z.number().positive(),
  intrinsics: z.object({ fx: z.number(), fy: z.number(), cx: z.number(), cy: z.number() }),
  baseline: z.number().positive().optional(),
  motion: z.array(z.number()),
  /** Frames that depth.bin, right.bin and labels.bin hold, in their order. */
  depth_frames: z.array(z.int().nonnegative()).optional(),
  right_frames: z.array(z.int().nonnegative()).optional(),
  label_frames: z.array(z.int().nonnegative()).optional(),
  /** Which of stamp.bin (float64 [count]), pose.bin (float64 [count, 12]) and speed.bin (float64 [count]) there are. */
  tracks: z.array(z.enum(['stamp', 'pose', 'speed'])).default([]),
});
export type PreparedIndex = z.input<typeof indexSchema>;
type ReadIndex = z.output<typeof indexSchema>;

function bytesOf(buffer: Uint8Array | Float32Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Fixed-size records of some of a drive's frames in one file. */
export class RecordFile<Buffer extends Uint8Array | Float32Array> implements FrameChannel<Buffer> {
  readonly #file: number;
  readonly #record: ReadonlyMap<number, number>;

  /** @throws Error naming the file when it has not the size of its records */
  constructor(
    private readonly path: string,
    private readonly size: { readonly width: number; readonly height: number; readonly bytesPerPixel: number },
    frames: readonly number[],
  ) {
    const bytes = existsSync(path) ? statSync(path).size : 0;
    const wanted = frames.length * this.recordBytes;
    if (bytes !== wanted) {
      const need = `${frames.length} frames of ${size.width}x${size.height} take ${wanted} bytes, it has ${bytes}`;
      throw new Error(`${path}: ${need}; delete the folder to have it made again`);
    }
    this.#record = new Map(frames.map((frame, record) => [frame, record]));
    this.#file = openSync(path, 'r');
  }

  get recordBytes(): number {
    return this.size.width * this.size.height * this.size.bytesPerPixel;
  }

  get count(): number {
    return this.#record.size;
  }

  has(index: number): boolean {
    return this.#record.has(index);
  }

  read(index: number, into: Buffer): void {
    const record = this.#record.get(index);
    if (record === undefined) throw new RangeError(`${this.path}: holds nothing for frame ${index}`);
    const length = this.recordBytes;
    const bytes = bytesOf(into);
    if (bytes.length < length) throw new RangeError(`a frame takes ${length} bytes, the buffer has ${bytes.length}`);
    for (let done = 0; done < length;) {
      const read = readSync(this.#file, bytes, done, length - done, record * length + done);
      if (read === 0) throw new CorruptFrameError(this.path, index, 'is cut off: the file ends in it');
      done += read;
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

function readNumbers(path: string, count: number): Float64Array {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  if (bytes.length !== count * 8) {
    const need = `${count} numbers take ${count * 8} bytes, it has ${bytes.length}`;
    throw new Error(`${path}: ${need}; delete the folder to have it made again`);
  }
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function readPoses(path: string, count: number): (Se3 | undefined)[] {
  const numbers = readNumbers(path, count * POSE_NUMBERS);
  return Array.from({ length: count }, (_, i) => {
    const pose = numbers.subarray(i * POSE_NUMBERS, (i + 1) * POSE_NUMBERS);
    return Number.isNaN(pose[0]) ? undefined : fromMatrix4(pose);
  });
}

/** An interval this many times the median one is a gap: a paused bag, frames that were left out. */
const GAP = 3;

/** Motion scores with NOT_FOLLOWED before gaps in time and where a clock went back, so that no triplet spans one. */
function markGaps(motion: Float32Array, stamps: Float64Array): Float32Array {
  const intervals = stamps.subarray(1).map((stamp, i) => stamp - stamps[i]);
  const median = upperMedian(intervals);
  return motion.map((score, i) =>
    i < intervals.length && !(intervals[i] > 0 && intervals[i] <= GAP * median) ? NOT_FOLLOWED : score,
  );
}

/**
 * A drive in the cache folder. Opens its files once; memory grows by a few hundred bytes a frame (stamp, pose, motion), not by the images.
 *
 * @example
 * const drive = await prepare(await openRecording('2011_09_26/2011_09_26_drive_0001_sync'), preparedFolder());
 * const depth = new Float32Array(drive.width * drive.height);
 * if (drive.depth?.has(0)) drive.depth.read(0, depth);
 */
export class PreparedDrive implements FrameSequence {
  readonly name: string;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  readonly intrinsics: Intrinsics;
  readonly motion: Float32Array;
  readonly baseline?: number;
  readonly depth?: FrameChannel<Float32Array>;
  readonly right?: FrameChannel<Uint8Array>;
  readonly labels?: FrameChannel<Uint8Array>;
  readonly stamps?: Float64Array;
  readonly poses?: readonly (Se3 | undefined)[];
  readonly speeds?: Float64Array;
  readonly #image: RecordFile<Uint8Array>;
  readonly #files: { close(): void }[] = [];

  private constructor(
    readonly folder: string,
    index: ReadIndex,
  ) {
    const { count, width, height } = index;
    this.name = index.name;
    this.count = count;
    this.width = width;
    this.height = height;
    this.framesPerSecond = index.frames_per_second;
    this.intrinsics = { width, height, ...index.intrinsics };
    this.motion = Float32Array.from(index.motion);
    this.baseline = index.baseline;
    const at = (name: keyof typeof PREPARED_FILES) => join(folder, PREPARED_FILES[name]);
    const records = <B extends Uint8Array | Float32Array>(
      name: 'image' | 'depth' | 'right' | 'labels',
      bytesPerPixel: number,
      frames: number[],
    ): RecordFile<B> => {
      const file = new RecordFile<B>(at(name), { width, height, bytesPerPixel }, frames);
      this.#files.push(file);
      return file;
    };
    try {
      this.#image = records(
        'image',
        3,
        Array.from({ length: count }, (_, i) => i),
      );
      if (index.depth_frames) this.depth = records('depth', 4, index.depth_frames);
      if (index.label_frames) this.labels = records('labels', 1, index.label_frames);
      if (index.right_frames) this.right = records('right', 3, index.right_frames);
      if (index.tracks.includes('stamp')) {
        this.stamps = readNumbers(at('stamp'), count);
        this.motion = markGaps(this.motion, this.stamps);
      }
      if (index.tracks.includes('pose')) this.poses = readPoses(at('pose'), count);
      if (index.tracks.includes('speed')) this.speeds = readNumbers(at('speed'), count);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** @throws Error naming the file, when the folder holds no whole prepared drive */
  static open(folder: string): PreparedDrive {
    const path = join(folder, PREPARED_FILES.index);
    if (!existsSync(path)) throw new Error(`${path}: no such file; npx depthgrad prepare RECORDING makes it`);
    const result = indexSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    if (!result.success) throw new Error(`${path}: not a prepared drive:\n${z.prettifyError(result.error)}`);
    return new PreparedDrive(folder, result.data);
  }

  readFrame(index: number, into: Uint8Array): void {
    if (!this.#image.has(index)) throw new RangeError(`${this.name}: no frame ${index}; there are ${this.count}`);
    this.#image.read(index, into);
  }

  split(): ReturnType<typeof splitAt> {
    return splitAt(this.count);
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}
