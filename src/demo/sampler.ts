import { ImageResizer } from '../geometry/imageResizer';
import { imageBytes } from '../media/imageEncodings';
import type { Picture } from '../media/pictures';
import { stampSeconds } from '../nodes/ros/cdr';
import { readImage, type ImageMessage } from '../nodes/ros/messages';
import { qos, type RosNode, type Subscription } from '../nodes/ros/rclnodejs';
import { floats, readDepthGradient, readHeader, stampKey } from './messages';

/** What the camera saw at one moment and what became of it, all of the same stamp. Maps: [height][width](channels). */
export interface Sample {
  readonly stampSeconds: number;
  readonly camera: Picture;
  readonly height: number;
  readonly width: number;
  readonly depth: Float32Array;
  /** Only in samples taken with every map. */
  readonly gradient?: Float32Array;
  readonly confidence?: Float32Array;
}

export interface SamplerOptions {
  readonly imageTopic: string;
  readonly gradientTopic: string;
  readonly confidenceTopic: string;
  /** Rows of the camera's image to show, from the top; 0 for all. */
  readonly imageRows: number;
  readonly pictureWidth: number;
}

/** A capture that meets no complete set of messages in this time (the frame was dropped) is given up. */
const CAPTURE_LIMIT_MS = 1500;
const REMEMBERED = 12;

type Topic = 'image' | 'depth' | 'gradient' | 'confidence';

interface Capture {
  readonly topics: readonly Topic[];
  readonly subscriptions: readonly Subscription[];
  readonly messages: Map<string, Partial<Record<Topic, Buffer>>>;
  readonly startedMs: number;
  readonly resolve: (sample: Sample | undefined) => void;
}

/**
 * Takes single moments out of the running topics. It subscribes to the camera's image and the maps only while it takes one:
 * listening to every 1280x720 image costs 5 ms of the cores the nodes need.
 */
export class Sampler {
  readonly #node: RosNode;
  readonly #options: SamplerOptions;
  /** The latest depth messages: depth may come before the subscription's own image has been handled. */
  readonly #depths = new Map<string, Buffer>();
  #capture: Capture | undefined;
  readonly #resizer = new ImageResizer();

  constructor(node: RosNode, options: SamplerOptions) {
    this.#node = node;
    this.#options = options;
  }

  /** To be called with every depth message. */
  onDepth(message: Buffer): void {
    const key = stampKey(readHeader(message).stamp);
    this.#depths.set(key, message);
    if (this.#depths.size > REMEMBERED) this.#depths.delete(this.#depths.keys().next().value!);
    this.#offer('depth', message);
  }

  get busy(): boolean {
    return this.#capture !== undefined;
  }

  /** One sample; undefined when none was complete in time. Only one at a time. */
  capture(everyMap: boolean): Promise<Sample | undefined> {
    if (this.#capture) throw new Error('a capture is already under way');
    const { imageTopic, gradientTopic, confidenceTopic } = this.#options;
    const subscriptions = [this.#listen('image', 'sensor_msgs/msg/Image', imageTopic)];
    if (everyMap) {
      subscriptions.push(this.#listen('gradient', 'depthgrad/msg/DepthGradient', gradientTopic));
      subscriptions.push(this.#listen('confidence', 'sensor_msgs/msg/Image', confidenceTopic));
    }
    return new Promise((resolve) => {
      const topics: Topic[] = everyMap ? ['image', 'depth', 'gradient', 'confidence'] : ['image', 'depth'];
      this.#capture = { topics, subscriptions, messages: new Map(), startedMs: performance.now(), resolve };
    });
  }

  /** Gives up a capture that takes too long; call it now and then. */
  checkTime(nowMs: number): void {
    if (this.#capture && nowMs - this.#capture.startedMs > CAPTURE_LIMIT_MS) this.#finish(undefined);
  }

  close(): void {
    this.#finish(undefined);
  }

  #listen(topic: Topic, type: string, name: string): Subscription {
    return this.#node.createSubscription(type, name, { qos: qos('best_effort', 2), isRaw: true }, (message) =>
      this.#offer(topic, message),
    );
  }

  #offer(topic: Topic, message: Buffer): void {
    const capture = this.#capture;
    if (!capture) return;
    const key = stampKey(readHeader(message).stamp);
    const set = capture.messages.get(key) ?? { depth: this.#depths.get(key) };
    set[topic] = message;
    capture.messages.set(key, set);
    if (capture.messages.size > REMEMBERED) capture.messages.delete(capture.messages.keys().next().value!);
    if (capture.topics.every((wanted) => set[wanted])) this.#finish(set);
  }

  #finish(set: Partial<Record<Topic, Buffer>> | undefined): void {
    const capture = this.#capture;
    if (!capture) return;
    this.#capture = undefined;
    // Not inside the subscription's own callback: rclnodejs is still looking at it.
    setImmediate(() => {
      for (const subscription of capture.subscriptions) this.#node.destroySubscription(subscription);
    });
    capture.resolve(set && this.#sample(set));
  }

  #sample({ image, depth, gradient, confidence }: Partial<Record<Topic, Buffer>>): Sample {
    const map = readImage(depth!);
    return {
      stampSeconds: stampSeconds(map.header.stamp),
      camera: this.#shrink(readImage(image!)),
      height: map.height,
      width: map.width,
      depth: floats(map),
      gradient: gradient && floats(readDepthGradient(gradient)),
      confidence: confidence && floats(readImage(confidence)),
    };
  }

  /** The camera's image as far as the network sees it, small. */
  #shrink(image: ImageMessage): Picture {
    const { width, ...bytes } = imageBytes(image);
    const height = this.#options.imageRows > 0 ? Math.min(this.#options.imageRows, image.height) : image.height;
    const outputWidth = Math.min(this.#options.pictureWidth, width);
    const outputHeight = Math.max(1, Math.round((height * outputWidth) / width));
    const data = new Uint8Array(outputWidth * outputHeight * 3);
    this.#resizer.resize({ ...bytes, width, height }, outputWidth, outputHeight, data);
    return { width: outputWidth, height: outputHeight, data };
  }
}
