/** depth_node as a process with an rclpy process at its other end, for the tests of test/ros. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeProcess, Peer, rosEnvironment, type PeerMessage } from './ros';
import { tinyModel } from './tinyModel';

/** Size of the tiny network, and of the images published by default. */
export const WIDTH = 96;
export const HEIGHT = 64;

export const IMAGE = '/front/image_raw';
export const INFO = '/front/camera_info';
const ALL_TOPICS = [
  `${IMAGE}=Image:pub`,
  `${INFO}=CameraInfo:pub`,
  '/depth_node/depth=Image:sub',
  '/depth_node/camera_info=CameraInfo:sub',
  '/depth_node/gradient=DepthGradient:sub',
  '/depth_node/confidence=Image:sub',
  '/depth_node/ego_motion=EgoMotion:sub',
];
export const CAMERA = {
  width: 192,
  height: 128,
  frameId: 'front_optical',
  k: [120, 0, 95, 0, 110, 60, 0, 0, 1],
  p: [120, 0, 95, -6, 0, 110, 60, 0, 0, 0, 1, 0], // the right one of a pair
  d: [0, 0, 0, 0, 0],
};

/** rgb of a picture in which every pixel differs; another one for every seed. */
export function picture(width: number, height: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => 20 + ((i * 7 + seed * 31 + ((i * i) >> 5)) % 230));
}

/** The same picture in another encoding, with `padding` bytes behind each row. */
export function encode(rgb: Uint8Array, width: number, encoding: string, padding = 0): { data: string; step: number } {
  const order = { rgb8: [0, 1, 2], bgr8: [2, 1, 0], mono8: [0], rgba8: [0, 1, 2, -1], bgra8: [2, 1, 0, -1] }[encoding]!;
  const step = width * order.length + padding;
  const bytes = Buffer.alloc((rgb.length / 3 / width) * step, 0xee);
  for (let pixel = 0; pixel < rgb.length / 3; pixel++) {
    const at = Math.floor(pixel / width) * step + (pixel % width) * order.length;
    order.forEach((channel, i) => (bytes[at + i] = channel < 0 ? 255 : rgb[pixel * 3 + channel]));
  }
  return { data: bytes.toString('base64'), step };
}

export interface ImageCommand {
  width?: number;
  height?: number;
  step?: number;
  encoding?: string;
  data?: string;
  stamp?: [number, number];
  times?: number;
}

export const stamped =
  (stamp: [number, number]) =>
  (message: PeerMessage): boolean =>
    message.stamp[0] === stamp[0] && message.stamp[1] === stamp[1];

/** One depth_node with the tiny network, and its peer. */
export class DepthNodeRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'depthgrad-node-'));
  readonly model = join(this.folder, 'tiny.onnx');
  node!: NodeProcess;
  peer!: Peer;
  /** Stamp of the image published last. */
  seconds = 1000;
  /** With the ROS domain both are in. */
  environment: NodeJS.ProcessEnv = {};

  constructor() {
    writeFileSync(this.model, tinyModel({ width: WIDTH, height: HEIGHT }));
  }

  /** Starts both and waits until the topics are connected. */
  async start(rosArguments: string[] = [], topics = ALL_TOPICS, env = rosEnvironment()): Promise<void> {
    this.#startBoth(rosArguments, topics, env);
    await this.peer.matched();
  }

  /** Starts both; the node waits for a lifecycle manager, and most of its topics are not there yet. */
  async startManaged(rosArguments: string[], topics: string[], env = rosEnvironment()): Promise<void> {
    this.#startBoth(['-p', 'autostart:=false', ...rosArguments], topics, env);
    await this.peer.command('wait_publishers', { topics: ['/depth_node/transition_event', '/diagnostics'] });
  }

  #startBoth(rosArguments: string[], topics: string[], env = rosEnvironment()): void {
    this.environment = env;
    this.peer = new Peer(topics, env);
    this.run(
      // reliable here: the tests count every image; the default is the test "best effort"
      ['-r', `image:=${IMAGE}`, '-p', `model:=${this.model}`, '-p', 'image_reliability:=reliable', ...rosArguments],
      env,
    );
  }

  /** Starts the node alone, with nothing set. */
  run(rosArguments: string[], env = rosEnvironment()): NodeProcess {
    return (this.node = new NodeProcess('depthNode', rosArguments, env));
  }

  async stop(): Promise<void> {
    await this.node?.kill();
    await this.peer?.close();
  }

  /** Publishes an image, by default one of the network's size, 40 ms later than the one before; returns its stamp. */
  async publish(command: ImageCommand = {}): Promise<[number, number]> {
    const width = command.width ?? WIDTH;
    const height = command.height ?? HEIGHT;
    this.seconds += 0.04;
    const stamp: [number, number] = [Math.floor(this.seconds), Math.floor((this.seconds % 1) * 1e9)];
    const pixels = command.data ? {} : encode(picture(width, height, 1), width, 'rgb8');
    const fields = { topic: IMAGE, frameId: 'front_optical', width, height, step: width * 3, encoding: 'rgb8', stamp };
    await this.peer.command('image', { ...fields, ...pixels, ...command });
    return command.stamp ?? stamp;
  }

  /** A good image, for the peer to publish. */
  imageFields(): object {
    const pixels = encode(picture(WIDTH, HEIGHT, 1), WIDTH, 'rgb8');
    return { topic: IMAGE, frameId: 'front_optical', width: WIDTH, height: HEIGHT, encoding: 'rgb8', ...pixels };
  }

  /** The depth of the image with this stamp. */
  async depthAt(stamp: [number, number]): Promise<PeerMessage> {
    return this.peer.message('/depth_node/depth', stamped(stamp));
  }

  /** Publishes images of the default size until the camera_info has come; it may do so after an image published later. */
  async publishUntilCameraInfo(): Promise<void> {
    const topic = '/depth_node/camera_info';
    do await this.depthAt(await this.publish());
    while (this.peer.received(topic).length === 0);
  }
}
