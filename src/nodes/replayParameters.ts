import {
  booleanParameter,
  declareParameters,
  numberParameter,
  stringParameter,
  type ParameterSpec,
} from './ros/parameters';
import type { Reliability, RosNode } from './ros/rclnodejs';

/** Every parameter of replay_node; config/camera.yaml documents the same ones. */
export const REPLAY_PARAMETERS = {
  source: { value: '', text: 'What to play: a video file, a folder of images, or a camera (/dev/videoN).' },
  camera_info: {
    value: '',
    text: 'calib.yaml of the camera (config/cameras/); empty: calib.yaml in or beside the source, else no camera_info.',
  },
  frame_id: { value: 'camera_optical_frame', text: 'frame_id of the messages.' },
  rate: {
    value: 1,
    range: [0, 100],
    text: "Multiple of the source's own rate; 0 plays as fast as it can be decoded.",
  },
  loop: { value: false, text: 'Begin again after the last frame.' },
  start: { value: 0, range: [0, 1e6], text: 'Seconds into the source at which to start.' },
  wait_for_subscriber: { value: true, text: 'Publish nothing until somebody subscribes to the image.' },
  reliability: {
    value: 'reliable',
    text: 'Quality of service of the publications; reliable serves best-effort subscribers as well.',
    choices: ['reliable', 'best_effort'],
  },
} as const satisfies Record<string, ParameterSpec>;

/** Values of replay_node's parameters. */
export interface ReplayParameters {
  readonly source: string;
  readonly cameraInfoPath: string;
  readonly frameId: string;
  readonly rate: number;
  readonly loop: boolean;
  readonly startSeconds: number;
  readonly waitForSubscriber: boolean;
  readonly reliability: Reliability;
}

/** Declares all parameters on the node; throws ParameterError where one was given a value it must not have. */
export function declareReplayParameters(node: RosNode): ReplayParameters {
  declareParameters(node, REPLAY_PARAMETERS);
  return {
    source: stringParameter(node, 'source'),
    cameraInfoPath: stringParameter(node, 'camera_info'),
    frameId: stringParameter(node, 'frame_id'),
    rate: numberParameter(node, 'rate'),
    loop: booleanParameter(node, 'loop'),
    startSeconds: numberParameter(node, 'start'),
    waitForSubscriber: booleanParameter(node, 'wait_for_subscriber'),
    reliability: stringParameter(node, 'reliability') as Reliability,
  };
}
