/** sensor_msgs/Image and sensor_msgs/CompressedImage as rgb8 pictures. */
import { ImageResizer } from '../../geometry/imageResizer';
import { FrameSourceError } from '../frame';
import { imageBytes } from '../imageEncodings';
import { readPicture } from '../imageFolder';
import type { Picture } from '../pictures';
import { describe } from './bagFile';
import { readMessage, type ImageMessage } from './messages';

export const IMAGE_TYPES = ['sensor_msgs/Image', 'sensor_msgs/CompressedImage'] as const;
export type ImageType = (typeof IMAGE_TYPES)[number];

/** rgb8 [height, width, 3] without the padding of the rows. @throws BadImageError naming the field that is wrong */
function toRgb(message: ImageMessage): Picture {
  const image = imageBytes(message);
  const { width, height } = image;
  const rgb = new Uint8Array(width * height * 3);
  new ImageResizer().resize(image, width, height, rgb);
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
