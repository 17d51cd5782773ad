/** What the layouts with one file per frame share: reading the frames named in a list, and the small text files beside them. */
import { readFile } from 'node:fs/promises';
import type { Se3 } from '../../geometry/se3';
import type { Intrinsics } from '../../geometry/camera';
import type { DepthImage } from '../../media/depthImage';
import { FrameSourceError } from '../../media/frame';
import { readPicture } from '../../media/imageFolder';
import { readLabelImage } from '../../media/labelImage';
import type { RecordedFrame, Recording, UnreadableFrame } from './recording';

/** Where the parts of one frame are. Only the list is in memory, not what it names. */
export interface FrameFiles {
  readonly stamp: number;
  readonly image: string;
  readonly right?: string;
  /** A depth image's or a LiDAR scan's file, and how it becomes depth at the image's pixels. */
  readonly depth?: { readonly path: string; read(path: string): Promise<DepthImage> };
  /** Class indices, see readLabelImage. */
  readonly labels?: string;
  readonly pose?: Se3;
  readonly speed?: number;
}

function checkSize(path: string, found: { width: number; height: number }, camera: Intrinsics): void {
  if (found.width !== camera.width || found.height !== camera.height) {
    const sizes = `${found.width}x${found.height}, the camera's images are ${camera.width}x${camera.height}`;
    throw new FrameSourceError(path, `is ${sizes}; picture and calibration must be of one camera`);
  }
}

async function readFrame(files: FrameFiles, camera: Intrinsics): Promise<RecordedFrame> {
  const [image, right, depth, labels] = await Promise.all([
    readPicture(files.image),
    files.right === undefined ? undefined : readPicture(files.right),
    files.depth?.read(files.depth.path),
    files.labels === undefined ? undefined : readLabelImage(files.labels),
  ]);
  checkSize(files.image, image, camera);
  if (right) checkSize(files.right ?? '', right, camera);
  if (depth) checkSize(files.depth?.path ?? '', depth, camera);
  if (labels) checkSize(files.labels ?? '', labels, camera);
  return {
    stamp: files.stamp,
    image: image.data,
    right: right?.data,
    depth: depth?.depth,
    labels: labels?.labels,
    pose: files.pose,
    speed: files.speed,
  };
}

/**
 * The frames one after the other.
 *
 * @throws FrameSourceError naming the file that cannot be read, unless `onUnreadable` takes it
 */
async function* readFrames(
  list: readonly FrameFiles[],
  camera: Intrinsics,
  onUnreadable?: UnreadableFrame,
): AsyncGenerator<RecordedFrame> {
  for (const files of list) {
    let frame: RecordedFrame;
    try {
      frame = await readFrame(files, camera);
    } catch (error) {
      if (!(error instanceof FrameSourceError) || !onUnreadable) throw error;
      onUnreadable(error);
      continue;
    }
    yield frame;
  }
}

/** What a layout says of its frames. */
interface FrameList extends Pick<Recording, 'name' | 'sources' | 'variant' | 'camera'> {
  /** By default the mean rate of the frames' stamps. */
  readonly framesPerSecond?: number;
  /** Metres; asked for only where a frame has a right image. */
  baseline?(): number | undefined;
}

/** The recording of frames that each have files of their own. */
export function recordingOf(
  list: readonly FrameFiles[],
  { baseline, framesPerSecond, ...about }: FrameList,
): Recording {
  return {
    ...about,
    framesPerSecond: framesPerSecond ?? rateOf(list.map(({ stamp }) => stamp)),
    frameCount: list.length,
    labelled: list.some(({ labels }) => labels !== undefined),
    baseline: list.some(({ right }) => right !== undefined) ? baseline?.() : undefined,
    frames: (onUnreadable) => readFrames(list, about.camera.intrinsics, onUnreadable),
    close: async () => {},
  };
}

/** Text of a file of the layout. @throws FrameSourceError naming it and what it is for */
export async function readText(path: string, purpose: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new FrameSourceError(path, `${purpose}, but it cannot be read (${error.code})`);
  });
}

/** Numbers between white space. @throws FrameSourceError naming the file and line when there are not `count` of them */
export function parseNumbers(path: string, line: number, text: string, count: number): number[] {
  const numbers = text.trim().split(/\s+/).map(Number);
  if (numbers.length !== count || !numbers.every(Number.isFinite)) {
    throw new FrameSourceError(path, `line ${line}: ${count} numbers are needed, it is "${text.trim().slice(0, 80)}"`);
  }
  return numbers;
}

/** The lines of a table, each `count` numbers; empty lines and lines that start with # are left out. */
export async function readNumberTable(path: string, purpose: string, count: number): Promise<number[][]> {
  const lines = (await readText(path, purpose)).split('\n');
  return lines.flatMap((line, i) =>
    line.trim() === '' || line.startsWith('#') ? [] : [parseNumbers(path, i + 1, line, count)],
  );
}

/** Mean rate of frames with these stamps; 1 where there is only one. */
function rateOf(stamps: readonly number[]): number {
  const seconds = stamps[stamps.length - 1] - stamps[0];
  return seconds > 0 ? (stamps.length - 1) / seconds : 1;
}
