/** The parameters of every node that takes the camera's images. */
import { numberParameter, stringParameter, type ParameterSpec } from './ros/parameters';
import type { Reliability, RosNode } from './ros/rclnodejs';

export const IMAGE_PARAMETERS = {
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

export interface ImageParameters {
  readonly imageReliability: Reliability;
  readonly imageQueueDepth: number;
}

export function imageParameters(node: RosNode): ImageParameters {
  return {
    imageReliability: stringParameter(node, 'image_reliability') as Reliability,
    imageQueueDepth: numberParameter(node, 'image_queue_depth'),
  };
}
