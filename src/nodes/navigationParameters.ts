/** depth_node's parameters of odometry and metric scale. */
import {
  booleanParameter,
  numberParameter,
  ParameterError,
  stringParameter,
  type ParameterSpec,
} from './ros/parameters';
import type { RosNode } from './ros/rclnodejs';

export const SCALE_SOURCES = ['none', 'velocity', 'camera_height', 'fixed'] as const;
export type ScaleSource = (typeof SCALE_SOURCES)[number];

export const NAVIGATION_PARAMETERS = {
  publish_odometry: {
    value: true,
    live: true,
    text: 'Publish ~/odometry; it begins with the first subscriber, or with publish_tf, and rests while nobody listens.',
  },
  publish_tf: {
    value: false,
    text: 'Publish odom_frame -> base_frame on /tf. One node only may do so (REP 105): off where robot_localization or a wheel odometry does.',
  },
  odom_frame: { value: 'odom', text: 'Frame in which the odometry is given.' },
  base_frame: {
    value: '',
    text: "Frame whose odometry is published; the camera's place on it is taken from /tf_static and /tf, once and anew after ~/reset. Empty: the camera's own frame.",
  },
  scale_source: {
    value: 'none',
    text: "Where metres come from: none (everything is in the model's own unit), velocity (twist_topic or odometry_topic), camera_height (the ground seen in the depth map), fixed (fixed_scale).",
    choices: SCALE_SOURCES,
  },
  fixed_scale: {
    value: 1,
    range: [1e-3, 1e3],
    live: true,
    text: "Metres in one unit of the model's depth, of scale_source fixed. Set it anew, also to the same value, when another model runs.",
  },
  camera_height: {
    value: 0,
    range: [0, 100],
    live: true,
    text: 'Metres from the ground up to the camera, of scale_source camera_height.',
  },
  twist_topic: {
    value: '',
    text: "geometry_msgs/TwistStamped of the vehicle's speed, of scale_source velocity. Where base_frame is set: in its axes (header.frame_id), or the length alone is taken.",
  },
  odometry_topic: {
    value: '',
    text: "nav_msgs/Odometry of the vehicle's speed, of scale_source velocity. Where base_frame is set: its twist in base_frame's axes (child_frame_id), or the length alone is taken.",
  },
  least_speed: {
    value: 0.2,
    range: [0.01, 100],
    live: true,
    text: 'Slower than this, in m/s, the scale is not measured by the speed: the motion between two frames is too small to be told from noise.',
  },
} as const satisfies Record<string, ParameterSpec>;

const NO_CAMERA_HEIGHT = 'parameter camera_height: is 0.0; scale_source camera_height needs it, in metres';

export interface NavigationParameters {
  readonly publishOdometry: boolean;
  readonly publishTf: boolean;
  readonly odomFrame: string;
  /** Empty: the camera's own frame. */
  readonly baseFrame: string;
  readonly scaleSource: ScaleSource;
  readonly fixedScale: number;
  /** Another object each time fixed_scale is set, also to the value it has; where there is none, its value tells. */
  readonly fixedScaleSetting?: object;
  readonly cameraHeight: number;
  readonly leastSpeed: number;
  readonly speedTopics: { readonly twist: string; readonly odometry: string };
}

/** Refuses a change that would leave the scale's source without what it needs. */
export function checkNavigationParameters(node: RosNode): void {
  node.checkParameters(({ name, value }) =>
    name === 'camera_height' && value === 0 && stringParameter(node, 'scale_source') === 'camera_height'
      ? NO_CAMERA_HEIGHT
      : undefined,
  );
}

/** Throws ParameterError where the scale's source lacks what it needs. */
export function navigationParameters(node: RosNode): NavigationParameters {
  const scaleSource = stringParameter(node, 'scale_source') as ScaleSource;
  const speedTopics = {
    twist: stringParameter(node, 'twist_topic'),
    odometry: stringParameter(node, 'odometry_topic'),
  };
  if (scaleSource === 'velocity' && speedTopics.twist === '' && speedTopics.odometry === '')
    throw new ParameterError('parameter scale_source: is velocity, which needs twist_topic or odometry_topic');
  if (scaleSource === 'camera_height' && !(numberParameter(node, 'camera_height') > 0))
    throw new ParameterError(NO_CAMERA_HEIGHT);
  if (stringParameter(node, 'odom_frame') === '')
    throw new ParameterError('parameter odom_frame: is empty; give the frame of the odometry, such as odom');
  if (stringParameter(node, 'odom_frame') === stringParameter(node, 'base_frame'))
    throw new ParameterError('parameter base_frame: is odom_frame; no frame moves in itself');
  return {
    get publishOdometry() {
      return booleanParameter(node, 'publish_odometry');
    },
    publishTf: booleanParameter(node, 'publish_tf'),
    odomFrame: stringParameter(node, 'odom_frame'),
    baseFrame: stringParameter(node, 'base_frame'),
    scaleSource,
    get fixedScale() {
      return numberParameter(node, 'fixed_scale');
    },
    get fixedScaleSetting() {
      return node.getParameter('fixed_scale'); // rclnodejs keeps the very parameter that a request came with
    },
    get cameraHeight() {
      return numberParameter(node, 'camera_height');
    },
    get leastSpeed() {
      return numberParameter(node, 'least_speed');
    },
    speedTopics,
  };
}
