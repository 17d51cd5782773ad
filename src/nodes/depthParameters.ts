import type { ExecutionProvider } from '../inference/inferenceWorker';
import { defaultModelPath } from '../paths';
import { IMAGE_PARAMETERS, imageParameters, type ImageParameters } from './imageParameters';
import {
  booleanParameter,
  declareParameters,
  numberParameter,
  stringParameter,
  type ParameterSpec,
} from './ros/parameters';
import type { Reliability, RosNode } from './ros/rclnodejs';

/** Every parameter of depth_node; config/camera.yaml documents the same ones. */
export const DEPTH_PARAMETERS = {
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
  min_range: {
    value: 0.1,
    range: [0, 1000],
    live: true,
    text: "Depths below are published as -Inf (REP 117). In the depth map's unit.",
  },
  max_range: {
    value: 80,
    range: [0, 1e6],
    live: true,
    text: "Depths above are published as +Inf (REP 117). In the depth map's unit.",
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
  ...IMAGE_PARAMETERS,
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
  readonly modelPath: string;
  readonly executionProvider: ExecutionProvider;
  readonly threads: number;
  /** 0: all rows. */
  readonly imageRows: number;
  readonly minRange: number;
  readonly maxRange: number;
  readonly confidenceThreshold: number;
  readonly maxGapSeconds: number;
  readonly publishGradient: boolean;
  readonly publishConfidence: boolean;
  readonly publishEgoMotion: boolean;
  readonly publishReliability: Reliability;
  readonly acceptModelUpdates: boolean;
  readonly modelUpdateMaxBytes: number;
  /** Empty: updates need no signature. */
  readonly modelUpdatePublicKeyPath: string;
}

/** Declares all parameters on the node; throws ParameterError where one was given a value it must not have. */
export function declareDepthParameters(node: RosNode): DepthParameters {
  declareParameters(node, DEPTH_PARAMETERS);
  return {
    modelPath: stringParameter(node, 'model') || defaultModelPath(),
    executionProvider: stringParameter(node, 'execution_provider') as ExecutionProvider,
    threads: numberParameter(node, 'threads'),
    imageRows: numberParameter(node, 'image_rows'),
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
    ...imageParameters(node),
    publishReliability: stringParameter(node, 'publish_reliability') as Reliability,
    acceptModelUpdates: booleanParameter(node, 'accept_model_updates'),
    modelUpdateMaxBytes: numberParameter(node, 'model_update_max_bytes'),
    modelUpdatePublicKeyPath: stringParameter(node, 'model_update_public_key'),
  };
}
