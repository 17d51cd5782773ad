/** Image messages as the browser gets them: the camera as JPEG, maps as numbers, which the browser colours. */
import sharp from 'sharp';
import { ImageResizer, type ImageBytes, type ImageSize } from '../../geometry/imageResizer';
import { imageBytes } from '../../media/imageEncodings';
import { decodePicture } from '../compressedPicture';
import type { ImageTransport } from '../imageParameters';
import { CdrReader, checkHeader, type Header, type Time } from '../ros/cdr';
import {
  readCompressedImage,
  readImage,
  readImageFields,
  type CameraInfoMessage,
  type ImageMessage,
} from '../ros/messages';
import { toHalves } from './viewFrame';

const JPEG_QUALITY = 80;
/** Pixels; taller than the widest that can be asked for is no camera, and JPEG ends at 65,535. */
const TALLEST = 4096;
/** Characters of a short text, which goes to the browser as it is. */
const LONGEST_TEXT = 100;

sharp.concurrency(1);

export interface PictureHeader {
  readonly stamp: Time;
  readonly frameId: string;
  /** Of the image, not of the picture made from it. */
  readonly width: number;
  readonly height: number;
  readonly encoding: string;
  /** Of the camera's image: how many of its upper rows the network sees. */
  readonly rows?: number;
  /** Of a depth map: its camera, row-major 3x3. */
  readonly k?: readonly number[];
  /** Of a gradient. */
  readonly units?: string;
}

/** A picture before it is numbered and packed. */
export interface EncodedPicture {
  readonly header: PictureHeader;
  readonly payload: Uint8Array;
}

/** Seconds and nanoseconds at the start of a message that begins with a header. Throws RangeError where that is none. */
export function readStamp(message: Buffer): Time {
  const header = new CdrReader(message).header();
  checkHeader(header);
  return header.stamp;
}

export interface CameraEncoding {
  readonly imageTransport: ImageTransport;
  /** Of the picture, at most. */
  readonly pictureWidth: number;
  /** Upper rows of the camera's image that the network sees; 0: all of them. */
  readonly imageRows: number;
}

/** What a message says of its image, and its pixels: at its own size, or of a smaller copy. */
interface CameraImage extends ImageSize {
  readonly header: Header;
  readonly encoding: string;
  readonly pixels: ImageBytes;
}

/** The camera's image, shrunk to a width and compressed; one after another. Throws RangeError, BadImageError. */
export class CameraEncoder {
  readonly #resizer = new ImageResizer();

  async encode(message: Buffer, { imageTransport, pictureWidth, imageRows }: CameraEncoding): Promise<EncodedPicture> {
    const image = imageTransport === 'raw' ? rawImage(message) : await compressedImage(message, pictureWidth);
    const { width, height } = pictureSize(image, pictureWidth);
    const pixels = new Uint8Array(width * height * 3);
    this.#resizer.resize(image.pixels, width, height, pixels);
    const payload = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: JPEG_QUALITY })
      .toBuffer();
    // Of which the network sees the upper rows.
    const rows = imageRows > 0 ? Math.min(imageRows, image.height) : image.height;
    return { header: { ...fields(image), rows }, payload };
  }
}

function pictureSize({ width, height }: ImageSize, widest: number): ImageSize {
  const shrink = Math.min(1, widest / width, TALLEST / height);
  return { width: Math.max(1, Math.round(width * shrink)), height: Math.max(1, Math.round(height * shrink)) };
}

function rawImage(message: Buffer): CameraImage {
  const image = readImage(message);
  return { ...image, pixels: imageBytes(image) }; // checked before anything is made of the size that the message says it has
}

/** Decoded even where it is a JPEG already: a browser gets what depth_node reads from it, PNG and swapped colours included, and no more than it shows. */
async function compressedImage(message: Buffer, widest: number): Promise<CameraImage> {
  const compressed = readCompressedImage(message);
  checkText('format', compressed.format);
  const picture = await decodePicture(compressed, (size) => ({ ...pictureSize(size, widest), heightUnit: 1 }));
  return { ...picture, header: compressed.header, encoding: compressed.format };
}

/** Depth as half floats; `k` is there where camera_info is that of this map. */
export function encodeDepth(message: Buffer, info: CameraInfoMessage | undefined): EncodedPicture {
  const image = readImage(message);
  const values = image.encoding === '16UC1' ? metresOf(image) : floatsOf(image, 1);
  const k = info?.width === image.width && info.height === image.height ? Array.from(info.k) : undefined;
  return { header: { ...fields(image), k }, payload: toHalves(values) };
}

/** Two half floats per pixel: du, dv. */
export function encodeGradient(message: Buffer): EncodedPicture {
  const cdr = new CdrReader(message);
  cdr.header();
  cdr.uint8(); // space
  const units = cdr.string();
  checkText('units', units);
  const image = readImageFields(cdr);
  return { header: { ...fields(image), units }, payload: toHalves(floatsOf(image, 2)) };
}

/** One byte per pixel: 255 is 1; NaN is 0. */
export function encodeConfidence(message: Buffer): EncodedPicture {
  const image = readImage(message);
  const payload = Uint8Array.from(floatsOf(image, 1), (value) =>
    Math.round(255 * Math.min(1, Math.max(0, value || 0))),
  );
  return { header: fields(image), payload };
}

function checkText(field: string, text: string): void {
  if (text.length > LONGEST_TEXT) throw new RangeError(`length of ${field} is ${text.length}`);
}

function fields({ header: { stamp, frameId }, width, height, encoding }: Omit<CameraImage, 'pixels'>): PictureHeader {
  return { stamp, frameId, width, height, encoding };
}

/** Of millimetres, of which 0 is none (REP 118). */
function metresOf({ width, height, step, data }: ImageMessage): Float32Array {
  if (width === 0 || height === 0 || step < 2 * width || data.length < step * height)
    throw new RangeError(`data has ${data.length} bytes; ${width}x${height} 16UC1 in steps of ${step} need more`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Float32Array.from({ length: width * height }, (_, i) => {
    const millimetres = view.getUint16(Math.floor(i / width) * step + 2 * (i % width), true);
    return millimetres === 0 ? NaN : millimetres / 1000;
  });
}

/** Copied, since CDR does not align values to four bytes in memory. */
function floatsOf(image: ImageMessage, channels: number): Float32Array {
  const { encoding, width, height, step, data, isBigEndian } = image;
  if (encoding !== `32FC${channels}`) throw new RangeError(`encoding is "${encoding}", not 32FC${channels}`);
  if (isBigEndian) throw new RangeError('is_bigendian is set; only little endian values are read');
  const rowBytes = width * channels * 4;
  if (width === 0 || height === 0 || step < rowBytes || data.length < step * height) {
    throw new RangeError(`data has ${data.length} bytes; ${width}x${height} ${encoding} in steps of ${step} need more`);
  }
  const values = new Float32Array(width * height * channels);
  const bytes = new Uint8Array(values.buffer);
  for (let row = 0; row < height; row++) bytes.set(data.subarray(row * step, row * step + rowBytes), row * rowBytes);
  return values;
}
