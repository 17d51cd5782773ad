/**
 * Bags cut off by a copy that stopped, a full disk, a recorder that was killed: MCAP at every byte of its last chunk and of all that follows it, sqlite3 all over its
 * second half.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BagDamageError, openBag } from '../../../src/media/bag/bag';
import { McapFileWriter, type ChunkCompression } from '../../../src/media/bag/mcapWriter';
import { cdr, imageMessage, twistMessage, writeSqlite } from '../../support/bagWriter';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-cut-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const CHUNK = 6;
const MESSAGE = 5;
const MESSAGE_INDEX = 7;
const INDEX_ENTRY = 16;
/** Bytes before the records of an uncompressed chunk. */
const CHUNK_HEAD = 49;

interface Read {
  messages: string[];
  error?: Error;
  caveat?: string;
}

async function read(path: string): Promise<Read> {
  const messages: string[] = [];
  try {
    const bag = await openBag(path);
    const caveat = bag.caveats.map(({ message }) => message).join();
    try {
      const all = bag.messages(bag.topics.map(({ name }) => name));
      for await (const { topic, receivedNs, cdr } of all)
        messages.push(`${topic} ${receivedNs} ${Buffer.from(cdr).toString('base64')}`);
      return { messages, caveat };
    } catch (error) {
      return { messages, caveat, error: error as Error };
    } finally {
      await bag.close();
    }
  } catch (error) {
    return { messages, error: error as Error };
  }
}

/** From the records alone: where each message is whole, in a compressed chunk at the chunk's end; and where the last chunk begins. */
function layout(path: string): { ends: number[]; lastChunk: number } {
  const bytes = readFileSync(path);
  const ends: number[] = [];
  let [lastChunk, compressed] = [0, false];
  let chunkEnd = 0;
  for (let at = 8; at < bytes.length - 8;) {
    const end = at + 9 + Number(bytes.readBigUInt64LE(at + 1));
    if (bytes[at] === CHUNK) {
      [lastChunk, chunkEnd] = [at, end];
      compressed = bytes.readUInt32LE(at + 37) > 0;
      for (let record = at + CHUNK_HEAD; record < end && !compressed;) {
        const recordEnd = record + 9 + Number(bytes.readBigUInt64LE(record + 1));
        if (bytes[record] === MESSAGE) ends.push(recordEnd);
        record = recordEnd;
      }
    } else if (bytes[at] === MESSAGE_INDEX && compressed) {
      ends.push(...Array<number>(bytes.readUInt32LE(at + 11) / INDEX_ENTRY).fill(chunkEnd));
    }
    at = end;
  }
  return { ends, lastChunk };
}

const PER_CHUNK = 3;
const CHUNKS = 4;

/** A file of `CHUNKS` small chunks, as it is before or after its end; the last one brings a topic of its own. */
async function writeFile(path: string, compression: ChunkCompression, ended: boolean): Promise<void> {
  const inWork = join(folder, 'work.mcap');
  const writer = await McapFileWriter.create(inWork, { compression, overwrite: true });
  const schema = { type: 'geometry_msgs/msg/TwistStamped', definition: 'std_msgs/Header header\n' };
  const first = writer.addChannel('/speed', schema, []);
  const late = writer.addChannel('/late', schema, []);
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    for (let i = 0; i < PER_CHUNK; i++) {
      const seconds = 100 + chunk * PER_CHUNK + i;
      const channel = chunk === CHUNKS - 1 && i > 0 ? late : first;
      writer.add(channel, BigInt(seconds) * 1_000_000_000n, cdr(twistMessage('/speed', seconds, seconds / 8)));
    }
    await writer.flush();
  }
  if (!ended) copyFileSync(inWork, path);
  await writer.close();
  if (ended) copyFileSync(inWork, path);
}

const FIXTURES = join(__dirname, '../../fixtures/bags');
const files: [string, (path: string) => Promise<void>][] = [
  ['written to its end, not compressed', (path) => writeFile(path, 'none', true)],
  ['written to its end, zstd', (path) => writeFile(path, 'zstd', true)],
  ['of a recorder that was killed', (path) => writeFile(path, 'none', false)],
  ["by mcap's Python library, lz4", async (path) => copyFileSync(join(FIXTURES, 'chunks_lz4.mcap'), path)],
];

test.each(files)(
  'a file %s: every message before the cut, nothing else, and the file is named',
  async (_, write) => {
    const path = join(folder, 'cut.mcap');
    await write(path);
    const whole = await read(path);
    expect(whole.error).toBeUndefined();
    const { ends, lastChunk } = layout(path);
    expect(ends).toHaveLength(whole.messages.length);
    const inFileOrder = new Set(whole.messages);

    const size = statSync(path).size;
    expect(size - lastChunk).toBeGreaterThan(200);
    for (let cut = size - 1; cut >= lastChunk; cut--) {
      truncateSync(path, cut);
      const { messages, error, caveat } = await read(path);
      const complete = ends.filter((end) => end <= cut).length;
      const right = messages.length === complete && messages.every((message) => inFileOrder.has(message));
      const named = error instanceof BagDamageError && error.message.includes(path) && caveat?.includes(path);
      if (!right || !named || new Set(messages).size !== messages.length)
        throw new Error(
          `cut at byte ${cut} of ${size}: ${messages.length} of ${complete} messages; ${error}; ${caveat}`,
        );
    }
  },
  120_000,
);

test('sqlite3: whole messages from the beginning on, nothing that reaches into a missing part, and the file is named', async () => {
  const path = join(folder, 'cut.db3');
  // Rows that share a page, and rows over many pages, which SQLite would fill up with zeros.
  const messages = Array.from({ length: 60 }, (_, i) => [
    twistMessage('/speed', 10 + i, i),
    ...(i % 3 === 0 ? [imageMessage('/cam', 10.5 + i, 64, 48)] : []),
  ]).flat();
  writeSqlite(path, messages);
  const whole = (await read(path)).messages;
  expect(whole).toHaveLength(80);
  const size = statSync(path).size;
  let least = 80;
  for (let cut = size - 1; cut > size / 2; cut -= 61) {
    truncateSync(path, cut);
    const { messages: found, error, caveat } = await read(path);
    const right = found.every((message, i) => message === whole[i]) && found.length > (80 * cut) / size - 10;
    const named = error instanceof BagDamageError && error.message.includes(path) && caveat?.includes(path);
    if (!right || !named)
      throw new Error(`cut at byte ${cut} of ${size}: ${found.length} messages; ${error}; ${caveat}`);
    least = Math.min(least, found.length);
  }
  expect(least).toBeLessThan(40);
}, 120_000);
