/** MCAP files (mcap.dev/spec) by the official library: by their index, or from start to end where there is none. */
import { open, type FileHandle } from 'node:fs/promises';
import type { McapIndexedReader } from '@mcap/core' with { 'resolution-mode': 'import' };
import { FrameSourceError } from '../frame';
import { BagDamageError, describe, type BagFile, type BagMessage, type BagTopic, type TimeRange } from './bagFile';
import type { Decompressors } from './decompression';
import { mcapChannel, streamMcap, type McapChannel } from './mcapStream';

const CDR = 'cdr';

/** The library's way to read at random. */
class HandleReadable {
  constructor(private readonly handle: FileHandle) {}

  async size(): Promise<bigint> {
    return BigInt((await this.handle.stat()).size);
  }

  async read(offset: bigint, size: bigint): Promise<Uint8Array> {
    const bytes = new Uint8Array(Number(size));
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await this.handle.read(bytes, done, bytes.length - done, Number(offset) + done);
      if (bytesRead === 0) throw new Error(`the file ends ${bytes.length - done} bytes before byte ${offset + size}`);
      done += bytesRead;
    }
    return bytes;
  }
}

type TopicMap = Map<string, McapChannel & { messageCount?: number }>;

function topicList(topics: TopicMap): BagTopic[] {
  return Array.from(topics, ([name, { type, encoding, offeredQos, messageCount }]) => {
    const foreign = encoding === CDR ? {} : { foreignEncoding: encoding };
    return { name, type, messageCount, ...(offeredQos ? { offeredQos } : {}), ...foreign };
  });
}

/** Its messages are not indexed, which the specification leaves to the writer (noMessageIndex): the library takes that for damage. */
const isUnindexed = ({ messageIndexLength, messageEndTime }: McapIndexedReader['chunkIndexes'][number]): boolean =>
  messageIndexLength === 0n && messageEndTime > 0n; // 0 where it has schemas and channels alone

/** The index at the file's end; undefined where there is none to go by: cut off, or written without chunks or without an index of their messages. */
async function readIndex(
  handle: FileHandle,
  decompressHandlers: Decompressors,
): Promise<McapIndexedReader | undefined> {
  const core = await import('@mcap/core');
  try {
    const reader = await core.McapIndexedReader.Initialize({
      readable: new HandleReadable(handle),
      decompressHandlers,
    });
    const { chunkIndexes } = reader;
    return chunkIndexes.length > 0 && !chunkIndexes.some(isUnindexed) ? reader : undefined;
  } catch {
    return undefined; // the streaming pass says what is wrong, and where
  }
}

function indexedTopics(reader: McapIndexedReader): TopicMap {
  const topics: TopicMap = new Map();
  const { statistics } = reader;
  for (const record of reader.channelsById.values()) {
    const channel = mcapChannel(record, reader.schemasById.get(record.schemaId)?.name ?? '');
    const count = statistics && Number(statistics.channelMessageCounts.get(record.id) ?? 0n);
    const before = topics.get(channel.topic)?.messageCount ?? 0;
    topics.set(channel.topic, { ...channel, messageCount: count === undefined ? undefined : before + count });
  }
  return topics;
}

const earlier = (a: bigint | undefined, b: bigint): bigint => (a === undefined || b < a ? b : a);

interface Contents {
  readonly topics: TopicMap;
  readonly startNs?: bigint;
  /** What the file lacks. */
  readonly caveat?: FrameSourceError;
}

function indexedContents(index: McapIndexedReader): Contents {
  let startNs: bigint | undefined;
  for (const { messageStartTime, messageIndexLength } of index.chunkIndexes)
    if (messageIndexLength > 0n) startNs = earlier(startNs, messageStartTime); // others have no messages, and time 0
  return { topics: indexedTopics(index), startNs };
}

/** Reads the whole file, which alone tells what is in it. */
async function streamedContents(path: string, handle: FileHandle, decompressors: Decompressors): Promise<Contents> {
  const topics: TopicMap = new Map();
  let startNs: bigint | undefined;
  try {
    for await (const item of streamMcap(path, handle, decompressors)) {
      if ('logTime' in item) startNs = earlier(startNs, item.logTime);
      else topics.set(item.channel.topic, item.channel);
    }
  } catch (error) {
    // Reading the messages will meet the same damage; without a topic there is nothing to read.
    if (!(error instanceof BagDamageError) || topics.size === 0) throw error;
    return { topics, startNs, caveat: error };
  }
  const caveat =
    'has no index: its recording was not ended, or it was written without one. It is read from start to end';
  return { topics, startNs, caveat: new FrameSourceError(path, caveat) };
}

/** @throws FrameSourceError when not even the file's beginning can be read */
export async function openMcapFile(path: string, decompressors: Decompressors): Promise<BagFile> {
  const handle = await open(path);
  try {
    const index = await readIndex(handle, decompressors);
    const contents = index ? indexedContents(index) : await streamedContents(path, handle, decompressors);
    const { topics, startNs, caveat } = contents;

    async function* messages(
      wanted: ReadonlySet<string>,
      { fromNs, beforeNs }: TimeRange = {},
    ): AsyncGenerator<BagMessage> {
      for (const topic of wanted) {
        const encoding = topics.get(topic)?.encoding ?? CDR;
        if (encoding !== CDR)
          throw new FrameSourceError(path, `topic ${topic} is encoded as "${encoding}"; only CDR (ROS 2) can be read`);
      }
      if (!index) {
        for await (const item of streamMcap(path, handle, decompressors)) {
          if (!('logTime' in item) || !wanted.has(item.channel.topic)) continue;
          const { logTime, data } = item;
          if ((fromNs !== undefined && logTime < fromNs) || (beforeNs !== undefined && logTime >= beforeNs)) continue;
          yield { topic: item.channel.topic, receivedNs: logTime, cdr: data };
        }
        return;
      }
      const endTime = beforeNs === undefined ? undefined : beforeNs - 1n;
      const records = index.readMessages({ topics: [...wanted], startTime: fromNs, endTime });
      for (let count = 0; ; count++) {
        let next;
        try {
          next = await records.next();
        } catch (error) {
          throw new BagDamageError(path, `damaged after ${count} of the messages asked for: ${describe(error)}`);
        }
        if (next.done) return;
        const { channelId, logTime, data } = next.value;
        yield { topic: index.channelsById.get(channelId)!.topic, receivedNs: logTime, cdr: data };
      }
    }

    return { path, topics: topicList(topics), startNs, caveat, messages, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
