/** sensor_msgs/Image and sensor_msgs/CompressedImage as rgb8 pictures. */
import { BGR8, BGRA8, MONO8, RGB8, RGBA8, type PixelLayout } from '../../geometry/areaResize';
import { FrameSourceError } from '../frame';
import { readPicture } from '../imageFolder';
import type { Picture } from '../pictures';
import { describe } from './bagFile';
import { readMessage, type ImageMessage } from './messages';

export const IMAGE_TYPES = ['sensor_msgs/Image', 'sensor_msgs/CompressedImage'] as const;
export type ImageType = (typeof IMAGE_TYPES)[number];

/** Names of sensor_msgs/image_encodings.hpp. */
const LAYOUTS: Readonly<Record<string, PixelLayout>> = {
  rgb8: RGB8,
  bgr8: BGR8,
  mono8: MONO8,
  rgba8: RGBA8,
  bgra8: BGRA8,
};

/** rgb8 [height, width, 3] without the padding of the rows. @throws RangeError naming the field that is wrong */
function toRgb({ width, height, encoding, step, data }: ImageMessage): Picture {
  const layout = LAYOUTS[encoding];
  if (!layout) throw new RangeError(`encoding is "${encoding}"; known are ${Object.keys(LAYOUTS).join(', ')}`);
  const { bytesPerPixel, red, green, blue } = layout;
  if (width === 0 || height === 0) throw new RangeError(`size is ${width}x${height}`);
  if (step < width * bytesPerPixel) throw new RangeError(`step is ${step}, less than ${width} ${encoding} pixels take`);
  if (data.length < step * (height - 1) + width * bytesPerPixel)
    throw new RangeError(`data has ${data.length} bytes, step x height is ${step * height}`);
  const rgb = new Uint8Array(width * height * 3);
  for (let v = 0, to = 0; v < height; v++) {
    for (let u = 0, from = v * step; u < width; u++, from += bytesPerPixel, to += 3) {
      rgb[to] = data[from + red];
      rgb[to + 1] = data[from + green];
      rgb[to + 2] = data[from + blue];
    }
  }
  return { width, height, data: rgb };
}

/**
 * One message of a camera as an rgb8 picture in a buffer of its own.
 * @param path of the bag, for errors
 * @throws FrameSourceError naming bag, topic, stamp and what is wrong
 */
export async function readBagImage(path: string, topic: string, type: ImageType, cdr: Uint8Array): Promise<Picture> {
  let at = '';
  try {
    const message = readMessage(type, cdr);
    const { sec, nanosec } = message.header.stamp;
    at = ` at ${sec}.${String(nanosec).padStart(9, '0')} s`;
    return 'encoding' in message ? toRgb(message) : await readPicture(message.data, `format "${message.format}"`);
  } catch (error) {
    throw new FrameSourceError(path, `image on ${topic}${at}: ${describe(error)}`);
  }
}
