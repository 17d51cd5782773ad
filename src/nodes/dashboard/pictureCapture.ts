/** Takes the camera's image and depth_node's maps of one instant from the middleware, when somebody is ready for them, and encodes them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { secondsBetween } from '../egoMotionMessage';
import type { Time } from '../ros/cdr';
import { imageStream } from '../ros/imageStream';
import { cameraInfoFault } from '../ros/cameraInfo';
import { readCameraInfo, type CameraInfoMessage } from '../ros/messages';
import { pollTopic, qos, type PolledSubscription, type RosNode, type Subscription } from '../ros/rclnodejs';
import { warnIgnored, type ThrottledLog } from '../ros/throttledLog';
import type { DashboardParameters } from '../dashboardParameters';
import {
  CameraEncoder,
  encodeConfidence,
  encodeDepth,
  encodeGradient,
  readStamp,
  type EncodedPicture,
} from './encodePictures';

/** Views that are made of image messages. */
export const PICTURES = ['camera', 'depth', 'gradient', 'confidence'] as const;
export type PictureName = (typeof PICTURES)[number];

const MAP_TYPES: Readonly<Record<Exclude<PictureName, 'camera'>, string>> = {
  depth: 'sensor_msgs/msg/Image',
  gradient: 'depthgrad/msg/DepthGradient',
  confidence: 'sensor_msgs/msg/Image',
};
/** Maps of an instant come when the network is done with its image. */
const INSTANT_LIMIT_MS = 150;
const POLL_MS = 5;

interface Source {
  readonly subscription: PolledSubscription;
  /** Of the last message taken. */
  stamp?: Time;
}

/** A topic cannot be subscribed to while this process is subscribed to it as another type: by a Foxglove viewer, of another publisher. */
export function trySubscribing(log: ThrottledLog, name: string, subscribe: () => void): void {
  try {
    subscribe();
  } catch (error) {
    log.warn(`subscribe ${name}`, `${name}: cannot be subscribed to: ${(error as Error).message}`);
  }
}

export class PictureCapture {
  readonly #node: RosNode;
  readonly #parameters: DashboardParameters;
  readonly #log: ThrottledLog;
  readonly #sources = new Map<PictureName, Source>();
  readonly #camera = new CameraEncoder();
  #infoSubscription?: Subscription;
  #info?: CameraInfoMessage;

  constructor(node: RosNode, parameters: DashboardParameters, log: ThrottledLog) {
    this.#node = node;
    this.#parameters = parameters;
    this.#log = log;
  }

  /** Subscribes to what is looked at and to nothing else: depth_node builds a message only where somebody subscribes. */
  follow(wanted: ReadonlySet<string>): void {
    for (const name of PICTURES) {
      const source = this.#sources.get(name);
      if (wanted.has(name) && !source)
        trySubscribing(this.#log, name, () => this.#sources.set(name, { subscription: this.#subscribe(name) }));
      if (!wanted.has(name) && source) {
        source.subscription.close();
        this.#sources.delete(name);
      }
    }
    if (wanted.has('depth') === (this.#infoSubscription !== undefined)) return;
    if (this.#infoSubscription) {
      this.#node.destroySubscription(this.#infoSubscription);
      this.#infoSubscription = undefined;
    } else {
      trySubscribing(this.#log, 'camera_info', () => (this.#infoSubscription = this.#subscribeInfo()));
    }
  }

  #subscribeInfo(): Subscription {
    const options = { qos: qos('best_effort', 1), isRaw: true } as const;
    const topic = this.#node.resolveTopicName(`${this.#parameters.depthNode}/camera_info`);
    return this.#node.createSubscription('sensor_msgs/msg/CameraInfo', topic, options, (message) => {
      try {
        const info = readCameraInfo(message);
        const fault = cameraInfoFault(info);
        this.#info = fault === undefined ? info : undefined;
        if (fault !== undefined) throw new RangeError(fault);
      } catch (error) {
        warnIgnored(this.#log, topic, error as Error);
      }
    });
  }

  /** Topic and how many publish on it, of what is subscribed to. */
  topics(): Partial<Record<PictureName, { topic: string; publishers: number }>> {
    return Object.fromEntries(
      [...this.#sources].map(([name, { subscription }]) => [
        name,
        { topic: subscription.topic, publishers: subscription.publisherCount },
      ]),
    );
  }

  /**
   * The newest pictures of those asked for that were not taken before. All of one stamp where they come in time: the camera's image is taken first, and
   * maps are taken until those of its stamp are there.
   */
  async take(due: readonly PictureName[]): Promise<Map<PictureName, EncodedPicture>> {
    const messages = await this.#takeInstant(due);
    const pictures = new Map<PictureName, EncodedPicture>();
    for (const [name, message] of messages) {
      try {
        pictures.set(name, await this.#encode(name, message));
      } catch (error) {
        this.#warn(name, error as Error);
      }
    }
    return pictures;
  }

  #warn(name: PictureName, error: Error): void {
    warnIgnored(this.#log, this.#sources.get(name)?.subscription.topic ?? name, error, 'not shown');
  }

  async #takeInstant(due: readonly PictureName[]): Promise<Map<PictureName, Buffer>> {
    const messages = new Map<PictureName, Buffer>();
    const pending = new Set(due);
    const limit = performance.now() + INSTANT_LIMIT_MS;
    let instant: Time | undefined;
    for (;;) {
      for (const name of PICTURES) {
        const source = this.#sources.get(name);
        if (!source || !pending.has(name)) continue;
        const message = source.subscription.take();
        if (message) {
          try {
            source.stamp = readStamp(message);
          } catch (error) {
            this.#warn(name, error as Error);
            continue;
          }
          messages.set(name, message);
          instant ??= source.stamp;
        }
        const reached = instant && source.stamp && secondsBetween(instant, source.stamp) >= 0;
        if (reached && (message || name !== 'camera')) pending.delete(name);
      }
      if (pending.size === 0 || performance.now() > limit) return messages;
      await sleep(POLL_MS);
    }
  }

  async #encode(name: PictureName, message: Buffer): Promise<EncodedPicture> {
    if (name === 'camera') return this.#camera.encode(message, this.#parameters);
    if (name === 'depth') return encodeDepth(message, this.#info);
    return name === 'gradient' ? encodeGradient(message) : encodeConfidence(message);
  }

  #subscribe(name: PictureName): PolledSubscription {
    const { depthNode, imageTransport, imageReliability } = this.#parameters;
    if (name !== 'camera') return pollTopic(this.#node, MAP_TYPES[name], `${depthNode}/${name}`, qos('best_effort', 1));
    const { topic, type } = imageStream(this.#node.resolveTopicName('image'), imageTransport);
    return pollTopic(this.#node, type, topic, qos(imageReliability, 1));
  }
}
