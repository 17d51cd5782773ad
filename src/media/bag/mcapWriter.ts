/**
 * Writes MCAP (mcap.dev/spec) that is a complete file at every moment: each chunk goes to the disk together with the records that end a file, and the
 * next one is written over them. What is killed while writing leaves a file without an index, which every reader takes, with all but the chunk in work.
 * The library's own writer ends a file in `end` alone, and has no way to write a chunk before it is full.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { McapChunkBuilder, McapRecordBuilder, Statistics, SummaryOffset } from '@mcap/core' with {
  'resolution-mode': 'import',
};
import zstd from '@foxglove/wasm-zstd';
import { FrameSourceError } from '../frame';
import { describe } from './bagFile';
import { writeOfferedQos, type OfferedQos } from './offeredQos';

export type ChunkCompression = 'none' | 'zstd';

/** Chunks are written when they are as large, or `flush` asks for it. */
const CHUNK_BYTES = 1 << 20;
/** Raw camera images hardly get smaller at higher levels, which take the time of the next image. */
const ZSTD_LEVEL = 1;
/** Chunks that wait for the disk; what comes beyond is dropped and counted, for memory is what all the nodes live on. */
const QUEUE_BYTES = 128 << 20;
/** What the disk is given at once: whoever waits for a slow one sees that it takes something. */
const SLICE_BYTES = 1 << 18;
/** Chunk indexes are kept as records of the file, in blocks of about so many bytes: as objects they take five times as much, 75 MB or more an hour of raw images. */
const INDEX_BLOCK_BYTES = 1 << 16;
/** Opcode, length and fields of a footer up to its checksum, which covers them. */
const FOOTER_BYTES_IN_CRC = 25;

/** A ROS message type with the text that defines it. */
export interface MessageSchema {
  /** sensor_msgs/msg/Image */
  readonly type: string;
  /** In ROS 2's .msg language; what it refers to follows, each behind a line of 80 = and a line "MSG: package/Type". */
  readonly definition: string;
}

export interface McapWriterOptions {
  readonly compression: ChunkCompression;
  /** Where there is a file already, replace it. */
  readonly overwrite: boolean;
}

type McapCore = typeof import('@mcap/core', { with: { 'resolution-mode': 'import' } });

export class McapFileWriter {
  readonly path: string;
  /** Messages that did not get into the file because the disk was too slow. */
  dropped = 0;
  readonly #core: McapCore;
  readonly #handle: FileHandle;
  readonly #compression: ChunkCompression;
  readonly #chunk: McapChunkBuilder;
  readonly #schemas = new Map<string, { id: number; schema: MessageSchema }>();
  readonly #channels: {
    id: number;
    schemaId: number;
    topic: string;
    metadata: Map<string, string>;
    written: boolean;
  }[] = [];
  readonly #statistics: Statistics;
  readonly #indexBlocks: Uint8Array[] = [];
  readonly #indexInWork: McapRecordBuilder;
  /** Where the data ends and the end records begin, of all that was handed to the disk. */
  #end = 0;
  #queuedBytes = 0;
  /** Everything but the index is in the file. */
  #isIndexing = false;
  #writing: Promise<void> = Promise.resolve();
  #failure: FrameSourceError | undefined;
  #fail!: (error: FrameSourceError) => void;
  /** Resolves with the error when the file cannot be written on; what was in it by then can be read. */
  readonly failed: Promise<FrameSourceError> = new Promise((resolve) => (this.#fail = resolve));

  /** @throws FrameSourceError when there is a file already, or none can be made */
  static async create(path: string, { compression, overwrite }: McapWriterOptions): Promise<McapFileWriter> {
    const core = await import('@mcap/core');
    await zstd.isLoaded;
    const handle = await open(path, overwrite ? 'w' : 'wx').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw new FrameSourceError(path, 'is there already; --force writes over it');
      throw new FrameSourceError(path, `cannot be written (${error.code ?? error.message})`);
    });
    const writer = new McapFileWriter(path, core, handle, compression);
    const records = new core.McapRecordBuilder();
    records.writeMagic();
    records.writeHeader({ profile: 'ros2', library: 'depthgrad' });
    writer.#append(records.buffer);
    await writer.#writing;
    if (writer.#failure) throw writer.#failure;
    return writer;
  }

  private constructor(path: string, core: McapCore, handle: FileHandle, compression: ChunkCompression) {
    this.path = path;
    this.#core = core;
    this.#handle = handle;
    this.#compression = compression;
    this.#chunk = new core.McapChunkBuilder({});
    this.#indexInWork = new core.McapRecordBuilder();
    this.#statistics = {
      messageCount: 0n,
      schemaCount: 0,
      channelCount: 0,
      attachmentCount: 0,
      metadataCount: 0,
      chunkCount: 0,
      messageStartTime: 0n,
      messageEndTime: 0n,
      channelMessageCounts: new Map(),
    };
  }

  get messages(): number {
    return Number(this.#statistics.messageCount);
  }

  /** Bytes of the file, those that wait for the disk included. */
  get bytes(): number {
    return this.#end;
  }

  /** Those of the file that wait for the disk. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Returns the channel to add the topic's messages by. */
  addChannel(topic: string, schema: MessageSchema, offeredQos: readonly OfferedQos[]): number {
    let known = this.#schemas.get(schema.type);
    if (!known) this.#schemas.set(schema.type, (known = { id: this.#schemas.size + 1, schema }));
    const id = this.#channels.length;
    this.#channels.push({ id, schemaId: known.id, topic, metadata: new Map(), written: false });
    this.updateOffers(id, offeredQos);
    return id;
  }

  /** Publishers are discovered one after another: what they offer can be said anew until the channel's first message is added. */
  updateOffers(channelId: number, offeredQos: readonly OfferedQos[]): void {
    const channel = this.#channels[channelId];
    if (!channel.written) channel.metadata.set('offered_qos_profiles', writeOfferedQos(offeredQos));
  }

  /** `cdr` is copied. */
  add(channelId: number, logTimeNs: bigint, cdr: Uint8Array): void {
    if (this.#failure) return;
    if (this.#queuedBytes > QUEUE_BYTES) {
      this.dropped++;
      return;
    }
    this.#writeChannel(channelId);
    const sequence = Number(this.#statistics.channelMessageCounts.get(channelId)!);
    this.#chunk.addMessage({ channelId, sequence, logTime: logTimeNs, publishTime: logTimeNs, data: cdr });
    this.#count(channelId, logTimeNs);
    if (this.#chunk.byteLength >= CHUNK_BYTES) this.#seal();
  }

  /** Resolves when everything added so far is in the file. */
  async flush(): Promise<void> {
    this.#seal();
    await this.#writing;
  }

  /** Leaves out what waits for the disk, all but the chunk it is taking just now; the file has no index then. It counts as a failure. */
  abandon(): void {
    if (this.#failure) return;
    const waiting = `up to ${(this.#queuedBytes / 1e6).toFixed(1)} MB that waited for the disk are left out`;
    const what = this.#isIndexing
      ? 'the index is left out; the messages are in the file and can be read'
      : `${waiting}; what was written before can be read`;
    this.#giveUp(new FrameSourceError(this.path, what));
  }

  /** Writes the index. @throws FrameSourceError when the file could not be written to its end */
  async close(): Promise<void> {
    await this.flush();
    if (!this.#failure) {
      const records = this.#summary();
      this.#queuedBytes += records.length;
      this.#isIndexing = true;
      await this.#writeQueued(records, [], this.#end);
    }
    await this.#handle.close();
    if (this.#failure) throw this.#failure;
  }

  /** A channel, and its schema, stand before its first message. */
  #writeChannel(channelId: number): void {
    const channel = this.#channels[channelId];
    if (channel.written) return;
    const { id, schema } = [...this.#schemas.values()].find((one) => one.id === channel.schemaId)!;
    if (!this.#channels.some((other) => other.written && other.schemaId === id))
      this.#chunk.addSchema(this.#schemaRecord(id, schema));
    this.#chunk.addChannel({ ...channel, messageEncoding: 'cdr' });
    channel.written = true;
    this.#statistics.channelMessageCounts.set(channelId, 0n);
  }

  #schemaRecord(id: number, { type, definition }: MessageSchema) {
    return { id, name: type, encoding: 'ros2msg', data: Buffer.from(definition) };
  }

  #count(channelId: number, logTime: bigint): void {
    const statistics = this.#statistics;
    const counts = statistics.channelMessageCounts;
    counts.set(channelId, counts.get(channelId)! + 1n);
    if (statistics.messageCount === 0n || logTime < statistics.messageStartTime) statistics.messageStartTime = logTime;
    if (logTime > statistics.messageEndTime) statistics.messageEndTime = logTime;
    statistics.messageCount++;
  }

  /** Hands the chunk in work, with its message index, to the disk. */
  #seal(): void {
    if (this.#chunk.numMessages === 0) return;
    try {
      this.#sealChunk(this.#chunk);
    } catch (error) {
      // Of memory, which compressing takes outside the heap: nothing of the chunk is in the file.
      const why = `a chunk cannot be made (${(error as Error).message})`;
      this.#giveUp(new FrameSourceError(this.path, `${why}; what was recorded before can be read`));
    }
    this.#chunk.reset();
  }

  #sealChunk(chunk: McapChunkBuilder): void {
    const data = chunk.buffer;
    const zipped = this.#compression === 'zstd';
    const records = zipped ? zstd.compress(data, ZSTD_LEVEL) : data;
    const [uncompressedSize, compression] = [BigInt(data.length), zipped ? 'zstd' : ''];
    const { messageStartTime, messageEndTime } = chunk;
    const times = { messageStartTime, messageEndTime };
    const builder = new this.#core.McapRecordBuilder();
    builder.writeChunk({ ...times, uncompressedSize, uncompressedCrc: crc32(data), compression, records });
    const chunkLength = builder.length;
    const messageIndexOffsets = new Map<number, bigint>();
    for (const index of chunk.indices) {
      messageIndexOffsets.set(index.channelId, BigInt(this.#end + builder.length));
      builder.writeMessageIndex(index);
    }
    this.#indexInWork.writeChunkIndex({
      ...times,
      chunkStartOffset: BigInt(this.#end),
      chunkLength: BigInt(chunkLength),
      messageIndexOffsets,
      messageIndexLength: BigInt(builder.length - chunkLength),
      compression,
      compressedSize: BigInt(records.length),
      uncompressedSize,
    });
    if (this.#indexInWork.length > INDEX_BLOCK_BYTES) this.#endIndexBlock();
    this.#statistics.chunkCount++;
    this.#append(builder.buffer);
  }

  #endIndexBlock(): void {
    this.#indexBlocks.push(this.#indexInWork.buffer);
    this.#indexInWork.reset();
  }

  /** Puts records behind the data there is, and a file's end behind them. */
  #append(records: Uint8Array): void {
    const at = this.#end;
    this.#end += records.length;
    this.#queuedBytes += records.length;
    this.#writing = this.#writing.then(() => this.#writeQueued(records, [this.#endRecords()], at));
  }

  /** Writes records that are counted as queued, and counts them off as they get into the file; what stands behind them is not counted. */
  async #writeQueued(records: Uint8Array, behind: readonly Uint8Array[], at: number): Promise<void> {
    let queued = records.length;
    const countOff = (bytes: number): void => {
      const counted = Math.min(bytes, queued);
      queued -= counted;
      this.#queuedBytes -= counted;
    };
    try {
      if (!this.#failure)
        await this.#writeAt([records, ...behind], at, (bytes) => {
          countOff(bytes);
          if (this.#isIndexing && this.#failure) throw this.#failure; // abandoned; a chunk is written to its end
        });
    } catch (error) {
      this.#onError(error as NodeJS.ErrnoException);
      await this.#restoreEnd(at);
    }
    countOff(queued);
  }

  async #writeAt(
    parts: readonly Uint8Array[],
    at: number,
    onSlice: (bytes: number) => void = () => undefined,
  ): Promise<void> {
    const bytes = Buffer.concat(parts);
    for (let done = 0; done < bytes.length;) {
      const length = Math.min(SLICE_BYTES, bytes.length - done);
      const { bytesWritten } = await this.#handle.write(bytes, done, length, at + done);
      done += bytesWritten;
      onSlice(bytesWritten);
    }
  }

  #onError(error: NodeJS.ErrnoException): void {
    const what = error.code === 'ENOSPC' ? 'the disk is full (ENOSPC)' : `cannot be written on (${describe(error)})`;
    this.#giveUp(new FrameSourceError(this.path, `${what}; what was recorded before can be read`));
  }

  /** The first reason counts. */
  #giveUp(failure: FrameSourceError): void {
    this.#failure ??= failure;
    this.#fail(failure);
  }

  /** Takes a chunk, or an index, that got into the file in part out again. Where even that fails, readers find a file that is cut off. */
  async #restoreEnd(at: number): Promise<void> {
    this.#end = at;
    try {
      await this.#handle.truncate(at);
      await this.#writeAt([this.#endRecords()], at);
    } catch {
      // the failure is reported already
    }
  }

  /** Data end, a footer that says there is no index, and the magic. */
  #endRecords(): Uint8Array {
    const builder = new this.#core.McapRecordBuilder();
    builder.writeDataEnd({ dataSectionCrc: 0 });
    builder.writeFooter({ summaryStart: 0n, summaryOffsetStart: 0n, summaryCrc: 0 });
    builder.writeMagic();
    return builder.buffer;
  }

  /** Data end, index and footer. */
  #summary(): Uint8Array {
    const { McapRecordBuilder, Opcode } = this.#core;
    const builder = new McapRecordBuilder();
    const parts: Uint8Array[] = [];
    let at = this.#end;
    const put = (part: Uint8Array): void => {
      parts.push(part);
      at += part.length;
    };
    const encoded = (write: (to: McapRecordBuilder) => void): Uint8Array => {
      builder.reset();
      write(builder);
      return builder.buffer;
    };
    const offsets: SummaryOffset[] = [];
    const group = (groupOpcode: number, records: readonly Uint8Array[]): void => {
      const groupStart = BigInt(at);
      records.forEach(put);
      const groupLength = BigInt(at) - groupStart;
      if (groupLength > 0n) offsets.push({ groupOpcode, groupStart, groupLength });
    };
    const channels = this.#channels.filter(({ written }) => written);
    const schemas = [...this.#schemas.values()].filter(({ id }) => channels.some(({ schemaId }) => schemaId === id));
    const statistics = { ...this.#statistics, schemaCount: schemas.length, channelCount: channels.length };

    put(encoded((to) => to.writeDataEnd({ dataSectionCrc: 0 })));
    const summaryStart = BigInt(at);
    group(
      Opcode.SCHEMA,
      schemas.map(({ id, schema }) => encoded((to) => to.writeSchema(this.#schemaRecord(id, schema)))),
    );
    group(
      Opcode.CHANNEL,
      channels.map((one) => encoded((to) => to.writeChannel({ ...one, messageEncoding: 'cdr' }))),
    );
    group(Opcode.STATISTICS, [encoded((to) => to.writeStatistics(statistics))]);
    this.#endIndexBlock();
    group(Opcode.CHUNK_INDEX, this.#indexBlocks);
    const summaryOffsetStart = BigInt(at);
    for (const offset of offsets) put(encoded((to) => to.writeSummaryOffset(offset)));

    const footer = { summaryStart, summaryOffsetStart, summaryCrc: 0 };
    const inCrc = [...parts.slice(1), encoded((to) => to.writeFooter(footer)).subarray(0, FOOTER_BYTES_IN_CRC)];
    const summaryCrc = inCrc.reduce((crc, part) => crc32(part, crc), 0);
    put(encoded((to) => to.writeFooter({ ...footer, summaryCrc })));
    put(encoded((to) => to.writeMagic()));
    return Buffer.concat(parts);
  }
}
