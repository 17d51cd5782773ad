/**
 * NYU Depth V2's labelled set, nyu_depth_v2_labeled.mat: 1449 single pictures with filled-in Kinect depth. The file is MATLAB 7.3, which
 * is HDF5; MATLAB writes columns first, so that what it calls 480x640x3xN is [N, 3, 640, 480] here. Read frame by frame.
 *
 * Source: Silberman et al., "Indoor Segmentation and Support Inference from RGBD Images", ECCV 2012; intrinsics and the valid part of the
 * picture (get_projection_mask.m) from the toolbox of its page.
 */
import { open, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { cropIntrinsics, type Intrinsics } from '../../geometry/camera';
import { NO_DISTORTION } from '../../geometry/lens';
import { FrameSourceError } from '../../media/frame';
import type { RecordedFrame, Recording, RecordingLayout, UnreadableFrame } from './recording';

type Hdf5 = typeof import('h5wasm/node', { with: { 'resolution-mode': 'import' } });
type Dataset = InstanceType<Hdf5['Dataset']>;

const SENSOR: Intrinsics = {
  width: 640,
  height: 480,
  fx: 518.85790117,
  fy: 519.46961112,
  cx: 325.58244941,
  cy: 253.73616633,
};
/** The registration leaves a white frame: the toolbox keeps rows 45..471 and columns 41..601, counted from 1. */
const VALID = { left: 40, top: 44, width: 561, height: 427 };
/** Single pictures have no rate; stamps count them. */
const FRAMES_PER_SECOND = 1;
const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
/** HDF5's signature is at 0, or after MATLAB's header of 512 bytes. */
const SIGNATURE_PLACES = [0, 512];

async function isHdf5(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    for (const place of SIGNATURE_PLACES) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(SIGNATURE.length), 0, SIGNATURE.length, place);
      if (bytesRead === SIGNATURE.length && buffer.equals(SIGNATURE)) return true;
    }
    return false;
  } finally {
    await file.close();
  }
}

async function loadHdf5(): Promise<Hdf5> {
  // h5wasm is an ES module: a CommonJS package has to import it late.
  const hdf5 = await import('h5wasm/node');
  // Otherwise the library prints its errors and goes on with invalid handles.
  (await hdf5.ready).activate_throwing_error_handler();
  return hdf5;
}

/** The innermost line of HDF5's trace, `#006: file.c line 577 in H5F__super_read(): truncated file: ...`. */
function reasonOf(error: unknown): string {
  const lines = [...String(error).matchAll(/#\d+: .*?\(\): (.*)/g)];
  return lines.at(-1)?.[1] ?? String(error);
}

/** A set of the file, whose shape ends with MATLAB's width and height. */
function requireDataset(hdf5: Hdf5, path: string, found: unknown, name: string, shape: readonly number[]): Dataset {
  const wanted = `[N, ${shape.join(', ')}]`;
  if (!(found instanceof hdf5.Dataset)) throw new FrameSourceError(path, `holds no data set "${name}" of ${wanted}`);
  if (found.shape?.length !== shape.length + 1 || shape.some((length, i) => found.shape?.[i + 1] !== length)) {
    throw new FrameSourceError(path, `"${name}" is [${found.shape?.join(', ')}], not ${wanted}`);
  }
  return found;
}

/** Channel planes [c, 640, 480] of the whole sensor to [VALID.height, VALID.width, c]. */
function toRows<T extends Uint8Array | Float32Array>(planes: ArrayLike<number>, into: T): T {
  const channels = into.length / (VALID.width * VALID.height);
  for (let v = 0, at = 0; v < VALID.height; v++) {
    for (let u = 0; u < VALID.width; u++) {
      for (let c = 0; c < channels; c++, at++) {
        into[at] = planes[(c * SENSOR.width + u + VALID.left) * SENSOR.height + v + VALID.top];
      }
    }
  }
  return into;
}

function readPicture(dataset: Dataset, path: string, name: string, index: number): ArrayLike<number> {
  const rest = (dataset.shape ?? []).slice(1).map((): [] => []);
  let values: unknown;
  try {
    values = dataset.slice([[index, index + 1], ...rest]);
  } catch (error) {
    throw new FrameSourceError(
      path,
      `picture ${index} of "${name}" cannot be read (${reasonOf(error)}); download it again`,
    );
  }
  if (!(values instanceof Uint8Array) && !(values instanceof Float32Array)) {
    throw new FrameSourceError(path, `"${name}" is of another type (${String(dataset.dtype)}) than the labelled set's`);
  }
  return values;
}

/** @param path nyu_depth_v2_labeled.mat  @throws FrameSourceError naming it and what it lacks */
export async function openNyuV2(path: string): Promise<Recording> {
  const hdf5 = await loadHdf5();
  let file: InstanceType<Hdf5['File']>;
  try {
    file = new hdf5.File(path, 'r');
  } catch (error) {
    throw new FrameSourceError(path, `not an HDF5 file that can be read (${reasonOf(error)}); download it again`);
  }
  let images: Dataset;
  let depths: Dataset;
  try {
    images = requireDataset(hdf5, path, file.get('images'), 'images', [3, SENSOR.width, SENSOR.height]);
    depths = requireDataset(hdf5, path, file.get('depths'), 'depths', [SENSOR.width, SENSOR.height]);
  } catch (error) {
    file.close();
    throw error;
  }
  const count = Math.min(images.shape?.[0] ?? 0, depths.shape?.[0] ?? 0);

  async function* frames(onUnreadable?: UnreadableFrame): AsyncGenerator<RecordedFrame> {
    for (let i = 0; i < count; i++) {
      let frame: RecordedFrame;
      try {
        const pixels = VALID.width * VALID.height;
        frame = {
          stamp: i / FRAMES_PER_SECOND,
          image: toRows(readPicture(images, path, 'images', i), new Uint8Array(pixels * 3)),
          depth: toRows(readPicture(depths, path, 'depths', i), new Float32Array(pixels)),
        };
      } catch (error) {
        if (!(error instanceof FrameSourceError) || !onUnreadable) throw error;
        onUnreadable(error);
        continue;
      }
      yield frame;
    }
  }

  return {
    name: basename(path, extname(path)),
    sources: [path],
    framesPerSecond: FRAMES_PER_SECOND,
    frameCount: count,
    camera: {
      intrinsics: cropIntrinsics(SENSOR, VALID.left, VALID.top, VALID.width, VALID.height),
      distortion: NO_DISTORTION,
    },
    unordered: true,
    frames,
    close: async () => {
      file.close();
    },
  };
}

export const nyuV2Layout: RecordingLayout = {
  name: 'NYU Depth V2, labelled',
  knownBy: 'a .mat file of HDF5 (nyu_depth_v2_labeled.mat)',
  async matches(path) {
    return extname(path) === '.mat' && (await stat(path)).isFile() && isHdf5(path);
  },
  open: openNyuV2,
};
