/** Every topic of the ROS graph as a Foxglove channel; a topic is subscribed to only while a viewer is. */
import type { WebSocket } from 'ws';
import { messageDefinition } from '../../ros/messageDefinitions';
import { latchedQos, qos, type RosNode, type Subscription } from '../../ros/rclnodejs';
import type { ThrottledLog } from '../../ros/throttledLog';
import { FoxgloveServer } from './foxgloveServer';

/** Between two looks at the graph. */
const GRAPH_PERIOD_MS = 1000;
const TRANSIENT_LOCAL = 1;
/** Small messages that come in a burst (tf) are all there. */
const QUEUE = 10;

interface BridgedTopic {
  readonly topic: string;
  readonly type: string;
  readonly channelId: number;
  subscription?: Subscription;
}

export class TopicBridge {
  readonly #node: RosNode;
  readonly #log: ThrottledLog;
  readonly #server: FoxgloveServer;
  readonly #topics = new Map<string, BridgedTopic>();
  readonly #timer: NodeJS.Timeout;

  constructor(node: RosNode, log: ThrottledLog) {
    this.#node = node;
    this.#log = log;
    this.#server = new FoxgloveServer({
      name: node.name(),
      metadata: { ROS_DISTRO: process.env.ROS_DISTRO ?? '' },
      onWanted: (channelId, wanted) => this.#follow(channelId, wanted),
    });
    this.#look();
    this.#timer = setInterval(() => this.#look(), GRAPH_PERIOD_MS);
  }

  connect(socket: WebSocket): void {
    this.#look();
    this.#server.connect(socket);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const present = new Map<string, string>();
    for (const { name, types } of this.#node.getTopicNamesAndTypes()) present.set(name, types[0]);
    for (const [name, { type, channelId, subscription }] of this.#topics) {
      if (present.get(name) === type) continue;
      this.#topics.delete(name);
      this.#server.removeChannel(channelId);
      if (subscription) this.#node.destroySubscription(subscription);
    }
    for (const [topic, type] of present) {
      if (this.#topics.has(topic)) continue;
      const schema = messageDefinition(type);
      if (schema === undefined) {
        this.#log.warnOnce(type, `Foxglove: ${topic} is left out: ${type} is not installed as .msg here`);
        continue;
      }
      const schemaName = type;
      const channelId = this.#server.addChannel({
        topic,
        encoding: 'cdr',
        schemaName,
        schemaEncoding: 'ros2msg',
        schema,
      });
      this.#topics.set(topic, { topic, type, channelId });
    }
  }

  #follow(channelId: number, wanted: boolean): void {
    const bridged = [...this.#topics.values()].find((one) => one.channelId === channelId);
    if (!bridged) return;
    if (bridged.subscription) this.#node.destroySubscription(bridged.subscription);
    bridged.subscription = wanted ? this.#subscribe(bridged) : undefined;
  }

  /** Best effort takes what any publisher sends; only what is kept for late comers has to be asked for reliably. */
  #subscribe({ topic, type, channelId }: BridgedTopic): Subscription {
    const publishers = this.#node.getPublishersInfoByTopic(topic);
    const isLatched =
      publishers.length > 0 && publishers.every(({ qos_profile }) => qos_profile.durability === TRANSIENT_LOCAL);
    const quality = isLatched ? latchedQos() : qos('best_effort', QUEUE);
    return this.#node.createSubscription(type, topic, { qos: quality, isRaw: true }, (message) => {
      this.#server.send(channelId, BigInt(Date.now()) * 1_000_000n, message);
    });
  }
}
