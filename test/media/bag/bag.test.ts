/** Bags written by rosbags and by the mcap library (scripts/fixtures/make_bag_fixtures.py), read here and by rosbags; and damaged ones. */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import referee from '../../fixtures/bags/referee.json';
import { BagDamageError, BagMessageError, isBag, openBag, type BagMessage } from '../../../src/media/bag/bag';
import { readMessage, type MessageType } from '../../../src/media/bag/messages';
import {
  cameraInfoMessage,
  cdr,
  damageSqliteMessage,
  imageMessage,
  makeBagFolder,
  twistMessage,
  writeMcap,
  writeSqlite,
} from '../../support/bagWriter';

const FIXTURES = join(__dirname, '../../fixtures/bags');
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-bag-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What the referee wrote down, by our readers. */
function row(type: string, { topic, receivedNs, cdr }: BagMessage): Record<string, unknown> {
  const message = readMessage(type as Exclude<MessageType, 'tf2_msgs/TFMessage'>, cdr);
  const { sec, nanosec } = message.header.stamp;
  const fields: Record<string, unknown> = {
    topic,
    type,
    received: String(receivedNs),
    stamp: `${sec}.${String(nanosec).padStart(9, '0')}`,
    cdr: sha256(cdr),
  };
  for (const field of ['encoding', 'step', 'width', 'height', 'format'] as const) {
    if (field in message) fields[field] = (message as unknown as Record<string, unknown>)[field];
  }
  if ('data' in message) fields.data = sha256(message.data);
  return fields;
}

async function readAll(path: string): Promise<Record<string, unknown>[]> {
  const bag = await openBag(path);
  const types = new Map(bag.topics.map(({ name, type }) => [name, type]));
  const rows = [];
  for await (const message of bag.messages([...types.keys()])) rows.push(row(types.get(message.topic)!, message));
  await bag.close();
  return rows;
}

/** Messages received at one moment come in any order. */
const inOrder = (rows: { topic: string; received: string }[]) =>
  [...rows].sort((a, b) => `${a.received} ${a.topic}`.localeCompare(`${b.received} ${b.topic}`));

const BAGS = ['mcap', 'mcap_zstd', 'sqlite3', 'sqlite3_message_zstd', 'chunks_lz4.mcap', 'chunks_zstd.mcap'];
const LONE = ['mcap/mcap.mcap', 'sqlite3/sqlite3.db3', 'sqlite3_message_zstd/sqlite3_message_zstd.db3'];

test.each([...BAGS, ...LONE])('%s: every byte, stamp and field is as rosbags reads it', async (name) => {
  const rows = (await readAll(join(FIXTURES, name))) as { topic: string; received: string }[];
  expect(inOrder(rows)).toEqual(inOrder(referee));
  expect(rows.map(({ received }) => received)).toEqual(referee.map(({ received }) => received));
});

test.each(BAGS)('%s: topics with their types and counts', async (name) => {
  const bag = await openBag(join(FIXTURES, name));
  expect(bag.topics.length).toBe(10);
  for (const { name: topic, type, messageCount } of bag.topics) {
    const rows = referee.filter((entry) => entry.topic === topic);
    expect({ type, messageCount }).toEqual({ type: rows[0].type, messageCount: rows.length });
  }
  await bag.close();
});

test('a bag is told by its names', async () => {
  for (const name of [...BAGS, ...LONE]) expect(await isBag(join(FIXTURES, name))).toBe(true);
  expect(await isBag(FIXTURES)).toBe(true); // a folder of .mcap files, as a recorder that was killed leaves it
  expect(await isBag(join(FIXTURES, 'referee.json'))).toBe(false);
  expect(await isBag(join(folder, 'nothing'))).toBe(false);
  expect(await isBag(__dirname)).toBe(false);
});

const image = (i: number) => imageMessage('/cam/image_raw', i, 32, 24);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => image(from + i));

async function received(path: string): Promise<{ stamps: number[]; error?: unknown }> {
  const stamps: number[] = [];
  const bag = await openBag(path);
  try {
    for await (const { receivedNs } of bag.messages(['/cam/image_raw'])) stamps.push(Number(receivedNs / 1000n) / 1e6);
    return { stamps };
  } catch (error) {
    return { stamps, error };
  } finally {
    await bag.close();
  }
}

const count = (n: number) => Array.from({ length: n }, (_, i) => i);

test('the files of a split bag are read in the order of metadata.yaml, else of their numbers', async () => {
  const split = join(folder, 'split');
  makeBagFolder(split, ['split_2.mcap', 'split_10.mcap', 'split_11.db3']);
  await writeMcap(join(split, 'split_2.mcap'), range(0, 3));
  await writeMcap(join(split, 'split_10.mcap'), range(3, 5), { chunks: false });
  writeSqlite(join(split, 'split_11.db3'), range(5, 7), 'WAL');
  expect(await received(split)).toEqual({ stamps: count(7) });
  rmSync(join(split, 'metadata.yaml'));
  expect(await received(split)).toEqual({ stamps: count(7) });
  const bag = await openBag(split);
  // The file without an index does not say how many messages it has.
  expect(bag.topics).toEqual([{ name: '/cam/image_raw', type: 'sensor_msgs/Image', messageCount: undefined }]);
  await bag.close();
});

test('messages of a file come in the order of reception, not of writing', async () => {
  const shuffled = [3, 0, 2, 1].map(image);
  await writeMcap(join(folder, 'shuffled.mcap'), shuffled, { chunkSize: 2500 });
  writeSqlite(join(folder, 'shuffled.db3'), shuffled);
  for (const name of ['shuffled.mcap', 'shuffled.db3']) {
    expect(await received(join(folder, name))).toEqual({ stamps: [0, 1, 2, 3] });
  }
});

test('an MCAP file whose chunks are indexed and whose messages are not is read from start to end', async () => {
  const path = join(folder, 'no_message_index.mcap');
  await writeMcap(path, range(0, 12), { chunkSize: 8000, messageIndex: false });
  const { McapIndexedReader } = await import('@mcap/core');
  const bytes = readFileSync(path);
  const readable = {
    size: async () => BigInt(bytes.length),
    read: async (at: bigint, size: bigint) => new Uint8Array(bytes.subarray(Number(at), Number(at + size))),
  };
  const index = await McapIndexedReader.Initialize({ readable });
  expect(index.chunkIndexes.length).toBeGreaterThan(2);
  expect(index.chunkIndexes.every(({ messageIndexLength }) => messageIndexLength === 0n)).toBe(true);

  expect(await received(path)).toEqual({ stamps: count(12) });
  const bag = await openBag(path);
  expect(bag.startNs).toBe(0n);
  expect(bag.caveats.map(({ message }) => message)).toEqual([
    expect.stringMatching(/has no index: .* written without/),
  ]);
  await bag.close();
});

test('an MCAP file whose first chunk has schemas and channels alone begins at its first message', async () => {
  const path = join(folder, 'chunk_of_channels.mcap');
  const { McapChunkBuilder, McapRecordBuilder } = await import('@mcap/core');
  const [file, index] = [new McapRecordBuilder(), new McapRecordBuilder()];
  const chunk = new McapChunkBuilder({});
  const putChunk = (): void => {
    const { messageStartTime, messageEndTime, buffer: records } = chunk;
    const about = { messageStartTime, messageEndTime, uncompressedSize: BigInt(records.length), compression: '' };
    const chunkStartOffset = BigInt(file.length);
    file.writeChunk({ ...about, uncompressedCrc: 0, records });
    const chunkLength = BigInt(file.length) - chunkStartOffset;
    const messageIndexOffsets = new Map<number, bigint>();
    const indexStart = file.length;
    for (const messages of chunk.indices) {
      if (messages.records.length === 0) continue;
      messageIndexOffsets.set(messages.channelId, BigInt(file.length));
      file.writeMessageIndex(messages);
    }
    const messageIndexLength = BigInt(file.length - indexStart);
    const where = { chunkStartOffset, chunkLength, messageIndexOffsets, messageIndexLength };
    index.writeChunkIndex({ ...about, ...where, compressedSize: BigInt(records.length) });
    chunk.reset();
  };
  file.writeMagic();
  file.writeHeader({ profile: 'ros2', library: 'depthgrad test' });
  const schema = { id: 1, name: 'sensor_msgs/msg/Image', encoding: 'ros2msg', data: new Uint8Array() };
  const channel = { id: 1, schemaId: 1, topic: '/cam/image_raw', messageEncoding: 'cdr', metadata: new Map() };
  chunk.addSchema(schema);
  chunk.addChannel(channel);
  putChunk();
  for (const [sequence, { receivedNs, ...rest }] of range(50, 53).entries()) {
    const data = cdr({ receivedNs, ...rest });
    chunk.addMessage({ channelId: 1, sequence, logTime: receivedNs, publishTime: receivedNs, data });
  }
  putChunk();
  file.writeDataEnd({ dataSectionCrc: 0 });
  const summaryStart = BigInt(file.length);
  file.writeSchema(schema);
  file.writeChannel(channel);
  const summary = Buffer.concat([file.buffer, index.buffer]);
  file.reset();
  file.writeFooter({ summaryStart, summaryOffsetStart: 0n, summaryCrc: 0 });
  file.writeMagic();
  writeFileSync(path, Buffer.concat([summary, file.buffer]));

  const bag = await openBag(path);
  expect({ startNs: bag.startNs, caveats: bag.caveats }).toEqual({ startNs: 50_000_000_000n, caveats: [] });
  await bag.close();
  expect(await received(path)).toEqual({ stamps: [50, 51, 52] });
});

describe('a damaged bag is read up to the damage, and the error names the file:', () => {
  test.each(['mcap', 'mcap without chunks', 'db3'])('%s cut off', async (kind) => {
    const path = join(folder, `cut-${kind.replaceAll(' ', '-')}.${kind.split(' ')[0]}`);
    if (kind === 'db3') writeSqlite(path, range(0, 40));
    else await writeMcap(path, range(0, 40), { chunkSize: 8000, chunks: kind === 'mcap' });
    expect((await received(path)).stamps).toEqual(count(40));
    truncateSync(path, Math.round(statSync(path).size / 2));
    const { stamps, error } = await received(path);
    expect(stamps.length).toBeGreaterThan(14);
    expect(stamps.length).toBeLessThan(21);
    expect(stamps).toEqual(count(stamps.length));
    expect(error).toBeInstanceOf(BagDamageError);
    expect((error as Error).message).toContain(path);
  });

  test('an MCAP chunk with flipped bytes', async () => {
    const path = join(folder, 'flipped.mcap');
    await writeMcap(path, range(0, 40), { chunkSize: 8000 });
    const bytes = readFileSync(path);
    bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 50);
    writeFileSync(path, bytes);
    const { stamps, error } = await received(path);
    expect(stamps.length).toBeGreaterThan(14);
    expect(stamps.length).toBeLessThan(21);
    expect(error).toBeInstanceOf(BagDamageError);
    expect((error as Error).message).toMatch(/flipped\.mcap: damaged after \d+ .*CRC/);
  });

  test('a page of a .db3 with rubbish in it', async () => {
    const path = join(folder, 'page.db3');
    writeSqlite(
      path,
      Array.from({ length: 2000 }, (_, i) => twistMessage('/speed', i, i)),
    );
    const bytes = readFileSync(path);
    const pageBytes = bytes.readUInt16BE(16);
    const LEAF_OF_TABLE = 0x0d;
    const leaves = Array.from({ length: bytes.length / pageBytes }, (_, i) => i * pageBytes).filter(
      (at) => at > 0 && bytes[at] === LEAF_OF_TABLE && bytes.readUInt16BE(at + 3) > 5,
    );
    bytes.fill(0xff, leaves[leaves.length >> 1], leaves[leaves.length >> 1] + pageBytes);
    writeFileSync(path, bytes);
    const bag = await openBag(path);
    expect(bag.topics).toEqual([{ name: '/speed', type: 'geometry_msgs/TwistStamped', messageCount: undefined }]);
    const read: number[] = [];
    const reading = (async () => {
      for await (const { receivedNs } of bag.messages(['/speed'])) read.push(Number(receivedNs / 1_000_000_000n));
    })();
    await expect(reading).rejects.toThrow(/page\.db3: damaged \(.*malformed.*\); \d+ of the messages/);
    expect(read.length).toBeGreaterThan(900);
    expect(read.length).toBeLessThan(1100);
    expect(read).toEqual(count(read.length));
    await bag.close();
  });

  test('a message whose own compression is damaged', async () => {
    const path = join(folder, 'message.db3');
    copyFileSync(join(FIXTURES, LONE[2]), path);
    const whole = await readAll(path);
    damageSqliteMessage(path, '/odom', 3, 'inside');
    damageSqliteMessage(path, '/rgb8/image_raw', 1, 'beginning');
    const bag = await openBag(path);
    const topics = bag.topics.map(({ name }) => name);
    const errors: Error[] = [];
    let read = 0;
    const onUnreadable = (error: Error) => errors.push(error);
    for await (const { topic } of bag.messages(topics, { onUnreadable })) read += topics.includes(topic) ? 1 : 0;
    expect(read).toBe(whole.length - 2);
    const named = (topic: string) => 1 + whole.findIndex((row) => row.topic === topic);
    expect(errors.map(({ message }) => message.replace(folder, ''))).toEqual([
      expect.stringMatching(
        /^\/message\.db3: message \d+ of those asked for, on \/rgb8\/image_raw, is damaged \(it begins neither as CDR nor as zstd/,
      ),
      expect.stringMatching(/^\/message\.db3: message \d+ of those asked for, on \/odom, is damaged \(.*decompress/),
    ]);
    expect(Number(/message (\d+)/.exec(errors[0].message)![1])).toBeGreaterThan(named('/rgb8/image_raw'));
    expect(errors[0]).toBeInstanceOf(BagMessageError);
    const reading = bag.messages(topics)[Symbol.asyncIterator]();
    await expect(async () => {
      while (!(await reading.next()).done);
    }).rejects.toThrow(errors[0].message);
    await bag.close();
  });
});

describe('refuses, naming the path and what to do:', () => {
  const files: [string, Uint8Array | string, RegExp][] = [
    ['empty.mcap', '', /the file is empty/],
    ['text.mcap', 'this is no bag', /neither MCAP nor sqlite3/],
    ['ros1.bag.mcap', '#ROSBAG V2.0\n', /ROS 1 bag; rosbags-convert/],
    ['packed.db3.zstd', Buffer.from('28b52ffd0000', 'hex'), /zstd -d packed\.db3\.zstd/],
    ['begun.mcap', Buffer.from('\x89MCAP0\r\n', 'latin1'), /ends without its footer/],
    ['rubbish.db3', 'SQLite format 3\0'.repeat(100), /not a ROS 2 bag that can be read/],
  ];
  test.each(files)('%s', async (name, content, message) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    await expect(openBag(path)).rejects.toThrow(message);
    await expect(openBag(path)).rejects.toThrow(path);
  });

  test('what is not there, or not in the folder', async () => {
    await expect(openBag(join(folder, 'no-bag'))).rejects.toThrow(/no-bag: no such bag/);
    const gone = join(folder, 'gone');
    makeBagFolder(gone, ['gone_0.mcap']);
    await expect(openBag(gone)).rejects.toThrow(/gone_0\.mcap: no such file, though metadata\.yaml names it/);
    writeFileSync(join(gone, 'metadata.yaml'), 'something: else\n');
    await expect(openBag(gone)).rejects.toThrow(/metadata\.yaml: not a rosbag2 metadata\.yaml/);
    mkdirSync(join(folder, 'hollow'));
    await expect(openBag(join(folder, 'hollow'))).rejects.toThrow(/hollow: no metadata\.yaml, \.mcap or \.db3/);
  });
});

describe('memory does not grow with the bag:', () => {
  const FRAMES = 400;
  const [width, height] = [640, 480];
  const BAG_BYTES = FRAMES * width * height * 3; // 369 MB
  function* messages() {
    yield cameraInfoMessage('/cam/camera_info', 0);
    for (let i = 0; i < FRAMES; i++) yield imageMessage('/cam/image_raw', i, width, height);
  }

  test.each(['mcap', 'mcap without chunks', 'mcap with zstd', 'db3'])('%s', async (kind) => {
    const path = join(folder, `${kind.replaceAll(' ', '-')}.large`);
    const options = { chunkSize: 4 << 20, chunks: !kind.endsWith('chunks'), zstd: kind.endsWith('zstd') };
    if (kind === 'db3') writeSqlite(path, messages());
    else await writeMcap(path, messages(), options);
    const bag = await openBag(path);
    const before = process.memoryUsage().rss;
    let [most, read] = [0, 0];
    for await (const { cdr } of bag.messages(['/cam/image_raw'])) {
      read += cdr.length;
      most = Math.max(most, process.memoryUsage().rss - before);
    }
    await bag.close();
    rmSync(path);
    expect(read).toBeGreaterThan(BAG_BYTES);
    expect(most).toBeLessThan(BAG_BYTES / 3);
  });
});
