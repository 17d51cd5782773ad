/** Rendered synthetic scenes kept on disk, in parts that are rendered once by two worker threads and read at random. */
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SingleBar } from 'cli-progress';
import type { Intrinsics } from '../../geometry/camera';
import { CorruptFrameError } from './corruptFrame';
import { FAR_METERS, SyntheticScenes, type SyntheticSample } from './synthetic';

/** What is in a set; the folder's name is made of it. */
export interface SyntheticSetKey {
  /** Raised when the renderer changes its pictures. */
  renderer: number;
  height: number;
  width: number;
  /** Consecutive frames per sample. */
  frames: number;
  seed: number;
}

export const DEFAULT_SYNTHETIC_SET: SyntheticSetKey = { renderer: 1, height: 128, width: 416, frames: 2, seed: 1 };

export const SAMPLES_PER_PART = 50;

/** Depth is kept as 16-bit steps of log-disparity from FAR_METERS to NEAR_METERS: 1.1e-4 relative. */
const NEAR_METERS = 0.1;
const LOG_RANGE = Math.log(FAR_METERS / NEAR_METERS);

function numbersPerSample(key: SyntheticSetKey): number {
  return 4 + 6 * (key.frames - 1);
}

function recordBytes(key: SyntheticSetKey): number {
  return 8 * numbersPerSample(key) + key.frames * key.height * key.width * (3 + 2);
}

export function syntheticSetFolder(key: SyntheticSetKey, preparedFolder: string): string {
  return join(preparedFolder, `synthetic-v${key.renderer}-${key.height}x${key.width}x${key.frames}-seed${key.seed}`);
}

/** Of a set there is what its samples show and, where somebody asked for them, the class maps beside it (syntheticClasses.ts). */
export type PartContent = 'samples' | 'classes';

/** The frame of a sample that has a class map: the target of a pair. */
const CLASSES_FRAME = 1;

export function partPath(folder: string, part: number, content: PartContent = 'samples'): string {
  const prefix = content === 'samples' ? 'part' : 'classes';
  return join(folder, `${prefix}-${String(part).padStart(4, '0')}.bin`);
}

/** fx, fy, cx, cy, the poses (float64), then the images (uint8), then log-disparity (uint16), all little-endian. */
function encode(sample: SyntheticSample, key: SyntheticSetKey): Uint8Array {
  const bytes = new Uint8Array(recordBytes(key));
  const { fx, fy, cx, cy } = sample.intrinsics;
  const numbers = Float64Array.of(fx, fy, cx, cy, ...sample.poses.flatMap((pose) => Array.from(pose)));
  bytes.set(new Uint8Array(numbers.buffer));
  let at = numbers.byteLength;
  for (const image of sample.images) {
    bytes.set(image, at);
    at += image.length;
  }
  for (const depth of sample.depths) {
    const steps = Uint16Array.from(depth, (z) => {
      const share = Math.log(FAR_METERS / z) / LOG_RANGE;
      return Math.round(65535 * Math.min(1, Math.max(0, share)));
    });
    bytes.set(new Uint8Array(steps.buffer), at);
    at += steps.byteLength;
  }
  return bytes;
}

/** Renders one part; the file appears under its name only when it is whole. */
export function renderPart(
  { key, folder, content }: Omit<SyntheticWorkerData, 'parts'>,
  part: number,
  afterSample: () => void,
): void {
  const path = partPath(folder, part, content);
  const unfinished = `${path}.${process.pid}`;
  const scenes = new SyntheticScenes(key.seed);
  const { height, width, frames } = key;
  const record = (index: number): Uint8Array =>
    content === 'samples'
      ? encode(scenes.render(index, height, width, frames), key)
      : scenes.classes(index, height, width, frames, CLASSES_FRAME);
  const file = openSync(unfinished, 'w');
  try {
    for (let i = 0; i < SAMPLES_PER_PART; i++) {
      writeSync(file, record(part * SAMPLES_PER_PART + i));
      afterSample();
    }
  } catch (error) {
    closeSync(file);
    rmSync(unfinished, { force: true });
    throw error;
  }
  closeSync(file);
  renameSync(unfinished, path);
}

export interface SyntheticWorkerData {
  key: SyntheticSetKey;
  folder: string;
  content: PartContent;
  parts: number[];
}

/** The first `count` samples' parts that are not there yet. */
export async function renderMissing(
  work: Omit<SyntheticWorkerData, 'parts'>,
  count: number,
  threads: number,
): Promise<void> {
  const { folder, content } = work;
  const parts = Array.from({ length: Math.ceil(count / SAMPLES_PER_PART) }, (_, part) => part).filter(
    (part) => !existsSync(partPath(folder, part, content)),
  );
  if (parts.length === 0) return;
  const what = content === 'samples' ? 'synthetic scenes' : 'classes of synthetic scenes';
  const bar = new SingleBar({
    format: `${what} {bar} {value}/{total} | {duration_formatted}, {eta_formatted} left`,
  });
  bar.start(parts.length * SAMPLES_PER_PART, 0);
  const script = join(__dirname, 'syntheticWorker.js');
  try {
    if (threads < 1 || !existsSync(script)) {
      // Run from TypeScript (tests): a worker thread could not load its source.
      for (const part of parts) renderPart(work, part, () => bar.increment());
      return;
    }
    const shares = Array.from({ length: Math.min(threads, parts.length) }, (_, k) =>
      parts.filter((_part, i) => i % threads === k),
    );
    await Promise.all(
      shares.map(
        (share) =>
          new Promise<void>((resolve, reject) => {
            const worker = new Worker(script, {
              workerData: { ...work, parts: share } satisfies SyntheticWorkerData,
            });
            worker.on('message', () => bar.increment());
            worker.on('error', reject);
            worker.on('exit', (code) =>
              code === 0 ? resolve() : reject(new Error(`synthetic scene worker ended with code ${code}`)),
            );
          }),
      ),
    );
  } finally {
    bar.stop();
  }
}

/** One sample as read back: images rgb8 [h, w, 3], depths in metres [h, w] (at most FAR_METERS). */
export interface StoredSyntheticSample {
  images: Uint8Array[];
  depths: Float32Array[];
  /** Pose of frame k+1's camera in frame k's optical frame: translation, axis-angle. */
  poses: Float64Array[];
  /** poses[0], for pairs. */
  pose: Float64Array;
  intrinsics: Intrinsics;
}

/** Random access to a rendered set. Memory grows with a sample, not with the set. */
export class SyntheticSet {
  readonly #files: number[];

  constructor(
    readonly key: SyntheticSetKey,
    readonly folder: string,
    readonly count: number,
  ) {
    const bytes = recordBytes(key) * SAMPLES_PER_PART;
    this.#files = Array.from({ length: Math.ceil(count / SAMPLES_PER_PART) }, (_, part) => {
      const path = partPath(folder, part);
      const size = statSync(path).size;
      if (size !== bytes)
        throw new Error(`${path} has ${size} bytes, expected ${bytes}; remove it and it is rendered again`);
      return openSync(path, 'r');
    });
  }

  get height(): number {
    return this.key.height;
  }

  get width(): number {
    return this.key.width;
  }

  read(index: number): StoredSyntheticSample {
    if (!Number.isInteger(index) || index < 0 || index >= this.count) {
      throw new RangeError(`synthetic sample ${index} of ${this.count}: index out of range`);
    }
    const { height, width, frames } = this.key;
    const bytes = recordBytes(this.key);
    const record = new Uint8Array(bytes);
    const part = Math.floor(index / SAMPLES_PER_PART);
    const read = readSync(this.#files[part], record, 0, bytes, (index % SAMPLES_PER_PART) * bytes);
    if (read < bytes)
      throw new CorruptFrameError(partPath(this.folder, part), index, 'is cut off: the file ends in it');
    const numbers = new Float64Array(record.buffer, 0, numbersPerSample(this.key));
    const poses = Array.from({ length: frames - 1 }, (_, k) => numbers.slice(4 + 6 * k, 10 + 6 * k));
    const pixels = height * width;
    const imagesAt = numbers.byteLength;
    const depthsAt = imagesAt + frames * pixels * 3;
    const images = Array.from({ length: frames }, (_, k) =>
      record.subarray(imagesAt + 3 * k * pixels, imagesAt + 3 * (k + 1) * pixels),
    );
    const depths = Array.from({ length: frames }, (_, k) =>
      Float32Array.from(
        new Uint16Array(record.buffer, depthsAt + 2 * k * pixels, pixels),
        (step) => DEPTH_OF_STEP[step],
      ),
    );
    const [fx, fy, cx, cy] = numbers;
    return { images, depths, poses, pose: poses[0], intrinsics: { width, height, fx, fy, cx, cy } };
  }

  close(): void {
    for (const file of this.#files) closeSync(file);
  }
}

const DEPTH_OF_STEP = Float32Array.from(
  { length: 65536 },
  (_, step) => FAR_METERS * Math.exp((-step / 65535) * LOG_RANGE),
);

/**
 * The first `count` samples of a set, rendered first where they are not in `preparedFolder` yet: by whole parts, so that an
 * interrupted rendering goes on where it stopped and a larger set extends a smaller one.
 */
export async function openSyntheticSet(
  count: number,
  preparedFolder: string,
  key: SyntheticSetKey = DEFAULT_SYNTHETIC_SET,
  threads = 2,
): Promise<SyntheticSet> {
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`openSyntheticSet: count must be a positive integer, got ${count}`);
  if (key.frames < 2)
    throw new RangeError(`openSyntheticSet: a set needs 2 or more frames per sample, got ${key.frames}`);
  const folder = syntheticSetFolder(key, preparedFolder);
  mkdirSync(folder, { recursive: true });
  await renderMissing({ key, folder, content: 'samples' }, count, threads);
  return new SyntheticSet(key, folder, count);
}
