/** Every topic of the ROS graph as a Foxglove channel; a topic is subscribed to only while a viewer is. */
import type { WebSocket } from 'ws';
import { messageDefinition } from '../../ros/messageDefinitions';
import { BEST_EFFORT, TRANSIENT_LOCAL } from '../../ros/qosPolicies';
import { qos, type RosNode, type Subscription } from '../../ros/rclnodejs';
import type { ThrottledLog } from '../../ros/throttledLog';
import { FoxgloveServer, type Subscriber } from './foxgloveServer';

/** Between two looks at the graph. */
const GRAPH_PERIOD_MS = 1000;
/** Small messages that come in a burst (tf) are all there. */
const QUEUE = 10;
/** What is kept for late comers comes at once, of all publishers together: every static broadcaster keeps messages of its own. */
const LATCHED_QUEUE = 100;

interface BridgedTopic {
  readonly topic: string;
  readonly type: string;
  readonly channelId: number;
  readonly subscribers: Set<Subscriber>;
  /**
   * One subscription for all viewers, under undefined. Of a topic whose messages are kept for late comers, one for each viewer: the middleware gives a
   * subscription that is new what every publisher keeps, and knows better than a copy here which messages those are.
   */
  readonly feeds: Map<Subscriber | undefined, Subscription>;
  isLatched: boolean;
  /** It cannot be subscribed to here. */
  fault?: string;
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
      onSubscribe: (subscriber) => this.#add(subscriber),
      onUnsubscribe: (subscriber) => this.#remove(subscriber),
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
    for (const [name, bridged] of this.#topics) {
      if (present.get(name) === bridged.type) {
        this.#feed(bridged); // the publishers may be others now
        continue;
      }
      this.#topics.delete(name);
      this.#server.removeChannel(bridged.channelId);
      bridged.subscribers.clear();
      this.#feed(bridged);
    }
    for (const [topic, type] of present) {
      if (this.#topics.has(topic)) continue;
      const schema = messageDefinition(type);
      if (schema === undefined) {
        this.#log.warnOnce(
          type,
          `Foxglove: ${topic} is left out: ${type} is not installed as .msg here, or cannot be read`,
        );
        continue;
      }
      const channel = { topic, encoding: 'cdr', schemaName: type, schemaEncoding: 'ros2msg', schema };
      const channelId = this.#server.addChannel(channel);
      this.#topics.set(topic, { topic, type, channelId, subscribers: new Set(), feeds: new Map(), isLatched: false });
    }
  }

  #ofChannel(channelId: number): BridgedTopic | undefined {
    return [...this.#topics.values()].find((one) => one.channelId === channelId);
  }

  #add(subscriber: Subscriber): void {
    const bridged = this.#ofChannel(subscriber.channelId);
    if (!bridged) return;
    bridged.subscribers.add(subscriber);
    this.#feed(bridged);
    if (bridged.fault) this.#server.warn(subscriber, `${bridged.topic} (${bridged.type}): ${bridged.fault}`);
  }

  #remove(subscriber: Subscriber): void {
    const bridged = this.#ofChannel(subscriber.channelId);
    if (!bridged?.subscribers.delete(subscriber)) return;
    this.#feed(bridged);
  }

  /** Makes and destroys subscriptions until they are those that the viewers and publishers of now need. */
  #feed(bridged: BridgedTopic): void {
    const { topic, type, subscribers, feeds } = bridged;
    if (bridged.fault || (subscribers.size === 0 && feeds.size === 0)) return;
    try {
      const isLatched = this.#isLatched(bridged);
      const needed = new Set(subscribers.size === 0 ? [] : isLatched ? subscribers : [undefined]);
      for (const [viewer, subscription] of feeds) {
        if (needed.has(viewer)) continue;
        feeds.delete(viewer);
        this.#node.destroySubscription(subscription);
      }
      bridged.isLatched = isLatched;
      for (const viewer of needed) if (!feeds.has(viewer)) feeds.set(viewer, this.#subscribe(bridged, viewer));
    } catch (error) {
      // Types whose code was not generated, or whose library is not there, are known here as definitions only.
      bridged.fault = `cannot be subscribed to: ${(error as Error).message}`;
      this.#log.warnOnce(`${topic} ${type}`, `Foxglove: ${topic} (${type}) ${bridged.fault}`);
    }
  }

  /** Whether all publishers keep messages for late comers and send them reliably: a subscription that asks for those gets nothing from any other. */
  #isLatched({ topic, subscribers, isLatched }: BridgedTopic): boolean {
    if (subscribers.size === 0) return isLatched;
    const publishers = this.#node.getPublishersInfoByTopic(topic);
    if (publishers.length === 0) return isLatched;
    return publishers.every(
      ({ qos_profile: { durability, reliability } }) => durability === TRANSIENT_LOCAL && reliability !== BEST_EFFORT,
    );
  }

  /** Best effort takes what any publisher sends; only what is kept for late comers has to be asked for reliably. @param viewer undefined: all of them */
  #subscribe({ topic, type, subscribers, isLatched }: BridgedTopic, viewer: Subscriber | undefined): Subscription {
    const quality = isLatched ? qos('reliable', LATCHED_QUEUE, true) : qos('best_effort', QUEUE);
    const audience = viewer ? [viewer] : subscribers;
    return this.#node.createSubscription(type, topic, { qos: quality, isRaw: true }, (data) => {
      this.#server.send(audience, { timestampNs: BigInt(Date.now()) * 1_000_000n, data, isLatched });
    });
  }
}
