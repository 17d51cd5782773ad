/** Image messages as the browser gets them: the camera as JPEG, maps as numbers, which the browser colours. */
import sharp from 'sharp';
import { ImageResizer } from '../../geometry/imageResizer';
import { imageBytes } from '../../media/imageEncodings';
import { CdrReader, type Time } from '../ros/cdr';
import { readImage, readImageFields, type CameraInfoMessage, type ImageMessage } from '../ros/messages';
import { toHalves } from './viewFrame';

const JPEG_QUALITY = 80;

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

/** Seconds and nanoseconds at the start of a message that begins with a header. */
export function readStamp(message: Buffer): Time {
  return new CdrReader(message).time();
}

/** The camera's image, shrunk to a width and compressed; one after another. Throws RangeError, BadImageError. */
export class CameraEncoder {
  readonly #resizer = new ImageResizer();

  async encode(message: Buffer, widest: number, imageRows: number): Promise<EncodedPicture> {
    const image = readImage(message);
    const bytes = imageBytes(image); // before anything is made of the size that the message says it has
    const outputWidth = Math.min(widest, image.width);
    const outputHeight = Math.max(1, Math.round((image.height * outputWidth) / image.width));
    const pixels = new Uint8Array(outputWidth * outputHeight * 3);
    this.#resizer.resize(bytes, outputWidth, outputHeight, pixels);
    const payload = await sharp(pixels, { raw: { width: outputWidth, height: outputHeight, channels: 3 } })
      .jpeg({ quality: JPEG_QUALITY })
      .toBuffer();
    // Of which the network sees the upper rows.
    const rows = imageRows > 0 ? Math.min(imageRows, image.height) : image.height;
    return { header: { ...fields(image), rows }, payload };
  }
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

function fields({ header: { stamp, frameId }, width, height, encoding }: ImageMessage): PictureHeader {
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
