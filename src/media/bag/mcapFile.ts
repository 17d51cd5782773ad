/** MCAP files (mcap.dev/spec) by the official library: by their index, or from start to end where there is none. */
import { open, type FileHandle } from 'node:fs/promises';
import type { McapIndexedReader } from '@mcap/core' with { 'resolution-mode': 'import' };
import { FrameSourceError } from '../frame';
import { BagDamageError, describe, typeName, type BagFile, type BagMessage, type BagTopic } from './bagFile';
import type { Decompressors } from './decompression';

const READ_BYTES = 1 << 20;
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

interface Channel {
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
}

type TopicMap = Map<string, { type: string; encoding: string; messageCount?: number }>;

function topicList(topics: TopicMap): BagTopic[] {
  return Array.from(topics, ([name, { type, messageCount }]) => ({ name, type, messageCount }));
}

/** Every record of the file from its start; needs no index. */
async function* streamMessages(
  path: string,
  handle: FileHandle,
  decompressHandlers: Decompressors,
): AsyncGenerator<{ channel: Channel; logTime: bigint; data: Uint8Array } | { channel: Channel }> {
  const { McapStreamReader } = await import('@mcap/core');
  const reader = new McapStreamReader({ decompressHandlers });
  const schemas = new Map<number, string>();
  const channels = new Map<number, Channel>();
  const piece = new Uint8Array(READ_BYTES);
  let messages = 0;
  const damaged = (what: string) =>
    new BagDamageError(path, `${what}; the ${messages} messages before it were read. ros2 bag reindex or mcap recover`);
  for (let offset = 0; !reader.done();) {
    const { bytesRead } = await handle.read(piece, 0, READ_BYTES, offset);
    if (bytesRead === 0) throw damaged(`the MCAP file ends in the middle of a record, at byte ${offset}`);
    offset += bytesRead;
    try {
      reader.append(piece.subarray(0, bytesRead));
    } catch (error) {
      throw damaged(`MCAP record before byte ${offset}: ${describe(error)}`);
    }
    for (;;) {
      let record;
      try {
        record = reader.nextRecord();
      } catch (error) {
        throw damaged(`MCAP record before byte ${offset}: ${describe(error)}`);
      }
      if (!record) break;
      if (record.type === 'Schema') schemas.set(record.id, typeName(record.name));
      else if (record.type === 'Channel') {
        const { topic, messageEncoding: encoding } = record;
        const channel = { topic, type: schemas.get(record.schemaId) ?? '', encoding };
        channels.set(record.id, channel);
        yield { channel };
      } else if (record.type === 'Message') {
        messages++;
        yield { channel: channels.get(record.channelId)!, logTime: record.logTime, data: record.data };
      }
    }
  }
}

/** The index at the file's end; undefined where there is none to go by: cut off, or written without chunks. */
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
    return reader.chunkIndexes.length > 0 ? reader : undefined;
  } catch {
    return undefined; // the streaming pass says what is wrong, and where
  }
}

function indexedTopics(reader: McapIndexedReader): TopicMap {
  const topics: TopicMap = new Map();
  const { statistics } = reader;
  for (const { id, topic, schemaId, messageEncoding: encoding } of reader.channelsById.values()) {
    const type = typeName(reader.schemasById.get(schemaId)?.name ?? '');
    const count = statistics && Number(statistics.channelMessageCounts.get(id) ?? 0n);
    const before = topics.get(topic)?.messageCount ?? 0;
    topics.set(topic, { type, encoding, messageCount: count === undefined ? undefined : before + count });
  }
  return topics;
}

/** @throws FrameSourceError when not even the file's beginning can be read */
export async function openMcapFile(path: string, decompressors: Decompressors): Promise<BagFile> {
  const handle = await open(path);
  try {
    const index = await readIndex(handle, decompressors);
    const topics: TopicMap = index ? indexedTopics(index) : new Map();
    if (!index) {
      try {
        for await (const { channel } of streamMessages(path, handle, decompressors)) topics.set(channel.topic, channel);
      } catch (error) {
        // Reading the messages will meet the same damage and report it; without a topic there is nothing to read.
        if (topics.size === 0) throw error;
      }
    }

    async function* messages(wanted: ReadonlySet<string>): AsyncGenerator<BagMessage> {
      for (const topic of wanted) {
        const encoding = topics.get(topic)?.encoding ?? CDR;
        if (encoding !== CDR)
          throw new FrameSourceError(path, `topic ${topic} is encoded as "${encoding}"; only CDR (ROS 2) can be read`);
      }
      if (!index) {
        for await (const record of streamMessages(path, handle, decompressors)) {
          if (!('data' in record) || !wanted.has(record.channel.topic)) continue;
          yield { topic: record.channel.topic, receivedNs: record.logTime, cdr: record.data };
        }
        return;
      }
      const records = index.readMessages({ topics: [...wanted] });
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

    return { path, topics: topicList(topics), messages, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
