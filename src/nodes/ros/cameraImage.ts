import { BGR8, BGRA8, MONO8, RGB8, RGBA8, type PixelLayout } from '../../geometry/areaResize';
import type { ImageMessage } from './messages';

/** Encodings a camera image may have (sensor_msgs/image_encodings.hpp). */
export const ENCODINGS: ReadonlyMap<string, PixelLayout> = new Map([
  ['rgb8', RGB8],
  ['bgr8', BGR8],
  ['mono8', MONO8],
  ['rgba8', RGBA8],
  ['bgra8', BGRA8],
]);

/** A message that cannot be read as an image; the text names the field. */
export class BadImageError extends Error {
  override readonly name = 'BadImageError';
}

/** Checks that the fields of an image agree with each other. Returns the pixel layout; throws BadImageError. */
export function pixelLayout(image: ImageMessage): PixelLayout {
  const { width, height, encoding, step, data } = image;
  const layout = ENCODINGS.get(encoding);
  if (!layout) throw new BadImageError(`encoding is "${encoding}"; known are ${[...ENCODINGS.keys()].join(', ')}`);
  if (width === 0 || height === 0) throw new BadImageError(`size is ${width}x${height}`);
  const rowBytes = width * layout.bytesPerPixel;
  if (step < rowBytes) {
    throw new BadImageError(`step is ${step}, less than the ${rowBytes} bytes of ${width} ${encoding} pixels`);
  }
  if (data.length !== step * height) {
    throw new BadImageError(`data has ${data.length} bytes, step x height is ${step * height}`);
  }
  return layout;
}
