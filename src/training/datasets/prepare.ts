/**
 * Recordings prepared once and read many times: undistorted, hood cropped, shrunk, as raw bytes in the cache folder.
 *
 * @example
 * const drive = await prepare(await openRecording('challenge03.mp4', { cameraFile }), preparedFolder());
 * const frame = new Uint8Array(drive.width * drive.height * 3);
 * drive.readFrame(drive.split().train[0], frame);
 */
import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { toMatrix4 } from '../../geometry/se3';
import { meanDifference } from '../../geometry/statistics';
import { FrameSourceError } from '../../media/frame';
import {
  NOT_FOLLOWED,
  POSE_NUMBERS,
  PREPARED_FILES,
  PREPARED_FORMAT,
  PreparedDrive,
  type PreparedIndex,
} from './prepared';
import type { RecordedCamera, RecordedFrame, Recording } from './recording';
import { DepthResampler } from './resampleDepth';
import { LabelResampler } from './resampleLabels';
import { distortedCamera, foldsInView, Undistorter } from './undistort';

const KEY_BYTES = 1 << 20;
/** Changes where the same recording becomes other pixels: copies of before are made anew. */
const PIXELS = 'rectified as by depth_node';
/** Side of the blocks whose grey means are compared for the motion score, in prepared pixels. */
const BLUR = 4;
const DEFAULT_WIDTH = 416;
/** Prepared heights are rounded up to a multiple of this; 1280x660 shown pixels become 416x216. */
const HEIGHT_STEP = 8;

export interface PrepareOptions {
  /** Of the frames written, pixels (default 416). */
  width?: number;
  /** Of the frames written, pixels; by default what keeps the pixels' shape, rounded up to a multiple of 8. */
  height?: number;
  /** Frames that cannot be read and are left out, each named on stderr, before preparing gives up (default 0). */
  maxUnreadable?: number;
  /** Show a progress bar on stderr (default: where it is a terminal). */
  progress?: boolean;
}

/** Adds a file's size, first and last MiB: enough to tell recordings apart, without reading gigabytes. */
async function addFile(hash: Hash, path: string): Promise<void> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new FrameSourceError(path, `cannot be read (${error.code})`);
  });
  try {
    const { size } = await file.stat();
    const head = await file.read(Buffer.alloc(KEY_BYTES), 0, KEY_BYTES, 0);
    const tail = await file.read(Buffer.alloc(KEY_BYTES), 0, KEY_BYTES, Math.max(0, size - KEY_BYTES));
    hash.update(String(size));
    for (const { buffer, bytesRead } of [head, tail]) hash.update(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** Adds names, sizes and times of a folder's files: a KITTI drive has thousands, too many to open. */
async function addFolder(hash: Hash, folder: string, prefix = ''): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    const found = await stat(path);
    if (found.isDirectory()) await addFolder(hash, path, `${prefix}${entry.name}/`);
    else hash.update(`${prefix}${entry.name} ${found.size} ${Math.round(found.mtimeMs)}\n`);
  }
}

async function fingerprint(sources: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) {
    if ((await stat(source)).isDirectory()) await addFolder(hash, source);
    else await addFile(hash, source);
  }
  return hash.digest('hex');
}

/**
 * The camera's part of a prepared copy's key. plumb_bob is its coefficients alone, as when it was the only model: its copies hold. But those of a
 * lens that folds back within the view do not: pixels were read from where it does.
 */
function cameraKey(camera: RecordedCamera): unknown[] {
  const { distortion } = camera;
  const key = { ...camera, distortion: distortion.model === 'plumb_bob' ? distortion.coefficients : distortion };
  return foldsInView(camera) ? [key, 'unfolded'] : [key];
}

/** Grey means of BLUR x BLUR blocks, 0..255. */
function blurredGrey(frame: Uint8Array, width: number, height: number): Float32Array {
  const columns = Math.floor(width / BLUR);
  const rows = Math.floor(height / BLUR);
  const grey = new Float32Array(columns * rows);
  for (let v = 0; v < rows * BLUR; v++) {
    for (let u = 0, at = 3 * v * width; u < columns * BLUR; u++, at += 3) {
      const level = 0.299 * frame[at] + 0.587 * frame[at + 1] + 0.114 * frame[at + 2];
      grey[Math.floor(v / BLUR) * columns + Math.floor(u / BLUR)] += level / (BLUR * BLUR);
    }
  }
  return grey;
}

/** Writes a recording's frames as a prepared drive's files, one frame in memory at a time. */
class DriveWriter {
  readonly #undistorter: Undistorter;
  readonly #files = new Map<'image' | 'depth' | 'right' | 'labels', FileHandle>();
  readonly #pixels: Uint8Array;
  readonly #motion: number[] = [];
  readonly #stamps: number[] = [];
  readonly #speeds: number[] = [];
  readonly #poses: number[] = [];
  readonly #depthFrames: number[] = [];
  readonly #rightFrames: number[] = [];
  readonly #labelFrames: number[] = [];
  #depth?: { readonly resampler: DepthResampler; readonly values: Float32Array };
  #labels?: { readonly resampler: LabelResampler; readonly values: Uint8Array };
  #before?: Float32Array;

  constructor(
    private readonly recording: Recording,
    private readonly folder: string,
    private readonly width: number,
    private readonly height: number,
  ) {
    try {
      this.#undistorter = new Undistorter(recording.camera, width, height);
    } catch (error) {
      throw new FrameSourceError(recording.sources[0], (error as Error).message);
    }
    this.#pixels = new Uint8Array(width * height * 3);
  }

  get count(): number {
    return this.#stamps.length;
  }

  async #append(name: 'image' | 'depth' | 'right' | 'labels', bytes: Uint8Array): Promise<void> {
    let file = this.#files.get(name);
    if (!file) {
      file = await open(join(this.folder, PREPARED_FILES[name]), 'w');
      this.#files.set(name, file);
    }
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten !== bytes.length)
      throw new Error(
        `${this.folder}: a frame was written in part; is the disk full? Make room, or set DEPTHGRAD_CACHE to another disk`,
      );
  }

  async add(frame: RecordedFrame): Promise<void> {
    const { width, height, recording } = this;
    const index = this.count;
    this.#undistorter.apply(frame.image, this.#pixels);
    await this.#append('image', this.#pixels);
    const grey = blurredGrey(this.#pixels, width, height);
    if (this.#before) this.#motion.push(recording.unordered ? NOT_FOLLOWED : meanDifference(this.#before, grey));
    this.#before = grey;
    if (frame.right) {
      this.#undistorter.apply(frame.right, this.#pixels);
      await this.#append('right', this.#pixels);
      this.#rightFrames.push(index);
    }
    if (frame.depth) {
      this.#depth ??= {
        resampler: new DepthResampler(distortedCamera(recording.camera), this.#undistorter.intrinsics),
        values: new Float32Array(width * height),
      };
      this.#depth.resampler.apply(frame.depth, this.#depth.values);
      await this.#append('depth', new Uint8Array(this.#depth.values.buffer));
      this.#depthFrames.push(index);
    }
    if (frame.labels) {
      this.#labels ??= {
        resampler: new LabelResampler(distortedCamera(recording.camera), this.#undistorter.intrinsics),
        values: new Uint8Array(width * height),
      };
      this.#labels.resampler.apply(frame.labels, this.#labels.values);
      await this.#append('labels', this.#labels.values);
      this.#labelFrames.push(index);
    }
    this.#stamps.push(frame.stamp);
    this.#speeds.push(frame.speed ?? NaN);
    this.#poses.push(
      ...(frame.pose ? toMatrix4(frame.pose).subarray(0, POSE_NUMBERS) : new Float64Array(POSE_NUMBERS).fill(NaN)),
    );
  }

  /** Writes what is known at the end only, and waits for the disk. */
  async finish(): Promise<void> {
    const { recording, width, height, count } = this;
    const tracks: NonNullable<PreparedIndex['tracks']> = [];
    for (const [track, values] of [
      ['stamp', this.#stamps],
      ['pose', this.#poses],
      ['speed', this.#speeds],
    ] as const) {
      if (values.every(Number.isNaN)) continue;
      await writeFile(join(this.folder, PREPARED_FILES[track]), new Uint8Array(Float64Array.from(values).buffer));
      tracks.push(track);
    }
    const { fx, fy, cx, cy } = this.#undistorter.intrinsics;
    const index: PreparedIndex = {
      format: PREPARED_FORMAT,
      name: recording.name,
      count,
      width,
      height,
      frames_per_second: recording.framesPerSecond,
      intrinsics: { fx, fy, cx, cy },
      baseline: this.#rightFrames.length > 0 ? recording.baseline : undefined,
      depth_frames: this.#depthFrames.length > 0 ? this.#depthFrames : undefined,
      label_frames: this.#labelFrames.length > 0 ? this.#labelFrames : undefined,
      right_frames: this.#rightFrames.length > 0 ? this.#rightFrames : undefined,
      tracks,
      motion: [...this.#motion, 0].map((score) => Number(score.toFixed(4))),
    };
    for (const file of this.#files.values()) await file.sync();
    await writeFile(join(this.folder, PREPARED_FILES.index), JSON.stringify(index, null, 1));
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }
}

/** Hands on the frames that can be read; names each of the others on stderr, up to a limit. */
function readableFrames(recording: Recording, maxUnreadable: number): AsyncIterable<RecordedFrame> {
  let unreadable = 0;
  return recording.frames((error) => {
    unreadable++;
    if (unreadable > maxUnreadable) {
      if (maxUnreadable === 0) {
        const way = 'copy it again, or leave it out with npx depthgrad prepare --max-unreadable 1';
        throw new FrameSourceError(error.path, `${error.problem}; ${way}`);
      }
      const limit = `${maxUnreadable} frames are left out at most`;
      throw new FrameSourceError(error.path, `one frame too many that cannot be read, ${limit}: ${error.problem}`);
    }
    console.error(`prepare ${recording.name}: left out: ${error.message}`);
  });
}

/**
 * The recording prepared for training: from the cache folder where it is there already, else read (about 20 ms a frame).
 * Written beside its place and renamed when whole, so an interruption leaves nothing half done. Closes the recording.
 *
 * @throws FrameSourceError naming the file that cannot be read
 */
export async function prepare(
  recording: Recording,
  cacheDir: string,
  options: PrepareOptions = {},
): Promise<PreparedDrive> {
  const { camera, name, variant, baseline, labelled } = recording;
  const shownRows = camera.usableRows ?? camera.intrinsics.height;
  const width = options.width ?? DEFAULT_WIDTH;
  const height = options.height ?? HEIGHT_STEP * Math.ceil((width * shownRows) / camera.intrinsics.width / HEIGHT_STEP);
  try {
    const parts = [PREPARED_FORMAT, PIXELS, await fingerprint(recording.sources), ...cameraKey(camera), width, height];
    if (variant !== undefined || baseline !== undefined) parts.push(JSON.stringify([variant, baseline]));
    if (labelled) parts.push('labels');
    const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
    const folder = join(cacheDir, `${name}-${key}`);
    if (!existsSync(join(folder, PREPARED_FILES.index))) await write(recording, folder, width, height, options);
    return PreparedDrive.open(folder);
  } finally {
    await recording.close();
  }
}

async function write(
  recording: Recording,
  folder: string,
  width: number,
  height: number,
  options: PrepareOptions,
): Promise<void> {
  const partial = `${folder}.${process.pid}.partial`;
  await mkdir(partial, { recursive: true });
  const bar = new SingleBar({
    format: `prepare ${recording.name} [{bar}] {value}/{total} frames, {eta_formatted} left`,
    hideCursor: true,
    stopOnComplete: true,
  });
  const shown = options.progress ?? process.stderr.isTTY;
  if (shown) bar.start(recording.frameCount ?? 0, 0);
  try {
    const writer = new DriveWriter(recording, partial, width, height);
    try {
      for await (const frame of readableFrames(recording, options.maxUnreadable ?? 0)) {
        await writer.add(frame);
        if (shown) bar.update(writer.count);
      }
      if (writer.count === 0) throw new FrameSourceError(recording.sources[0], 'no frame in it could be read');
      await writer.finish();
    } finally {
      await writer.close();
    }
    await rename(partial, folder).catch(async (error: NodeJS.ErrnoException) => {
      // Another process was faster: its drive is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (error) {
    const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
    throw full ? new Error(`${folder}: the disk is full; make room, or set DEPTHGRAD_CACHE to another disk`) : error;
  } finally {
    if (shown) bar.stop();
    await rm(partial, { recursive: true, force: true });
  }
}
