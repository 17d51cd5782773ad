/**
 * A ROS 2 bag as it was recorded: every message's bytes at its time of reception, under its own topic, with the quality of service that was offered
 * then. Nothing is decoded, and memory does not grow with the bag.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openBag, type Bag, type BagMessage, type BagTopic } from '../media/bag/bag';
import { BagClock } from './bagClock';
import { Pacer } from './pacer';
import type { ReplayParameters } from './replayParameters';
import { isEnding, onEnd } from './ros/endOnSignal';
import { fullTypeName, isInstalled } from './ros/messageDefinitions';
import { ParameterError } from './ros/parameters';
import { qos, type Publisher, type Qos, type Reliability, type RosNode } from './ros/rclnodejs';
import { ThrottledLog } from './ros/throttledLog';

const SUBSCRIBER_POLL_MS = 20;
/** Subscriptions are found one after another: so long nobody new must have come. */
const SETTLED_MS = 300;
/** Latched by definition, also where no quality of service was recorded. */
const STATIC_TRANSFORMS = '/tf_static';
/**
 * Of /tf_static at least so many messages are kept for those who come late: it has many publishers, one message each, of which a bag knows those that were
 * found when its recorder subscribed.
 */
const LATCHED_DEPTH = 100;
/** Kept for those who are slow, and of other latched topics for those who come late where the bag says no depth. */
const DEPTH = 10;
/** Between two passes of a loop at least: whatever was recorded, a loop must not flood its subscribers. */
const LEAST_TURN_MS = 100;

/** Returns what was played. @throws ParameterError, FrameSourceError */
export async function playBag(node: RosNode, parameters: ReplayParameters): Promise<string> {
  const { source, loop, rate, startSeconds, clockHz } = parameters;
  const bag = await openBag(source);
  onEnd(() => bag.close());
  const log = new ThrottledLog(node.getLogger());
  for (const caveat of bag.caveats) log.warnOnce(caveat.path, caveat.message);
  const topics = chooseTopics(bag, parameters, log);
  const publishers = createPublishers(node, topics, parameters.reliability, log);
  if (publishers.size === 0) throw new ParameterError(`${source}: nothing to play; it has ${describe(bag.topics)}`);
  const clock = clockHz > 0 ? new BagClock(node, clockHz, log) : undefined;
  node.spin();
  node.getLogger().info(`${source}: ${[...publishers.values()].map(({ topic }) => topic).join(', ')}`);

  if (parameters.waitForSubscriber) await subscribed([...publishers.values()]);
  const originNs = bag.startNs ?? 0n;
  const fromNs = originNs + nanoseconds(startSeconds);
  const onDamage = (error: Error & { path: string }): void => log.warnOnce(error.path, error.message);
  const publish = ({ topic, cdr }: BagMessage): void =>
    publishers.get(topic)!.publish(Buffer.from(cdr.buffer as ArrayBuffer, cdr.byteOffset, cdr.byteLength));

  let published = 0;
  let unreadable = 0;
  const onUnreadable = (error: Error & { path: string }): void => {
    unreadable++;
    log.warnOnce(`messages of ${error.path}`, `${error.message}; it is left out, and so are others like it`);
  };
  do {
    const before = published;
    const latched = startSeconds > 0 ? topics.filter(isLatched).map(({ name }) => name) : [];
    for await (const message of bag.messages(latched, { beforeNs: fromNs, onDamage, onUnreadable })) {
      if (!isEnding() && publishers.has(message.topic)) publish(message);
    }
    const pacer = new Pacer(rate, startSeconds, (seconds) =>
      log.warnOnce('gap', `${source}: ${describeGap(seconds)} without a message are skipped`),
    );
    clock?.follow(() => originNs + nanoseconds(pacer.position()));
    let playedSeconds = 0;
    for await (const message of bag.messages([...publishers.keys()], { fromNs, onDamage, onUnreadable })) {
      if (isEnding()) break;
      playedSeconds = await pacer.until(Number(message.receivedNs - originNs) / 1e9);
      if (isEnding()) break;
      publish(message);
      published++;
    }
    if (published === before && !isEnding())
      throw new ParameterError(`${source}: no message from start ${startSeconds} s on`);
    if (loop && rate > 0 && !isEnding()) await sleep(turnMs(playedSeconds, published - before));
  } while (loop && !isEnding());
  clock?.stop();
  return `${published} messages${unreadable > 0 ? `, ${unreadable} damaged ones left out` : ''}`;
}

/** How long after its last message a bag begins again: its mean interval between two, as it was played. */
const turnMs = (playedSeconds: number, messages: number): number =>
  Math.max(LEAST_TURN_MS, (playedSeconds / Math.max(1, messages - 1)) * 1000);

const nanoseconds = (seconds: number): bigint => BigInt(Math.round(seconds * 1e9));

/** As of a clock that was set while recording. */
const describeGap = (seconds: number): string =>
  seconds > 86_400 ? `${(seconds / 86_400).toFixed(1)} days` : `${seconds.toFixed(0)} s`;

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const describe = (topics: readonly BagTopic[]): string =>
  topics.map(({ name, type }) => `${name} (${type})`).join(', ') || 'no topics';

/** Those of parameter `topics`, or all, that can be played. */
function chooseTopics(bag: Bag, { source, topics: names, clockHz }: ReplayParameters, log: ThrottledLog): BagTopic[] {
  const wanted = names.map((name) => (name.startsWith('/') ? name : `/${name}`));
  const missing = wanted.filter((name) => !bag.topics.some((topic) => topic.name === name));
  if (missing.length > 0)
    throw new ParameterError(
      `parameter topics: ${source} has no ${missing.join(', ')}; it has ${describe(bag.topics)}`,
    );
  let topics = bag.topics.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const leaveOut = (why: string, which: (topic: BagTopic) => boolean): void => {
    const left = topics.filter(which);
    if (left.length > 0) log.warnOnce(why, `${source}: left out, ${why}: ${describe(left)}`);
    topics = topics.filter((topic) => !left.includes(topic));
  };
  leaveOut('not CDR', ({ foreignEncoding }) => foreignEncoding !== undefined);
  leaveOut('types that are not installed here', ({ type }) => !isInstalled(type));
  if (clockHz > 0) leaveOut('the parameter clock is in its place', ({ name }) => name === BagClock.topic);
  return topics;
}

function isLatched({ name, offeredQos }: BagTopic): boolean {
  return offeredQos ? offeredQos.some(({ transientLocal }) => transientLocal) : name === STATIC_TRANSFORMS;
}

/** What serves every subscriber that one of the recorded publishers served. */
function playedQos(topic: BagTopic, unrecorded: Reliability): Qos {
  const { offeredQos } = topic;
  const reliable = offeredQos ? offeredQos.some((offer) => offer.reliable) : unrecorded === 'reliable';
  const depths = (offeredQos ?? []).map(({ depth }) => depth);
  const latched = isLatched(topic);
  // Of a map's publisher, of depth 1, a late subscriber is to get the newest map alone.
  const kept = depths.length === 0 || depths.includes(0) ? DEPTH * Math.max(1, depths.length) : sum(depths);
  const latchedDepth = topic.name === STATIC_TRANSFORMS ? Math.max(LATCHED_DEPTH, kept) : kept;
  return qos(reliable ? 'reliable' : 'best_effort', latched ? latchedDepth : Math.max(DEPTH, ...depths), latched);
}

function createPublishers(
  node: RosNode,
  topics: readonly BagTopic[],
  reliability: Reliability,
  log: ThrottledLog,
): Map<string, Publisher> {
  const publishers = new Map<string, Publisher>();
  for (const topic of topics) {
    const { name, type } = topic;
    try {
      const options = { qos: playedQos(topic, reliability) };
      publishers.set(name, node.createPublisher(fullTypeName(type), name, options));
    } catch (error) {
      log.warnOnce(name, `${name} (${type}) is left out: ${(error as Error).message}`);
    }
  }
  return publishers;
}

/** Somebody subscribes, and everybody who is about to has been found. */
async function subscribed(publishers: readonly Publisher[]): Promise<void> {
  for (let [count, sinceMs] = [0, 0]; !isEnding(); await sleep(SUBSCRIBER_POLL_MS)) {
    const now = publishers.reduce((sum, { subscriptionCount }) => sum + subscriptionCount, 0);
    if (now !== count) [count, sinceMs] = [now, performance.now()];
    else if (count > 0 && performance.now() - sinceMs > SETTLED_MS) return;
  }
}
