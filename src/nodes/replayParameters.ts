import {
  booleanParameter,
  declareParameters,
  numberParameter,
  ParameterError,
  stringParameter,
  type ParameterSpec,
} from './ros/parameters';
import type { Reliability, RosNode } from './ros/rclnodejs';

/** Slower ones have times between frames that no stamp and no timer takes. */
const LEAST_RATE = 0.001;

/** Every parameter of replay_node; config/camera.yaml documents the same ones. */
export const REPLAY_PARAMETERS = {
  source: {
    value: '',
    text: 'What to play: a video file, a folder of images, a camera (/dev/videoN), or a ROS 2 bag (its folder, or a .mcap or .db3 file).',
  },
  camera_info: {
    value: '',
    text: 'calib.yaml of the camera (config/cameras/); empty: calib.yaml in or beside the source, else no camera_info.',
  },
  frame_id: { value: 'camera_optical_frame', text: 'frame_id of the messages.' },
  rate: {
    value: 1,
    range: [0, 100],
    text: "Multiple of the source's own rate; 0 plays as fast as it can be read, else .001 and more.",
  },
  loop: { value: false, text: 'Begin again after the end.' },
  start: { value: 0, range: [0, 1e6], text: 'Seconds into the source at which to start.' },
  wait_for_subscriber: {
    value: true,
    text: 'Publish nothing until somebody subscribes to the image; of a bag, to any of its topics.',
  },
  reliability: {
    value: 'reliable',
    text: 'Quality of service of the publications, of a bag where none was recorded; reliable serves best-effort subscribers as well.',
    choices: ['reliable', 'best_effort'],
  },
  topics: {
    value: '',
    text: 'Of a bag: topics to play, separated by commas; empty: all whose types are installed.',
  },
  clock: {
    value: 0,
    range: [0, 1000],
    text: "Of a bag: messages per second on /clock with the bag's time, for nodes with use_sim_time; 0: none.",
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
  readonly topics: readonly string[];
  readonly clockHz: number;
}

/** Declares all parameters on the node; throws ParameterError where one was given a value it must not have. */
export function declareReplayParameters(node: RosNode): ReplayParameters {
  declareParameters(node, REPLAY_PARAMETERS);
  const rate = numberParameter(node, 'rate');
  if (rate > 0 && rate < LEAST_RATE)
    throw new ParameterError(`parameter rate: is ${rate}, must be 0.0 or from ${LEAST_RATE} to 100`);
  return {
    source: stringParameter(node, 'source'),
    cameraInfoPath: stringParameter(node, 'camera_info'),
    frameId: stringParameter(node, 'frame_id'),
    rate,
    loop: booleanParameter(node, 'loop'),
    startSeconds: numberParameter(node, 'start'),
    waitForSubscriber: booleanParameter(node, 'wait_for_subscriber'),
    reliability: stringParameter(node, 'reliability') as Reliability,
    topics: stringParameter(node, 'topics')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
    clockHz: numberParameter(node, 'clock'),
  };
}
