/** What an image topic's name says, by the conventions of image_transport and image_proc. */

/** image_transport's names behind the image topic's. */
const TRANSPORT = /(?<=[^/])\/(compressed|compressedDepth|theora|ffmpeg)$/;

const withoutTransport = (imageTopic: string): string => imageTopic.replace(TRANSPORT, '');

/** The camera_info that belongs to an image topic: /front/image_raw/compressed -> /front/camera_info. */
export function siblingCameraInfo(imageTopic: string): string {
  const base = withoutTransport(imageTopic);
  return base.slice(0, base.lastIndexOf('/') + 1) + 'camera_info';
}

/** image_proc publishes image_rect and image_rect_color beside the camera_info of the raw image. */
export function isRectifiedTopic(imageTopic: string): boolean {
  return /\/image_rect[^/]*$/.test(withoutTransport(imageTopic));
}
