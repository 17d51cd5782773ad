/** The parameters of every node that takes the camera's images. */
import { booleanParameter, numberParameter, stringParameter, type ParameterSpec } from './ros/parameters';
import type { Reliability, RosNode } from './ros/rclnodejs';

export const IMAGE_PARAMETERS = {
  image_transport: {
    value: 'raw',
    text: 'Where images come from: the image topic itself, or the CompressedImages (JPEG, PNG) on image/compressed.',
    choices: ['raw', 'compressed'],
  },
  rectify: {
    value: 'auto',
    text: "Take the lens distortion of camera_info out: the network sees the view of P. auto: where P shows another view than the image, unless its topic is image_rect's.",
    choices: ['auto', 'never'], // not off: to YAML that is a boolean
  },
  rectified: {
    value: false,
    text: 'The images are rectified already, whatever d and K say: P holds. Topics named image_rect... are known to be.',
  },
  image_reliability: {
    value: 'best_effort',
    text: 'Quality of service of the image and camera_info subscriptions.',
    choices: ['best_effort', 'reliable'],
  },
  image_queue_depth: {
    value: 2,
    integer: true,
    range: [1, 10],
    text: 'Images kept by the middleware while the node is busy.',
  },
} as const satisfies Record<string, ParameterSpec>;

export type ImageTransport = 'raw' | 'compressed';

export interface ImageParameters {
  readonly imageTransport: ImageTransport;
  /** Distorted images are rectified. */
  readonly rectify: boolean;
  /** They are already. */
  readonly rectified: boolean;
  readonly imageReliability: Reliability;
  readonly imageQueueDepth: number;
}

export function imageParameters(node: RosNode): ImageParameters {
  return {
    imageTransport: stringParameter(node, 'image_transport') as ImageTransport,
    rectify: stringParameter(node, 'rectify') === 'auto',
    rectified: booleanParameter(node, 'rectified'),
    imageReliability: stringParameter(node, 'image_reliability') as Reliability,
    imageQueueDepth: numberParameter(node, 'image_queue_depth'),
  };
}
