/**
 * Drives prepared once and read many times: undistorted, hood cropped, shrunk, as raw bytes in the cache folder.
 *
 * @example
 * const drive = await prepare('challenge03.mp4', 'config/cameras/udacity.yaml', join(cacheFolder(), 'prepared'));
 * const frame = new Uint8Array(drive.width * drive.height * 3);
 * drive.readFrame(drive.split().train[0], frame);
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { z } from 'zod';
import type { Intrinsics } from '../../geometry/camera';
import { readCameraFile } from '../../media/cameraFile';
import { FrameSourceError, openFrameSource } from '../../media/frameSource';
import type { FrameRange, FrameSequence } from './dataset';
import { Undistorter } from './undistort';

/** Changes when the bytes written for the same input would. */
const FORMAT = 'depthgrad-frames/1';
const HELD_OUT_SHARE = 0.2;
const KEY_BYTES = 1 << 20;
/** Side of the blocks whose grey means are compared for the motion score, in prepared pixels. */
const BLUR = 4;

const indexSchema = z.object({
  format: z.literal(FORMAT),
  name: z.string(),
  count: z.int().positive(),
  width: z.int().positive(),
  height: z.int().positive(),
  frames_per_second: z.number().positive(),
  intrinsics: z.object({ fx: z.number(), fy: z.number(), cx: z.number(), cy: z.number() }),
  motion: z.array(z.number()),
});
type FrameIndex = z.infer<typeof indexSchema>;

export interface PrepareOptions {
  /** Size of the frames written, pixels. */
  width?: number;
  height?: number;
  /** Show a progress bar on stderr (default: where it is a terminal). */
  progress?: boolean;
}

/** A drive in the cache folder. Opens the file once; memory does not grow with the drive. */
export class PreparedVideo implements FrameSequence {
  readonly name: string;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  readonly intrinsics: Intrinsics;
  readonly motion: Float32Array;
  readonly #file: number;

  private constructor(
    readonly folder: string,
    index: FrameIndex,
  ) {
    this.name = index.name;
    this.count = index.count;
    this.width = index.width;
    this.height = index.height;
    this.framesPerSecond = index.frames_per_second;
    this.intrinsics = { width: index.width, height: index.height, ...index.intrinsics };
    this.motion = Float32Array.from(index.motion);
    this.#file = openSync(join(folder, 'frames.bin'), 'r');
  }

  /** @throws Error naming the file, when the folder holds no whole prepared drive */
  static open(folder: string): PreparedVideo {
    const path = join(folder, 'frames.json');
    if (!existsSync(path)) throw new Error(`${path}: no such file; npx depthgrad prepare VIDEO makes it`);
    const result = indexSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    if (!result.success) throw new Error(`${path}: not a prepared drive:\n${z.prettifyError(result.error)}`);
    const { count, width, height } = result.data;
    const bytes = statSync(join(folder, 'frames.bin')).size;
    if (bytes !== count * width * height * 3) {
      const wanted = `${count} frames of ${width}x${height} take ${count * width * height * 3} bytes, it has ${bytes}`;
      throw new Error(`${join(folder, 'frames.bin')}: ${wanted}; delete the folder to have it made again`);
    }
    return new PreparedVideo(folder, result.data);
  }

  readFrame(index: number, into: Uint8Array): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.count) {
      throw new RangeError(`${this.name}: no frame ${index}; there are ${this.count}`);
    }
    const length = this.width * this.height * 3;
    if (into.length < length) throw new RangeError(`a frame takes ${length} bytes, the buffer has ${into.length}`);
    for (let done = 0; done < length;) {
      const read = readSync(this.#file, into, done, length - done, index * length + done);
      if (read === 0) throw new Error(`${join(this.folder, 'frames.bin')}: ends in frame ${index}`);
      done += read;
    }
  }

  split(): { train: FrameRange; heldOut: FrameRange } {
    const border = Math.floor((1 - HELD_OUT_SHARE) * this.count);
    return { train: [0, border], heldOut: [border, this.count] };
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Of a file's size, first and last MiB: enough to tell drives apart, without reading gigabytes. */
async function fingerprint(path: string): Promise<string> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    const missing = error.code === 'ENOENT' ? 'no such video file' : `cannot be read (${error.code})`;
    throw new FrameSourceError(path, missing);
  });
  try {
    const { size } = await file.stat();
    const head = await file.read(Buffer.alloc(KEY_BYTES), 0, KEY_BYTES, 0);
    const tail = await file.read(Buffer.alloc(KEY_BYTES), 0, KEY_BYTES, Math.max(0, size - KEY_BYTES));
    const hash = createHash('sha256').update(String(size));
    for (const { buffer, bytesRead } of [head, tail]) hash.update(buffer.subarray(0, bytesRead));
    return hash.digest('hex');
  } finally {
    await file.close();
  }
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

function meanDifference(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

/**
 * The drive prepared for training: from the cache folder where it is there already, else decoded (about 20 ms a frame).
 * Written beside its place and renamed when whole, so an interruption leaves nothing half done.
 * @param cameraFile yaml as scripts/calibrate.py writes it
 * @throws FrameSourceError when the video cannot be read, Error when it does not fit the camera
 */
export async function prepare(
  videoPath: string,
  cameraFile: string,
  cacheDir: string,
  options: PrepareOptions = {},
): Promise<PreparedVideo> {
  const { width = 416, height = 216 } = options;
  const camera = await readCameraFile(cameraFile);
  const key = createHash('sha256')
    .update(JSON.stringify([FORMAT, await fingerprint(videoPath), camera, width, height]))
    .digest('hex')
    .slice(0, 12);
  const name = basename(videoPath, extname(videoPath));
  const folder = join(cacheDir, `${name}-${key}`);
  if (existsSync(join(folder, 'frames.json'))) return PreparedVideo.open(folder);

  const source = await openFrameSource(videoPath);
  const { intrinsics: ideal } = camera;
  if (source.width !== ideal.width || source.height !== ideal.height) {
    const sizes = `${source.width}x${source.height}, but ${cameraFile} is of a ${ideal.width}x${ideal.height} camera`;
    throw new FrameSourceError(videoPath, `is ${sizes}; give the camera file of this video`);
  }
  const undistorter = new Undistorter(ideal, camera.distortion, camera.usableRows ?? ideal.height, width, height);
  const partial = `${folder}.${process.pid}.partial`;
  await mkdir(partial, { recursive: true });
  const bar = new SingleBar({
    format: `prepare ${name} [{bar}] {value}/{total} frames, {eta_formatted} left`,
    hideCursor: true,
    stopOnComplete: true,
  });
  const shown = options.progress ?? process.stderr.isTTY;
  if (shown) bar.start(source.frameCount ?? 0, 0);
  try {
    const motion: number[] = [];
    const output = await open(join(partial, 'frames.bin'), 'w');
    try {
      const pixels = new Uint8Array(width * height * 3);
      let before: Float32Array | undefined;
      for await (const frame of source.frames()) {
        undistorter.apply(frame.data, pixels);
        const { bytesWritten } = await output.write(pixels);
        if (bytesWritten !== pixels.length)
          throw new Error(`${partial}: a frame was written in part; is the disk full?`);
        const grey = blurredGrey(pixels, width, height);
        if (before) motion.push(meanDifference(before, grey));
        before = grey;
        if (shown) bar.update(frame.index + 1);
      }
      await output.sync();
    } finally {
      await output.close();
    }
    const { fx, fy, cx, cy } = undistorter.intrinsics;
    const index: FrameIndex = {
      format: FORMAT,
      name,
      count: motion.length + 1,
      width,
      height,
      frames_per_second: source.framesPerSecond,
      intrinsics: { fx, fy, cx, cy },
      motion: [...motion, 0].map((score) => Number(score.toFixed(4))),
    };
    await writeFile(join(partial, 'frames.json'), JSON.stringify(index, null, 1));
    await rename(partial, folder).catch(async (error: NodeJS.ErrnoException) => {
      // Another process was faster: its drive is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    if (shown) bar.stop();
    await source.close();
    await rm(partial, { recursive: true, force: true });
  }
  return PreparedVideo.open(folder);
}
