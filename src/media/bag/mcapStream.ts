/** MCAP (mcap.dev/spec) from the start of a file to its end: for files without an index, and for those that were cut off. */
import type { FileHandle } from 'node:fs/promises';
import type { TypedMcapRecord, TypedMcapRecords } from '@mcap/core' with { 'resolution-mode': 'import' };
import { BagDamageError, describe, typeName } from './bagFile';
import type { Decompressors } from './decompression';
import { readOfferedQos, type OfferedQos } from './offeredQos';

const READ_BYTES = 1 << 20;
const CHUNK = 0x06;
/** In a chunk record: where the length of its compression's name is, and where the records begin when that name is empty. */
const COMPRESSION_AT = 37;
const RECORDS_AT = 49;

export interface McapChannel {
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  readonly offeredQos?: readonly OfferedQos[];
}

export interface StreamedMessage {
  readonly channel: McapChannel;
  readonly logTime: bigint;
  readonly data: Uint8Array;
}

type ChannelRecord = TypedMcapRecords['Channel'];

export function mcapChannel({ topic, messageEncoding: encoding, metadata }: ChannelRecord, type: string): McapChannel {
  return { topic, type: typeName(type), encoding, offeredQos: readOfferedQos(metadata.get('offered_qos_profiles')) };
}

/** What records mean: channels by the schemas before them, messages by the channels. */
class RecordInterpreter {
  readonly channelRecords = new Map<number, ChannelRecord>();
  messages = 0;
  readonly #schemas = new Map<number, string>();
  readonly #channels = new Map<number, McapChannel>();

  interpret(record: TypedMcapRecord): { channel: McapChannel } | StreamedMessage | undefined {
    if (record.type === 'Schema') this.#schemas.set(record.id, record.name);
    else if (record.type === 'Channel') {
      const channel = mcapChannel(record, this.#schemas.get(record.schemaId) ?? '');
      this.#channels.set(record.id, channel);
      this.channelRecords.set(record.id, record);
      return { channel };
    } else if (record.type === 'Message') {
      this.messages++;
      return { channel: this.#channels.get(record.channelId)!, logTime: record.logTime, data: record.data };
    }
    return undefined;
  }
}

/** The records of a chunk as far as they are there; undefined where it is no chunk, or a compressed one. */
function recordsOfChunk(record: Buffer): Uint8Array | undefined {
  const uncompressed = record.length > RECORDS_AT && record[0] === CHUNK && record.readUInt32LE(COMPRESSION_AT) === 0;
  return uncompressed ? record.subarray(RECORDS_AT) : undefined;
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}

/**
 * Channels and messages in the order of the file; of an uncompressed chunk that is cut off, its whole messages too.
 * @throws BagDamageError where the file cannot be read on, after everything before it
 */
export async function* streamMcap(
  path: string,
  handle: FileHandle,
  decompressHandlers: Decompressors,
): AsyncGenerator<{ channel: McapChannel } | StreamedMessage> {
  const { McapRecordBuilder, McapStreamReader } = await import('@mcap/core');
  const reader = new McapStreamReader({ decompressHandlers });
  const interpreter = new RecordInterpreter();
  const damaged = (what: string) =>
    new BagDamageError(
      path,
      `${what}; the ${interpreter.messages} messages before it were read. ros2 bag reindex or mcap recover`,
    );
  const piece = new Uint8Array(READ_BYTES);
  for (let offset = 0; !reader.done();) {
    const { bytesRead } = await handle.read(piece, 0, READ_BYTES, offset);
    if (bytesRead === 0) {
      const left = reader.bytesRemaining();
      const records = recordsOfChunk(await readAt(handle, offset - left, left));
      if (records) yield* wholeRecords(records);
      const where = left > 0 ? 'in the middle of a record' : 'without its footer';
      throw damaged(`the MCAP file ends ${where}, at byte ${offset}`);
    }
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
      const item = interpreter.interpret(record);
      if (item) yield item;
    }
  }

  function* wholeRecords(records: Uint8Array): Generator<{ channel: McapChannel } | StreamedMessage> {
    const rest = new McapStreamReader({ noMagicPrefix: true });
    const known = new McapRecordBuilder();
    for (const channel of interpreter.channelRecords.values()) known.writeChannel(channel);
    rest.append(known.buffer);
    rest.append(records);
    for (;;) {
      let record;
      try {
        record = rest.nextRecord();
      } catch {
        return; // that the file is damaged is said anyway
      }
      if (!record) return;
      const item = interpreter.interpret(record);
      if (item) yield item;
    }
  }
}
