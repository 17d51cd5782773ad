/** What the writer writes, read by our reader and, as another opinion, by rosbags and mcap-ros2-support. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import zstd from '@foxglove/wasm-zstd';
import { openBag } from '../../../src/media/bag/bag';
import { McapFileWriter, type ChunkCompression } from '../../../src/media/bag/mcapWriter';
import { readByMcapRos2, readByRosbags } from '../../support/bagReaders';
import { cdr, imageMessage, twistMessage, type WrittenMessage } from '../../support/bagWriter';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-mcap-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LINE = '='.repeat(80);
const HEADER = `${LINE}\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n${LINE}\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n`;
const IMAGE = `std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\nuint8[] data\n${HEADER}`;
const VECTOR = `${LINE}\nMSG: geometry_msgs/Vector3\nfloat64 x\nfloat64 y\nfloat64 z\n`;
const TWIST = `std_msgs/Header header\nTwist twist\n${LINE}\nMSG: geometry_msgs/Twist\nVector3 linear\nVector3 angular\n${VECTOR}${HEADER}`;

/** Images of .9 MB, more than a chunk in two, and a speed between them. */
function* drive(): Generator<WrittenMessage> {
  for (let i = 0; i < 12; i++) {
    yield imageMessage('/cam/image_raw', 10 + i / 8, 640, 480);
    yield twistMessage('/speed', 10 + i / 8 + 0.01, i);
  }
}

async function write(
  path: string,
  compression: ChunkCompression,
  messages: Iterable<WrittenMessage>,
): Promise<McapFileWriter> {
  const writer = await McapFileWriter.create(path, { compression, overwrite: false });
  const image = { type: 'sensor_msgs/msg/Image', definition: IMAGE };
  const offers = [{ reliable: false, transientLocal: false, depth: 5 }];
  const channels = new Map([['/cam/image_raw', writer.addChannel('/cam/image_raw', image, offers)]]);
  writer.addChannel('/silent', image, []);
  const twist = { type: 'geometry_msgs/msg/TwistStamped', definition: TWIST };
  channels.set('/speed', writer.addChannel('/speed', twist, [{ reliable: true, transientLocal: true, depth: 0 }]));
  for (const message of messages) writer.add(channels.get(message.topic)!, message.receivedNs, cdr(message));
  return writer;
}

const expected = Array.from(drive(), (message) => ({
  topic: message.topic,
  type: message.type.replace('/', '/msg/'),
  ns: `${message.receivedNs}`,
  raw: Buffer.from(cdr(message)).toString('base64'),
}));

const withoutFields = (rows: { topic: string; type: string; ns: string; raw: string }[]) =>
  rows.map(({ topic, type, ns, raw }) => ({ topic, type, ns, raw }));

async function readByUs(path: string) {
  const bag = await openBag(path);
  const types = new Map(bag.topics.map(({ name, type }) => [name, type.replace('/', '/msg/')]));
  const rows = [];
  for await (const { topic, receivedNs, cdr } of bag.messages([...types.keys()]))
    rows.push({ topic, type: types.get(topic)!, ns: `${receivedNs}`, raw: Buffer.from(cdr).toString('base64') });
  await bag.close();
  return { rows, bag };
}

test.each(['none', 'zstd'] as const)(
  '%s: three readers read every message, type, time and offer',
  async (compression) => {
    const path = join(folder, `${compression}.mcap`);
    const writer = await write(path, compression, drive());
    await writer.close();
    expect(writer.messages).toBe(24);
    expect(statSync(path).size < 2e6).toBe(compression === 'zstd');

    const { rows, bag } = await readByUs(path);
    expect(rows).toEqual(expected);
    expect(bag.caveats).toEqual([]);
    expect(bag.startNs).toBe(10_000_000_000n);
    const offeredQos = [{ reliable: false, transientLocal: false, depth: 5 }];
    expect(bag.topics[0]).toEqual({ name: '/cam/image_raw', type: 'sensor_msgs/Image', messageCount: 12, offeredQos });

    const rosbags = readByRosbags(path);
    expect(withoutFields(rosbags.rows)).toEqual(expected);
    expect(rosbags.offers.get('/speed')).toEqual([['RELIABLE', 'TRANSIENT_LOCAL', 'UNKNOWN', 0]]);
    expect(rosbags.offers.get('/cam/image_raw')).toEqual([['BEST_EFFORT', 'VOLATILE', 'KEEP_LAST', 5]]);
    const mcapRos2 = readByMcapRos2(path);
    expect(withoutFields(mcapRos2)).toEqual(expected);
    expect(mcapRos2[1].fields).toEqual(rosbags.rows[1].fields);
  },
);

test('what is offered can be said anew until the first message is there', async () => {
  const path = join(folder, 'offers.mcap');
  const writer = await McapFileWriter.create(path, { compression: 'none', overwrite: false });
  const [found, later, tooLate] = [1, 2, 3].map((depth) => [{ reliable: true, transientLocal: depth > 1, depth }]);
  const channel = writer.addChannel('/speed', { type: 'geometry_msgs/msg/TwistStamped', definition: TWIST }, found);
  writer.updateOffers(channel, later);
  writer.add(channel, 1n, cdr(twistMessage('/speed', 1, 1)));
  writer.updateOffers(channel, tooLate);
  await writer.close();
  expect(readByRosbags(path).offers.get('/speed')).toEqual([['RELIABLE', 'TRANSIENT_LOCAL', 'KEEP_LAST', 2]]);
  const bag = await openBag(path);
  expect(bag.topics[0].offeredQos).toEqual(later);
  await bag.close();
});

test('after a flush the file is whole for every reader, before its end and without one', async () => {
  const path = join(folder, 'flushed.mcap');
  const writer = await write(path, 'zstd', []);
  const [image] = drive();
  writer.add(0, 1n, cdr(image));
  await writer.flush();
  const raw = Buffer.from(cdr(image)).toString('base64');
  const first = { topic: '/cam/image_raw', type: 'sensor_msgs/msg/Image', ns: '1', raw };
  writer.add(0, 2n, cdr(image));
  const seen = readFileSync(path);
  const copy = join(folder, 'killed.mcap');
  writeFileSync(copy, seen);
  expect(withoutFields(readByRosbags(copy).rows)).toEqual([first]);
  expect(withoutFields(readByMcapRos2(copy))).toEqual([first]);
  const { rows, bag } = await readByUs(copy);
  expect(rows).toEqual([first]);
  expect(bag.caveats.map(({ message }) => message)).toEqual([expect.stringMatching(/killed\.mcap: has no index/)]);
  await writer.close();
  expect((await readByUs(path)).rows).toHaveLength(2);
});

test('a range of time is read by the index, by streaming, and of both ends or one', async () => {
  const path = join(folder, 'range.mcap');
  const writer = await write(path, 'none', drive());
  await writer.flush();
  const copy = join(folder, 'range_without_index.mcap');
  writeFileSync(copy, readFileSync(path));
  await writer.close();
  for (const file of [path, copy]) {
    const bag = await openBag(file);
    const times = async (fromNs?: bigint, beforeNs?: bigint) => {
      const found = [];
      const messages = bag.messages(['/speed', '/cam/image_raw'], { fromNs, beforeNs });
      for await (const { receivedNs } of messages) found.push(Number(receivedNs) / 1e9);
      return found;
    };
    expect(await times(10_250_000_000n, 10_375_000_000n)).toEqual([10.25, 10.26]);
    expect(await times(undefined, 10_125_000_000n)).toEqual([10, 10.01]);
    expect(await times(11_375_000_000n)).toEqual([11.375, 11.385]);
    await bag.close();
  }
});

test('a chunk that cannot be compressed is an error; what was written before can be read', async () => {
  const path = join(folder, 'memory.mcap');
  const writer = await write(path, 'zstd', []);
  const message = cdr(twistMessage('/speed', 1, 1));
  writer.add(2, 1n, message);
  await writer.flush();
  writer.add(2, 2n, message);
  const { compress } = zstd;
  zstd.compress = () => {
    throw new Error('out of memory'); // as of the memory that its WebAssembly has
  };
  await writer.flush().finally(() => (zstd.compress = compress));
  writer.add(2, 3n, message);
  await expect(writer.close()).rejects.toThrow(/memory\.mcap: a chunk cannot be made \(out of memory\); what was/);
  expect((await writer.failed).message).toContain('out of memory');
  expect(readByRosbags(path).rows.map(({ ns }) => ns)).toEqual(['1']);
});

test('memory for the index of chunks grows by little more than their records', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const path = join(folder, 'many_chunks.mcap');
  const writer = await write(path, 'none', []);
  const message = cdr(twistMessage('/speed', 1, 1));
  const addChunks = async (chunks: number): Promise<void> => {
    for (let i = 0; i < chunks; i++) {
      writer.add(2, BigInt(i), message);
      await writer.flush();
    }
  };
  await addChunks(500);
  const before = used();
  const CHUNKS = 10_000;
  await addChunks(CHUNKS);
  expect((used() - before) / CHUNKS).toBeLessThan(300); // as objects it was 680
  await writer.close();
  const { rows, bag } = await readByUs(path);
  expect(rows).toHaveLength(500 + CHUNKS);
  expect(bag.caveats).toEqual([]);
});

/** Calls `before` ahead of every write to any file, until it is given back: a disk is slow, or full, in a device of its own alone. */
async function watchWrites(before: () => void): Promise<() => void> {
  const handle = await open(__filename);
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'write'>;
  await handle.close();
  const { write } = prototype;
  prototype.write = function (this: FileHandle, ...given: unknown[]) {
    before();
    return (write as (...given: unknown[]) => unknown).apply(this, given);
  } as FileHandle['write'];
  return () => void (prototype.write = write);
}

describe('what waits for the disk', () => {
  /** Makes the index 3 MB long, for it holds what types are made of. */
  const LONG = { type: 'test_msgs/msg/Long', definition: `# ${'x'.repeat(3e6)}\nuint8[] data\n` };
  const long = (length: number): Buffer => {
    const bytes = Buffer.alloc(8 + length);
    bytes[1] = 1; // little-endian
    bytes.writeUInt32LE(length, 4);
    return bytes;
  };
  let restore: () => void;
  afterEach(() => restore());

  async function writerOf(name: string, before: (writer: McapFileWriter) => void): Promise<McapFileWriter> {
    const path = join(folder, name);
    const writer = await McapFileWriter.create(path, { compression: 'none', overwrite: false });
    restore = await watchWrites(() => before(writer));
    return writer;
  }

  function expectFall(sizes: readonly number[], from: number): void {
    expect(sizes[0]).toBeGreaterThan(from);
    expect(sizes.length).toBeGreaterThan(10);
    sizes.slice(1).forEach((size, i) => expect(size).toBeLessThan(sizes[i]));
  }

  test('falls while a long chunk is written, and while the index is', async () => {
    const sizes: number[] = [];
    const writer = await writerOf('long.mcap', ({ queuedBytes }) => sizes.push(queuedBytes));
    writer.add(writer.addChannel('/long', LONG, []), 1n, long(2e6));
    await writer.flush();
    expectFall(sizes, 5e6);
    expect(writer.queuedBytes).toBe(0);
    sizes.length = 0;
    await writer.close();
    expectFall(sizes, 3e6);
    expect(writer.queuedBytes).toBe(0);
    const { rows, bag } = await readByUs(writer.path);
    expect({ rows: rows.length, caveats: bag.caveats }).toEqual({ rows: 1, caveats: [] });
  });

  test('is nothing after an error in the middle of a chunk; what was written before can be read', async () => {
    let writes = Infinity;
    const writer = await writerOf('error.mcap', () => {
      if (writes-- === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    });
    const channel = writer.addChannel('/long', LONG, []);
    writer.add(channel, 1n, long(1000));
    await writer.flush();
    writes = 3;
    for (const time of [2n, 3n]) writer.add(channel, time, long(2e6));
    expect(writer.queuedBytes).toBeGreaterThan(4e6);
    await writer.flush();
    expect(writer.queuedBytes).toBe(0);
    await expect(writer.close()).rejects.toThrow(/error\.mcap: the disk is full \(ENOSPC\); what was recorded before/);
    expect(readByRosbags(writer.path).rows.map(({ ns }) => ns)).toEqual(['1']);
  });

  test('abandoned while only the index waits: it is left out, and nothing else', async () => {
    let writes = Infinity;
    const writer = await writerOf('no_index.mcap', (writer) => {
      if (writes-- === 0) writer.abandon();
    });
    const channel = writer.addChannel('/long', LONG, []);
    for (const time of [1n, 2n]) writer.add(channel, time, long(1000));
    await writer.flush();
    writes = 5;
    await expect(writer.close()).rejects.toThrow(/no_index\.mcap: the index is left out; the messages are in the file/);
    expect(writer.queuedBytes).toBe(0);
    const { rows, bag } = await readByUs(writer.path);
    expect(rows.map(({ ns }) => ns)).toEqual(['1', '2']);
    expect(bag.caveats.map(({ message }) => message)).toEqual([expect.stringMatching(/no_index\.mcap: has no index/)]);
    expect(readByRosbags(writer.path).rows).toHaveLength(2);
  });
});

test('a file that is there is kept unless it may be written over', async () => {
  const path = join(folder, 'kept.mcap');
  writeFileSync(path, 'mine');
  const options = { compression: 'none', overwrite: false } as const;
  await expect(McapFileWriter.create(path, options)).rejects.toThrow(/kept\.mcap: is there already; --force/);
  expect(readFileSync(path, 'utf8')).toBe('mine');
  const nowhere = join(folder, 'no', 'where.mcap');
  await expect(McapFileWriter.create(nowhere, options)).rejects.toThrow(/where\.mcap: cannot be written \(ENOENT\)/);
  expect(existsSync(nowhere)).toBe(false);
  const writer = await McapFileWriter.create(path, { ...options, overwrite: true });
  await writer.close();
  expect(readFileSync(path).subarray(1, 5).toString()).toBe('MCAP');
});
