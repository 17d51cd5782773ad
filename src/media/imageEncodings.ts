/** What the encodings of sensor_msgs/Image mean for the bytes (sensor_msgs/image_encodings.hpp). */
import { BGR8, BGRA8, MONO8, RGB8, RGBA8 } from '../geometry/areaResize';
import type { ImageBytes, ImageLayout } from '../geometry/imageResizer';
import { BAYER_BGGR8, BAYER_GBRG8, BAYER_GRBG8, BAYER_RGGB8, UYVY, YUYV } from '../geometry/rawResize';

/** Encodings a camera's image may have. */
export const ENCODINGS: ReadonlyMap<string, ImageLayout> = new Map<string, ImageLayout>([
  ['rgb8', RGB8],
  ['bgr8', BGR8],
  ['mono8', MONO8],
  ['rgba8', RGBA8],
  ['bgra8', BGRA8],
  ['bayer_rggb8', BAYER_RGGB8],
  ['bayer_bggr8', BAYER_BGGR8],
  ['bayer_gbrg8', BAYER_GBRG8],
  ['bayer_grbg8', BAYER_GRBG8],
  ['uyvy', UYVY],
  ['yuv422', UYVY], // the older names of these two
  ['yuyv', YUYV],
  ['yuv422_yuy2', YUYV],
]);

/** Fields of a sensor_msgs/Image that say how its pixels lie. */
export interface EncodedImage {
  readonly width: number;
  readonly height: number;
  readonly encoding: string;
  readonly step: number;
  readonly data: Uint8Array;
}

/** A message that cannot be read as an image; the text names the field. */
export class BadImageError extends Error {
  override readonly name = 'BadImageError';
}

/** Checks that the fields of an image agree with each other, and says what they mean. Throws BadImageError. */
export function imageBytes({ width, height, encoding, step, data }: EncodedImage): ImageBytes {
  const layout = ENCODINGS.get(encoding);
  if (!layout) throw new BadImageError(`encoding is "${encoding}"; known are ${[...ENCODINGS.keys()].join(', ')}`);
  if (width === 0 || height === 0) throw new BadImageError(`size is ${width}x${height}`);
  if (layout.kind === 'bayer' && (width < 2 || height < 2))
    throw new BadImageError(`size is ${width}x${height}, less than the 2x2 pixels of ${encoding}`);
  if (layout.kind === 'yuv422' && width % 2 !== 0)
    throw new BadImageError(`width is ${width}; ${encoding} has pixels in pairs`);
  const rowBytes = width * layout.bytesPerPixel;
  if (step < rowBytes) {
    throw new BadImageError(`step is ${step}, less than the ${rowBytes} bytes of ${width} ${encoding} pixels`);
  }
  // Some drivers leave the padding of the last row out.
  if (data.length < step * (height - 1) + rowBytes || data.length > step * height) {
    throw new BadImageError(`data has ${data.length} bytes, step x height is ${step * height}`);
  }
  return { width, height, step, layout, data };
}
