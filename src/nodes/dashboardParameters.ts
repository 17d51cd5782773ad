import { IMAGE_PARAMETERS, type ImageTransport } from './imageParameters';
import { declareParameters, numberParameter, stringParameter, type ParameterSpec } from './ros/parameters';
import type { Reliability, RosNode } from './ros/rclnodejs';

const PORTS = [0, 65535] as const;

/** Every parameter of dashboard_node; config/camera.yaml documents the same ones. */
export const DASHBOARD_PARAMETERS = {
  bind_address: {
    value: '127.0.0.1',
    text: 'Address the page is served on. One that other machines reach, 0.0.0.0 for all, needs a token.',
  },
  port: { value: 8420, integer: true, range: PORTS, text: 'Port of the page; 0 takes a free one and logs it.' },
  token: {
    value: '',
    text: 'What a browser must give once, as /?token=...; empty: none on a loopback address, one made at the start elsewhere (see the terminal).',
  },
  foxglove_port: {
    value: 8765,
    integer: true,
    range: PORTS,
    text: 'Port of the Foxglove WebSocket protocol; 0 serves none.',
  },
  foxglove_origins: {
    value: 'https://app.foxglove.dev file://',
    text: 'Web pages that may read the Foxglove port, with scheme and port (http://localhost:8080); blanks between them. file:// is desktop viewers, and pages opened from a file.',
  },
  depth_node: {
    value: 'depth_node',
    text: 'Name of the node that is shown: in the own namespace, or absolute (/front/depth_node).',
  },
  adaptation_node: { value: 'adaptation_node', text: 'Name of the node that adapts its model, where there is one.' },
  image_rows: {
    value: 0,
    integer: true,
    range: [0, 100_000],
    text: "Rows of the camera's image that depth_node sees, as its image_rows; 0 is all of them.",
  },
  image_transport: IMAGE_PARAMETERS.image_transport,
  image_reliability: IMAGE_PARAMETERS.image_reliability,
  max_rate: {
    value: 10,
    range: [0.1, 60],
    live: true,
    text: 'Most pictures a second of each view. What comes in between is never read.',
  },
  picture_width: {
    value: 640,
    integer: true,
    range: [64, 4096],
    live: true,
    text: 'Widest camera picture that is sent; a larger image is shrunk to it.',
  },
  niceness: {
    value: 10,
    integer: true,
    range: [0, 19],
    text: 'How far the process gives way to others (nice 0..19), so that depth does not wait for pictures.',
  },
} as const satisfies Record<string, ParameterSpec>;

/** Values of dashboard_node's parameters. */
export interface DashboardParameters {
  readonly bindAddress: string;
  readonly port: number;
  /** Empty: as text of the parameter says. */
  readonly token: string;
  readonly foxglovePort: number;
  readonly foxgloveOrigins: readonly string[];
  readonly depthNode: string;
  readonly adaptationNode: string;
  readonly imageRows: number;
  readonly imageTransport: ImageTransport;
  readonly imageReliability: Reliability;
  readonly niceness: number;
  /** As of now. */
  readonly maxRate: number;
  readonly pictureWidth: number;
}

/** Declares all parameters on the node; throws ParameterError where one was given a value it must not have. */
export function declareDashboardParameters(node: RosNode): DashboardParameters {
  declareParameters(node, DASHBOARD_PARAMETERS);
  return {
    bindAddress: stringParameter(node, 'bind_address'),
    port: numberParameter(node, 'port'),
    token: stringParameter(node, 'token'),
    foxglovePort: numberParameter(node, 'foxglove_port'),
    foxgloveOrigins: stringParameter(node, 'foxglove_origins').split(/\s+/).filter(Boolean),
    depthNode: stringParameter(node, 'depth_node'),
    adaptationNode: stringParameter(node, 'adaptation_node'),
    imageRows: numberParameter(node, 'image_rows'),
    imageTransport: stringParameter(node, 'image_transport') as ImageTransport,
    imageReliability: stringParameter(node, 'image_reliability') as Reliability,
    niceness: numberParameter(node, 'niceness'),
    get maxRate() {
      return numberParameter(node, 'max_rate');
    },
    get pictureWidth() {
      return numberParameter(node, 'picture_width');
    },
  };
}
