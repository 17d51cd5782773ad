import { LAST_VERSION } from '../inference/modelUpdate';
import { defaultModelPath } from '../paths';
import { declareParameters, numberParameter, stringParameter, type ParameterSpec } from './ros/parameters';
import type { RosNode } from './ros/rclnodejs';

/** Every parameter of model_sender_node; config/camera.yaml documents the same ones. */
export const MODEL_SENDER_PARAMETERS = {
  model: { value: '', text: 'Path of the ONNX model to send.' },
  parent: {
    value: '',
    text: "Path of the model it was made from: the one depth_node runs or started with. Empty: the package's models/default.onnx.",
  },
  version: { value: 1, integer: true, range: [1, LAST_VERSION], text: 'Has to be above that of the update before.' },
  private_key: { value: '', text: 'Ed25519 private key file (PEM) to sign with; empty: not signed.' },
  depth_node: { value: '/depth_node', text: 'Full name of the node that is to run the model.' },
} as const satisfies Record<string, ParameterSpec>;

/** Values of model_sender_node's parameters. */
export interface ModelSenderParameters {
  readonly modelPath: string;
  readonly parentPath: string;
  readonly version: number;
  /** Empty: not signed. */
  readonly privateKeyPath: string;
  readonly depthNode: string;
}

/** Declares all parameters on the node; throws ParameterError where one was given a value it must not have. */
export function declareModelSenderParameters(node: RosNode): ModelSenderParameters {
  declareParameters(node, MODEL_SENDER_PARAMETERS);
  return {
    modelPath: stringParameter(node, 'model'),
    parentPath: stringParameter(node, 'parent') || defaultModelPath(),
    version: numberParameter(node, 'version'),
    privateKeyPath: stringParameter(node, 'private_key'),
    depthNode: stringParameter(node, 'depth_node'),
  };
}
