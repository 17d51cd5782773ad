/** JPEG and PNG of sensor_msgs/CompressedImage as pixels. libvips decodes in its own threads, not in the node's. */
import type sharpLibrary from 'sharp';
import { BGR8, MONO8, RGB8 } from '../geometry/areaResize';
import type { ImageBytes, ImageSize } from '../geometry/imageResizer';
import { BadImageError } from '../media/imageEncodings';
import type { CompressedImageMessage } from './ros/messages';

type Sharp = typeof sharpLibrary;
let loading: Promise<Sharp> | undefined;

/** Loaded with the first compressed image: nodes that get raw ones need no libvips. */
function loadSharp(): Promise<Sharp> {
  return (loading ??= import('sharp').then(({ default: sharp }) => {
    // No frame is asked for again, and more threads would take turns with the network's.
    sharp.cache(false);
    sharp.concurrency(1);
    return sharp;
  }));
}

/** What is needed of a picture. */
export interface LeastSize extends ImageSize {
  /** A smaller copy's height is a multiple of this. */
  readonly heightUnit: number;
}

export interface DecodedPicture extends ImageSize {
  /** Of that size, or of a smaller copy that is at least as large as was asked for. */
  readonly pixels: ImageBytes;
}

/** Least shrink at which the JPEG decoder is told to decode at half the size: sharp asks libjpeg for less than the whole shrink. */
const WORTH_SHRINKING = 3;

/**
 * @param leastSize pixels needed of a picture of the given size: a larger JPEG is decoded smaller, which costs less
 * @throws BadImageError naming the field and what is wrong
 */
export async function decodePicture(
  { format, data }: Pick<CompressedImageMessage, 'format' | 'data'>,
  leastSize: (picture: ImageSize) => LeastSize,
): Promise<DecodedPicture> {
  if (/compressedDepth/.test(format))
    throw new BadImageError(`format is "${format}", a depth image; known are jpeg and png of 8 bits`);
  try {
    return await decode(format, data, leastSize);
  } catch (error) {
    if (error instanceof BadImageError) throw error;
    const reason = (error as Error).message.replaceAll(/\s*\n\s*/g, '; ');
    throw new BadImageError(`data of format "${format}" cannot be decoded (${reason})`);
  }
}

/** A small file can hold a picture that takes all memory: as many pixels as the largest raw image that is taken by default has in rgb. */
const MOST_PIXELS = 33_000_000;

async function decode(
  format: string,
  data: Uint8Array,
  leastSize: (picture: ImageSize) => LeastSize,
): Promise<DecodedPicture> {
  const sharp = await loadSharp();
  const { width, height, depth, channels, ...found } = await sharp(data).metadata();
  if (width * height > MOST_PIXELS)
    throw new BadImageError(`data of format "${format}" is ${width}x${height}, more than ${MOST_PIXELS} pixels`);
  if (found.format !== 'jpeg' && found.format !== 'png')
    throw new BadImageError(`data of format "${format}" is ${found.format}; known are jpeg and png`);
  if (depth !== 'uchar')
    throw new BadImageError(`data of format "${format}" has ${depth} samples; known are 8 bits (uchar)`);
  const isGrey = channels < 3;
  let picture = sharp(data).removeAlpha();
  const least = leastSize({ width, height });
  const shrink = Math.min(width / least.width, height / least.height);
  const heightUnits = Math.ceil(height / shrink / least.heightUnit - 1e-9);
  const size = { width: Math.ceil(width / shrink - 1e-9), height: heightUnits * least.heightUnit };
  if (found.format === 'jpeg' && Math.min(shrink, height / size.height) >= WORTH_SHRINKING) {
    picture = picture.resize({ ...size, fit: 'fill', kernel: 'cubic', fastShrinkOnLoad: true });
  }
  const { data: bytes, info } = await picture
    .toColourspace(isGrey ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const layout = isGrey ? MONO8 : swapsColours(format) ? BGR8 : RGB8;
  const step = info.width * info.channels;
  return { width, height, pixels: { width: info.width, height: info.height, step, layout, data: bytes } };
}

/**
 * Whether red and blue of the file have changed places. image_transport encodes from bgr8 and says so; where it says "compressed rgb8",
 * rgb was given to an encoder that takes bgr, and its subscribers change them back.
 */
function swapsColours(format: string): boolean {
  return /compressed rgb/.test(format);
}
