/** What depth_node says of itself on /diagnostics, once a second (REP 107). docs/operations.md lists it. */
import type { ModelHost } from '../inference/modelHost';
import { CameraHealth, type Finding } from './cameraHealth';
import type { DepthStatistics } from './depthStatistics';
import type { ModelUpdateReceiver } from './modelUpdateReceiver';
import type { Navigator } from './navigation';
import type { DiagnosticStatus } from './ros/messages';
import { fullName, type RosNode } from './ros/rclnodejs';
import type { ThrottledLog } from './ros/throttledLog';
import { TopicWatch, type OwnEnd } from './ros/topicFaults';

/** A node that is configured. */
export interface DepthPicture {
  readonly network: ModelHost;
  readonly navigator: Navigator;
  readonly statistics: DepthStatistics;
  readonly updates: ModelUpdateReceiver;
  readonly hasCameraInfo: boolean;
  readonly subscriptions: readonly OwnEnd[];
  readonly publications: readonly OwnEnd[];
  /** What is subscribed to for images: by image_transport another topic than the one that is remapped. */
  readonly imageTopic: string;
  /** Publishers of images the node is matched with; undefined while it is not active and waits for none. */
  readonly imagePublishers: number | undefined;
}

export interface Lifecycle {
  readonly state: string;
  /** Why the last transition failed; empty where it did not. */
  readonly fault: string;
}

const OK = 0;
const ERROR = 2;
const STALE = 3;

export class DepthDiagnostics {
  readonly #node: RosNode;
  readonly #imageTopic: string;
  readonly #log: ThrottledLog;
  readonly #health = new CameraHealth();
  readonly #topics: TopicWatch;

  constructor(node: RosNode, imageTopic: string, log: ThrottledLog) {
    this.#node = node;
    this.#imageTopic = imageTopic;
    this.#log = log;
    this.#topics = new TopicWatch(node, log);
  }

  /** Inference, Model, Camera and Navigation of a node that is configured, and Lifecycle always. */
  look(nowMs: number, lifecycle: Lifecycle, picture: DepthPicture | undefined): DiagnosticStatus[] {
    const faults = picture ? this.#topics.look(picture.subscriptions, picture.publications) : [];
    return [
      ...(picture ? this.#configured(nowMs, lifecycle.state, picture, faults) : []),
      this.#status('Lifecycle', lifecycle.fault ? ERROR : OK, lifecycle.fault || lifecycle.state, {
        state: lifecycle.state,
        suppressed_log_lines: `${this.#log.suppressed}`,
      }),
    ];
  }

  #configured(nowMs: number, state: string, picture: DepthPicture, topicFaults: string[]): DiagnosticStatus[] {
    const { network, navigator, statistics, updates, hasCameraInfo, imageTopic, imagePublishers } = picture;
    const navigation = navigator.status();
    const model = { ...network.model, provider: network.executionProvider };
    const inference = statistics.status(nowMs, this.#identity, model);
    const { framesIn, rejected, black, lastImageMs, isRectified } = statistics;
    const camera = this.#health.look(nowMs, {
      imageTopic,
      publishers: imagePublishers ?? 0,
      ...{ lastImageMs, framesIn, rejected, black, hasCameraInfo, topicFaults },
    });
    const waits: Finding = { level: STALE, message: `${state}: takes no images` };
    const active = imagePublishers !== undefined;
    const { level, message } = active ? camera : waits;
    return [
      active ? inference : { ...inference, ...waits },
      updates.status(network, this.#imageTopic),
      this.#status('Camera', level, message, {
        image_topic: imageTopic,
        publishers: `${imagePublishers ?? 0}`,
        black: `${black}`,
        rejected: `${rejected}`,
        camera_info: `${hasCameraInfo}`,
        view: isRectified === undefined ? 'unknown' : isRectified ? 'rectified' : 'as it comes',
      }),
      this.#status('Navigation', navigation.level, navigation.message, navigation.values),
    ];
  }

  get #identity(): { name: string; hardwareId: string } {
    return { name: fullName(this.#node), hardwareId: this.#imageTopic };
  }

  #status(
    part: string,
    level: DiagnosticStatus['level'],
    message: string,
    values: DiagnosticStatus['values'],
  ): DiagnosticStatus {
    const { name, hardwareId } = this.#identity;
    return { level, name: `${name}: ${part}`, message, hardwareId, values };
  }
}
