/** Files of one floating-point number per pixel: portable float maps (.pfm) and NumPy archives (.npz). */
import { readFile } from 'node:fs/promises';
import { unzipSync } from 'fflate';
import { FrameSourceError } from './frame';

/** float32 [height, width], first row on top. */
export interface FloatMap {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

const NEWLINE = 10;
const NPY_MAGIC = '\x93NUMPY';

async function readBytes(path: string): Promise<Buffer> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new FrameSourceError(path, `cannot be read (${error.code})`);
  });
}

/** The numbers from `offset` to the end, which must be as many as the map has pixels. */
function floats(path: string, bytes: Buffer, offset: number, width: number, height: number, little: boolean): FloatMap {
  const found = bytes.length - offset;
  if (found !== 4 * width * height) {
    throw new FrameSourceError(path, `${width}x${height} numbers take ${4 * width * height} bytes, it has ${found}`);
  }
  const values = Float32Array.from({ length: width * height }, (_, i) =>
    little ? bytes.readFloatLE(offset + 4 * i) : bytes.readFloatBE(offset + 4 * i),
  );
  return { width, height, values };
}

/**
 * A grey portable float map, as Middlebury's disparities are. The file's rows run from the bottom up.
 *
 * Source: netpbm's description of PFM; a negative scale says little-endian.
 * @throws FrameSourceError naming the file
 */
export async function readPfm(path: string): Promise<FloatMap> {
  const bytes = await readBytes(path);
  let offset = 0;
  const line = (): string => {
    const end = bytes.indexOf(NEWLINE, offset);
    const text = bytes.toString('latin1', offset, end < 0 ? offset : end).trim();
    offset = end + 1;
    return text;
  };
  const kind = line();
  if (kind !== 'Pf') throw new FrameSourceError(path, `no grey portable float map: it starts with "${kind}", not Pf`);
  const [width, height] = line().split(/\s+/).map(Number);
  const scale = Number(line());
  if (!(width > 0 && height > 0 && Number.isFinite(scale) && scale !== 0))
    throw new FrameSourceError(path, 'its header has no size and scale');
  const map = floats(path, bytes, offset, width, height, scale < 0);
  const values = new Float32Array(map.values.length);
  for (let v = 0; v < height; v++)
    values.set(map.values.subarray(v * width, (v + 1) * width), (height - 1 - v) * width);
  return { width, height, values };
}

/**
 * The first array of an .npz file, which must be a float32 matrix in rows.
 *
 * Source: numpy.lib.format, versions 1.0 to 3.0.
 * @throws FrameSourceError naming the file
 */
export async function readNpzMatrix(path: string): Promise<FloatMap> {
  const archive = await readBytes(path);
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(archive);
  } catch (error) {
    throw new FrameSourceError(path, `not a zip archive that can be read (${(error as Error).message})`);
  }
  const first = Object.keys(files).find((name) => name.endsWith('.npy'));
  if (first === undefined) throw new FrameSourceError(path, 'no array in it');
  const array = files[first];
  const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  if (bytes.toString('latin1', 0, NPY_MAGIC.length) !== NPY_MAGIC)
    throw new FrameSourceError(path, `${first} is no NumPy array`);
  const major = bytes[6];
  const start = major === 1 ? 10 : 12;
  const end = start + (major === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8));
  const header = bytes.toString('latin1', start, end);
  const shape = /'shape': \((\d+), (\d+)\)/.exec(header);
  if (!header.includes("'<f4'") || !header.includes("'fortran_order': False") || !shape)
    throw new FrameSourceError(path, `${first} must be a float32 matrix in rows, it is ${header.trim()}`);
  return floats(path, bytes, end, Number(shape[2]), Number(shape[1]), true);
}
