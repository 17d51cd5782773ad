import type { ExecutionProvider } from '../inference/inferenceWorker';
import { defaultModelPath } from '../paths';
import type { DepthEncoding, DepthSize } from './depthImages';
import { IMAGE_PARAMETERS, imageParameters, type ImageParameters } from './imageParameters';
import {
  checkNavigationParameters,
  NAVIGATION_PARAMETERS,
  navigationParameters,
  type NavigationParameters,
} from './navigationParameters';
import type { PointCloudOptions } from './pointCloud';
import {
  booleanParameter,
  declareParameters,
  numberParameter,
  ParameterError,
  stringParameter,
  type ParameterSpec,
} from './ros/parameters';
import type { Reliability, RosNode } from './ros/rclnodejs';

/** Every parameter of depth_node; config/camera.yaml documents the same ones. */
export const DEPTH_PARAMETERS = {
  autostart: {
    value: true,
    fixed: true,
    text: 'Configure and activate at the start, and end with code 1 where that fails; false waits for a lifecycle manager.',
  },
  model: { value: '', text: "Path of the ONNX model. Empty: the package's models/default.onnx." },
  execution_provider: {
    value: 'cpu',
    text: 'Where the network runs. Where it is not to be had: one warning, then cpu.',
    choices: ['cpu', 'cuda', 'webgpu'],
  },
  threads: { value: 2, integer: true, range: [1, 64], text: 'Threads of one network run.' },
  image_rows: {
    value: 0,
    integer: true,
    range: [0, 100000],
    text: "Rows the network sees, from the top, to leave the own vehicle's hood out; 0 is all of them.",
  },
  depth_encoding: {
    value: '32FC1',
    text: '~/depth in metres (NaN invalid, +Inf beyond max_range), or in millimetres (REP 118: 0 for what is no depth or beyond 65.535 m).',
    choices: ['32FC1', '16UC1'],
  },
  depth_size: {
    value: 'network',
    text: "~/depth and ~/camera_info at the network's size, or at that of the camera's (rectified) image, pixel for pixel.",
    choices: ['network', 'camera'],
  },
  min_range: {
    value: 0.1,
    range: [0, 1000],
    live: true,
    text: "Depths below are published as -Inf (REP 117); less than max_range. In metres by scale_source, else in the model's unit.",
  },
  max_range: {
    value: 80,
    range: [0, 1e6],
    live: true,
    text: "Depths above are published as +Inf (REP 117). In metres by scale_source, else in the model's unit.",
  },
  confidence_threshold: {
    value: 0,
    range: [0, 1],
    live: true,
    text: 'Depths with a lower confidence are published as NaN (REP 117); 0 keeps all.',
  },
  max_gap: {
    value: 0.5,
    range: [0, 60],
    live: true,
    text: 'Seconds between frames after which they are not compared: ego-motion starts anew.',
  },
  publish_gradient: { value: true, live: true, text: 'Publish ~/gradient where somebody subscribes.' },
  publish_confidence: { value: true, live: true, text: 'Publish ~/confidence where somebody subscribes.' },
  publish_ego_motion: { value: true, live: true, text: 'Publish ~/ego_motion where somebody subscribes.' },
  publish_points: { value: true, live: true, text: 'Publish ~/points where somebody subscribes.' },
  points_stride: {
    value: 1,
    integer: true,
    range: [1, 64],
    live: true,
    text: 'Every so-manyth row and column of the depth map becomes points.',
  },
  points_organised: {
    value: false,
    live: true,
    text: 'Points in rows and columns as in the depth map, NaN where there is none; else only the points there are.',
  },
  points_color: { value: true, live: true, text: 'Points carry the colour of their pixel (rgb).' },
  points_ground: {
    value: 'keep',
    live: true,
    choices: ['keep', 'remove'],
    text: 'Whether points of the ground (a plane fitted below the horizon) are in the cloud.',
  },
  points_ground_clearance: {
    value: 0.3,
    range: [0, 100],
    live: true,
    text: "Points less than this above the ground are part of it, of points_ground remove. In metres by scale_source, else in the model's unit.",
  },
  ...NAVIGATION_PARAMETERS,
  ...IMAGE_PARAMETERS,
  max_image_bytes: {
    value: 100_000_000,
    integer: true,
    range: [1, 2_000_000_000],
    live: true,
    text: 'Image messages with more bytes are refused.',
  },
  max_rate: {
    value: 0,
    range: [0, 1000],
    live: true,
    text: 'Images looked at per second, at most; 0.0 takes every image.',
  },
  publish_reliability: {
    value: 'reliable',
    text: 'Quality of service of the publications.',
    choices: ['reliable', 'best_effort'],
  },
  accept_model_updates: { value: true, text: 'Take new models while running: ~/model_update and ~/load_model.' },
  model_update_max_bytes: {
    value: 200_000_000,
    integer: true,
    range: [1, 2_000_000_000],
    text: 'Model updates with as many bytes, or more, are refused.',
  },
  model_update_public_key: {
    value: '',
    text: 'Ed25519 public key file (PEM). Where there is one, model updates have to be signed with its private half.',
  },
} as const satisfies Record<string, ParameterSpec>;

/** Values of depth_node's parameters; the live ones are read anew at each access. */
export interface DepthParameters extends ImageParameters {
  readonly autostart: boolean;
  readonly maxImageBytes: number;
  /** Per second; 0: no limit. */
  readonly maxRate: number;
  readonly modelPath: string;
  readonly executionProvider: ExecutionProvider;
  readonly threads: number;
  /** 0: all rows. */
  readonly imageRows: number;
  readonly depthEncoding: DepthEncoding;
  readonly depthSize: DepthSize;
  readonly minRange: number;
  readonly maxRange: number;
  readonly confidenceThreshold: number;
  readonly maxGapSeconds: number;
  readonly publishGradient: boolean;
  readonly publishConfidence: boolean;
  readonly publishEgoMotion: boolean;
  readonly publishPoints: boolean;
  readonly points: PointCloudOptions & {
    readonly colour: boolean;
    readonly removeGround: boolean;
    readonly groundClearance: number;
  };
  readonly navigation: NavigationParameters;
  readonly publishReliability: Reliability;
  readonly acceptModelUpdates: boolean;
  readonly modelUpdateMaxBytes: number;
  /** Empty: updates need no signature. */
  readonly modelUpdatePublicKeyPath: string;
}

/**
 * Declares all parameters on the node; throws ParameterError where one was given a value it must not have.
 *
 * @param unconfigured only then may those change that are not live
 */
export function declareDepthParameters(node: RosNode, unconfigured: () => boolean): void {
  declareParameters(node, DEPTH_PARAMETERS, unconfigured);
  checkNavigationParameters(node);
  node.checkParameters(({ name }, after) => {
    if (name !== 'min_range' && name !== 'max_range') return undefined;
    return rangeFault(name, Number(after('min_range')), Number(after('max_range')));
  });
}

/** No depth is in an empty range: every point would be gone, and a costmap would see free space. */
function rangeFault(changed: 'min_range' | 'max_range', min: number, max: number): string | undefined {
  if (!(min >= max)) return undefined;
  return changed === 'min_range'
    ? `parameter min_range: is ${min}, must be below max_range, which is ${max}`
    : `parameter max_range: is ${max}, must be above min_range, which is ${min}`;
}

/** The parameters as they are at this moment; the live ones go on following. Throws ParameterError where they do not go together. */
export function depthParameters(node: RosNode): DepthParameters {
  const fault = rangeFault('max_range', numberParameter(node, 'min_range'), numberParameter(node, 'max_range'));
  if (fault) throw new ParameterError(fault);
  return {
    autostart: booleanParameter(node, 'autostart'),
    get maxImageBytes() {
      return numberParameter(node, 'max_image_bytes');
    },
    get maxRate() {
      return numberParameter(node, 'max_rate');
    },
    modelPath: stringParameter(node, 'model') || defaultModelPath(),
    executionProvider: stringParameter(node, 'execution_provider') as ExecutionProvider,
    threads: numberParameter(node, 'threads'),
    imageRows: numberParameter(node, 'image_rows'),
    depthEncoding: stringParameter(node, 'depth_encoding') as DepthEncoding,
    depthSize: stringParameter(node, 'depth_size') as DepthSize,
    get minRange() {
      return numberParameter(node, 'min_range');
    },
    get maxRange() {
      return numberParameter(node, 'max_range');
    },
    get confidenceThreshold() {
      return numberParameter(node, 'confidence_threshold');
    },
    get maxGapSeconds() {
      return numberParameter(node, 'max_gap');
    },
    get publishGradient() {
      return booleanParameter(node, 'publish_gradient');
    },
    get publishConfidence() {
      return booleanParameter(node, 'publish_confidence');
    },
    get publishEgoMotion() {
      return booleanParameter(node, 'publish_ego_motion');
    },
    get publishPoints() {
      return booleanParameter(node, 'publish_points');
    },
    get points() {
      return {
        stride: numberParameter(node, 'points_stride'),
        organised: booleanParameter(node, 'points_organised'),
        colour: booleanParameter(node, 'points_color'),
        removeGround: stringParameter(node, 'points_ground') === 'remove',
        groundClearance: numberParameter(node, 'points_ground_clearance'),
      };
    },
    navigation: navigationParameters(node),
    ...imageParameters(node),
    publishReliability: stringParameter(node, 'publish_reliability') as Reliability,
    acceptModelUpdates: booleanParameter(node, 'accept_model_updates'),
    modelUpdateMaxBytes: numberParameter(node, 'model_update_max_bytes'),
    modelUpdatePublicKeyPath: stringParameter(node, 'model_update_public_key'),
  };
}
