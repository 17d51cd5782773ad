/** The demo's own end of the topics: it counts depths, adds up the ego-motion, follows /diagnostics and takes samples. */
import { compose, identity, type Se3 } from '../geometry/se3';
import { createNode, qos, rclnodejs, type RosNode } from '../nodes/ros/rclnodejs';
import { stampSeconds } from '../nodes/ros/cdr';
import { readAdaptation, readHeader, readMotion, readStatus, type AdaptationReport } from './messages';
import { Sampler } from './sampler';

/** Messages kept for this process, which gives way to the nodes: seconds of them. */
const QUEUE = 100;

/** What depth_node says of itself, as of its latest diagnostics. */
export interface NodeStatus {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly dropped: number;
  readonly fps: number;
  readonly latencyP50Ms: number;
  readonly latencyP95Ms: number;
  readonly modelName: string;
  readonly modelVersion: string;
  readonly modelSha256: string;
}

export interface ObserverOptions {
  /** Namespace of both nodes, e.g. /demo. */
  readonly namespace: string;
  readonly imageRows: number;
  readonly pictureWidth: number;
}

export class Observer {
  /** Depth maps received here. */
  depths = 0;
  /** By performance.now(). */
  firstDepthMs: number | undefined;
  lastDepthMs: number | undefined;
  /** camera_info messages received: one per image that was published. */
  cameraInfos = 0;
  /** Stamp of the image to its depth received here. */
  readonly stampToDepthMs: number[] = [];
  /** Position of the camera after each frame, in the first camera's frame and the depth map's units: x right, y down, z ahead. */
  readonly path: (readonly [x: number, y: number, z: number])[] = [];
  status: NodeStatus | undefined;
  statuses = 0;
  /** Where there is an adaptation_node. */
  adaptation: AdaptationReport | undefined;
  readonly sampler: Sampler;
  #pose: Se3 = identity();

  private constructor(node: RosNode, { namespace, imageRows, pictureWidth }: ObserverOptions) {
    const depthNode = `${namespace}/depth_node`;
    this.sampler = new Sampler(node, {
      imageTopic: `${namespace}/image`,
      gradientTopic: `${depthNode}/gradient`,
      confidenceTopic: `${depthNode}/confidence`,
      imageRows,
      pictureWidth,
    });
    const listen = (type: string, topic: string, callback: (message: Buffer) => void): void => {
      node.createSubscription(type, topic, { qos: qos('reliable', QUEUE), isRaw: true }, callback);
    };
    listen('sensor_msgs/msg/CameraInfo', `${namespace}/camera_info`, () => this.cameraInfos++);
    listen('sensor_msgs/msg/Image', `${depthNode}/depth`, (message) => this.#onDepth(message));
    listen('depthgrad/msg/EgoMotion', `${depthNode}/ego_motion`, (message) => this.#onMotion(message));
    listen('depthgrad/msg/AdaptationStatus', `${namespace}/adaptation_node/status`, (message) => {
      this.adaptation = readAdaptation(message);
    });
    const status = `${depthNode}: Inference`;
    listen('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', (message) => this.#onDiagnostics(message, status));
    node.spin();
  }

  static async start(options: ObserverOptions): Promise<Observer> {
    rclnodejs.removeSignalHandlers();
    if (rclnodejs.isShutdown()) await rclnodejs.init();
    return new Observer(createNode('demo'), options);
  }

  close(): void {
    if (!rclnodejs.isShutdown()) rclnodejs.shutdown();
  }

  #onDepth(message: Buffer): void {
    const now = performance.now();
    this.firstDepthMs ??= now;
    this.lastDepthMs = now;
    this.depths++;
    this.stampToDepthMs.push(Date.now() - 1000 * stampSeconds(readHeader(message).stamp));
    this.sampler.onDepth(message);
  }

  #onMotion(message: Buffer): void {
    const { pose } = readMotion(message);
    if (!pose) return;
    this.#pose = compose(this.#pose, pose);
    const [x, y, z] = this.#pose.translation;
    this.path.push([x, y, z]);
  }

  #onDiagnostics(message: Buffer, status: string): void {
    const values = readStatus(message, status);
    if (!values) return;
    const text = (key: string): string => {
      const value = values.get(key);
      if (value === undefined) throw new Error(`/diagnostics: the status "${status}" has no value "${key}"`);
      return value;
    };
    this.statuses++;
    this.status = {
      framesIn: Number(text('frames_in')),
      framesOut: Number(text('frames_out')),
      dropped: Number(text('dropped')),
      fps: Number(text('fps')),
      latencyP50Ms: Number(text('latency_p50_ms')),
      latencyP95Ms: Number(text('latency_p95_ms')),
      modelName: text('model_name'),
      modelVersion: text('model_version'),
      modelSha256: text('model_sha256'),
    };
  }
}
