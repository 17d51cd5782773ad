import type { ImageParameters } from '../imageParameters';

/** What to subscribe to for a camera's images by the transport wanted. As image_transport does it, what is remapped is the image topic, not the name behind it. */
export function imageStream(
  imageTopic: string,
  transport: ImageParameters['imageTransport'],
): { readonly topic: string; readonly type: string } {
  return transport === 'raw'
    ? { topic: imageTopic, type: 'sensor_msgs/msg/Image' }
    : { topic: `${imageTopic}/compressed`, type: 'sensor_msgs/msg/CompressedImage' };
}
