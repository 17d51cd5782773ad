/** Records topics into an MCAP file: the messages' bytes as they come, whatever their types. */
import { end, isEnding, onEnd } from './ros/endOnSignal';
import { McapFileWriter, type ChunkCompression } from '../media/bag/mcapWriter';
import type { OfferedQos } from '../media/bag/offeredQos';
import { LostMessages } from './ros/lostMessages';
import { messageDefinition } from './ros/messageDefinitions';
import { BEST_EFFORT, KEEP_LAST, TRANSIENT_LOCAL } from './ros/qosPolicies';
import { createNode, qos, rclnodejs, type Endpoint, type RosNode, type Subscription } from './ros/rclnodejs';
import { oneLine } from './ros/throttledLog';

const GRAPH_POLL_MS = 200;
const FLUSH_MS = 1000;
/** Messages the middleware keeps while a chunk is compressed. */
const QUEUE_DEPTH = 50;

export interface RecorderOptions {
  readonly path: string;
  /** Undefined: all there are, hidden ones left out. */
  readonly topics: readonly string[] | undefined;
  readonly compression: ChunkCompression;
  readonly overwrite: boolean;
  /** Ends by itself after so many seconds, or when the file is as large. */
  readonly seconds?: number;
  readonly bytes?: number;
}

interface RecordedTopic {
  readonly name: string;
  readonly type: string;
  readonly channelId: number;
  offer: OfferedQos;
  listener: Listener;
}

interface Listener {
  readonly subscription: Subscription;
  readonly lost: LostMessages;
}

/** Records until a signal or a limit ends the process. @throws FrameSourceError where the file cannot be made */
export async function record(options: RecorderOptions): Promise<void> {
  const { path, topics, compression, overwrite, seconds, bytes = Infinity } = options;
  const writer = await McapFileWriter.create(path, { compression, overwrite });
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('depthgrad_recorder');
  const recorder = new Recorder(node, writer, topics);
  const started = performance.now();
  const progress = new Progress(recorder, writer);
  const close = async (): Promise<void> => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    progress.stop();
    const whole = await writer.close().then(
      () => true,
      () => false,
    );
    if (!whole) return; // the failure is said below
    console.log(`${path}: ${recorder.summary()} in ${seconds} s`);
    for (const name of recorder.missing()) console.error(`record: nothing came on ${name}`);
  };
  onEnd(close, {
    left: () => writer.queuedBytes,
    describe: () => `${(writer.queuedBytes / 1e6).toFixed(1)} MB wait for the disk`,
    abandon: () => writer.abandon(),
  });
  void writer.failed.then(({ message }) => {
    console.error(`record: ${message}`);
    void end(1);
  });
  node.spin();
  const poll = (): void => recorder.subscribe();
  poll();
  setInterval(poll, GRAPH_POLL_MS);
  setInterval(() => {
    void writer.flush();
    if (writer.bytes >= bytes) void end(0);
  }, FLUSH_MS);
  if (seconds !== undefined) setTimeout(() => void end(0), seconds * 1000);
}

class Recorder {
  readonly #node: RosNode;
  readonly #writer: McapFileWriter;
  readonly #wanted: readonly string[] | undefined;
  readonly #topics = new Map<string, RecordedTopic>();
  /** Topics with messages in the file. */
  readonly #heard = new Set<string>();
  readonly #leftOut = new Set<string>();
  /** By subscriptions that were given up. */
  #lostBefore = 0;

  constructor(node: RosNode, writer: McapFileWriter, topics: readonly string[] | undefined) {
    this.#node = node;
    this.#writer = writer;
    this.#wanted = topics?.map((name) => (name.startsWith('/') ? name : `/${name}`));
  }

  /** Of the topics asked for, those without a message. */
  missing(): string[] {
    return (this.#wanted ?? []).filter((name) => !this.#heard.has(name));
  }

  summary(): string {
    const { messages, bytes, dropped } = this.#writer;
    const lost = [...this.#topics.values()].reduce((sum, { listener }) => sum + listener.lost.count, this.#lostBefore);
    const onTheWay = lost > 0 ? `, ${lost} lost on the way by the middleware` : '';
    const late = dropped > 0 ? `, ${dropped} dropped because the disk is too slow` : '';
    return `${messages} messages of ${this.#heard.size} topics, ${(bytes / 1e6).toFixed(1)} MB${onTheWay}${late}`;
  }

  /** Subscribes to what has appeared, and anew where a publisher has come whose offer the subscription does not take. */
  subscribe(): void {
    if (isEnding()) return;
    for (const { name, types } of this.#node.getTopicNamesAndTypes()) {
      if (this.#leftOut.has(name) || !this.#isWanted(name)) continue;
      try {
        this.#follow(name, types[0]);
      } catch (error) {
        this.#leftOut.add(name);
        console.error(`record: ${name} is left out: ${oneLine((error as Error).message)}`);
      }
    }
  }

  #follow(name: string, type: string): void {
    const offers = this.#offers(name);
    if (offers.length === 0) return;
    const offer = weakest(offers);
    const topic = this.#topics.get(name);
    if (!topic) {
      this.#add(name, type, offers, offer);
      return;
    }
    this.#writer.updateOffers(topic.channelId, offers);
    if ((topic.offer.reliable && !offer.reliable) || (topic.offer.transientLocal && !offer.transientLocal)) {
      this.#lostBefore += topic.listener.lost.count;
      topic.listener.lost.release();
      this.#node.destroySubscription(topic.listener.subscription);
      topic.offer = offer;
      topic.listener = this.#listen(topic.name, topic.type, topic.channelId, offer);
    }
  }

  #isWanted(name: string): boolean {
    if (this.#wanted) return this.#wanted.includes(name);
    return !name.split('/').some((part) => part.startsWith('_'));
  }

  #offers(name: string): OfferedQos[] {
    return this.#publishers(name).map(({ qos_profile: { history, depth, reliability, durability } }) => ({
      reliable: reliability !== BEST_EFFORT,
      transientLocal: durability === TRANSIENT_LOCAL,
      depth: history === KEEP_LAST ? depth : 0,
    }));
  }

  #publishers(name: string): readonly Endpoint[] {
    try {
      return this.#node.getPublishersInfoByTopic(name);
    } catch (error) {
      // rclnodejs says "error not set" of a name that is none in ROS: /front-camera, of a program that speaks DDS alone.
      throw new Error('its publishers cannot be asked for; ROS may not take such a name', { cause: error });
    }
  }

  #add(name: string, type: string, offers: readonly OfferedQos[], offer: OfferedQos): void {
    const definition = messageDefinition(type);
    if (definition === undefined)
      throw new Error(`the .msg file of ${type}, or of one in it, is not installed here or cannot be read`);
    const channelId = this.#writer.addChannel(name, { type, definition }, offers);
    this.#topics.set(name, { name, type, channelId, offer, listener: this.#listen(name, type, channelId, offer) });
  }

  #listen(name: string, type: string, channelId: number, { reliable, transientLocal }: OfferedQos): Listener {
    const options = {
      qos: qos(reliable ? 'reliable' : 'best_effort', QUEUE_DEPTH, transientLocal),
      isRaw: true,
    } as const;
    const subscription = this.#node.createSubscription(type, name, options, (message) => {
      if (isEnding()) return;
      const { sec, nanosec } = this.#node.now().toMsg();
      if (!this.#heard.has(name)) this.#hear(name, channelId);
      this.#writer.add(channelId, BigInt(sec) * 1_000_000_000n + BigInt(nanosec), message);
    });
    return { subscription, lost: new LostMessages(subscription) };
  }

  /** The first message of a latched topic comes as soon as one of its publishers is found: by now more of them may be. */
  #hear(name: string, channelId: number): void {
    this.#heard.add(name);
    const offers = this.#offers(name);
    if (offers.length > 0) this.#writer.updateOffers(channelId, offers);
  }
}

/** What every publisher offers at least: a subscription that asks for more gets nothing of the others. */
function weakest(offers: readonly OfferedQos[]): OfferedQos {
  return {
    reliable: offers.every(({ reliable }) => reliable),
    transientLocal: offers.every(({ transientLocal }) => transientLocal),
    depth: 0,
  };
}

/** A line that stays in its place on a terminal, else one every ten seconds. */
class Progress {
  readonly #timer: NodeJS.Timeout;

  constructor(recorder: Recorder, writer: McapFileWriter) {
    const terminal = process.stderr.isTTY;
    const show = (): void => {
      const missing = recorder.missing();
      const waiting = missing.length > 0 ? `; waiting for ${missing.join(', ')}` : '';
      const line = `record: ${recorder.summary()}${waiting}`;
      process.stderr.write(terminal ? `\r\x1b[K${line}` : `${line}\n`);
    };
    process.stderr.write(`record: to ${writer.path}; Ctrl-C ends it\n`);
    this.#timer = setInterval(show, terminal ? 500 : 10_000);
  }

  stop(): void {
    clearInterval(this.#timer);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}
