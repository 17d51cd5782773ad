/**
 * ROS 2 bags: a folder with metadata.yaml as rosbag2 records it (files in order, MCAP or sqlite3), or one file of it alone.
 *
 * @example
 * const bag = await openBag('drive_bag');
 * for await (const { topic, receivedNs, cdr } of bag.messages(['/front/image_raw'])) show(topic, receivedNs, readImage(cdr));
 * await bag.close();
 */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { FrameSourceError } from '../frame';
import {
  BagDamageError,
  BagMessageError,
  describe,
  type BagFile,
  type BagMessage,
  type BagTopic,
  type TimeRange,
} from './bagFile';
import { isZstd, loadDecompressors, zstdContentSize, type Decompressors } from './decompression';
import { openMcapFile } from './mcapFile';
import { openSqliteFile } from './sqliteFile';

export { BagDamageError, BagMessageError, type BagMessage, type BagTopic } from './bagFile';

const METADATA = 'metadata.yaml';
const STORAGE = /\.(mcap|db3)$/i;
const COMPRESSED_FILE = /\.(mcap|db3)\.zstd$/i;
const MCAP_MAGIC = '\x89MCAP0\r\n';
const SQLITE_MAGIC = 'SQLite format 3\0';
const ROS1_MAGIC = '#ROSBAG';

const metadataSchema = z.object({
  rosbag2_bagfile_information: z.object({ relative_file_paths: z.array(z.string()).min(1) }),
});

export interface Bag {
  readonly path: string;
  /** The storage files, in the order they are read. */
  readonly files: readonly string[];
  readonly topics: readonly BagTopic[];
  /** When its first message was received. */
  readonly startNs?: bigint;
  /** What its files lack that are not whole, each naming its file. */
  readonly caveats: readonly FrameSourceError[];
  /**
   * Messages of these topics, file after file, within a file in the order of reception. Memory does not grow with the bag.
   * @throws BagDamageError naming the file, where one cannot be read on, after everything before it; unless `onDamage` takes it, and the next file follows
   * @throws BagMessageError naming file and message, where one alone is damaged, as can be seen of those compressed by themselves; unless `onUnreadable` takes it, and the next follows
   */
  messages(topics: readonly string[], options?: ReadOptions): AsyncIterable<BagMessage>;
  close(): Promise<void>;
}

export interface ReadOptions extends TimeRange {
  readonly onDamage?: (error: BagDamageError) => void;
  readonly onUnreadable?: (error: BagMessageError) => void;
}

async function hasMetadata(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, METADATA), 'utf8').catch(() => '');
  return text.includes('rosbag2_bagfile_information');
}

async function storageFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => STORAGE.test(name) || COMPRESSED_FILE.test(name));
  names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return names.map((name) => join(folder, name));
}

/** Whether the path is a bag: told by names and metadata, without opening the storage. */
export async function isBag(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return false;
  if (!found.isDirectory()) return STORAGE.test(path) || COMPRESSED_FILE.test(path);
  return (await hasMetadata(path)) || (await storageFiles(path)).length > 0;
}

/** A bag's storage files in their order. A recorder that was killed leaves no metadata.yaml; the files' numbers order them then. */
async function listFiles(folder: string): Promise<string[]> {
  const path = join(folder, METADATA);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) {
    const files = await storageFiles(folder);
    if (files.length === 0) throw new FrameSourceError(folder, `no ${METADATA}, .mcap or .db3 in it: not a ROS 2 bag`);
    return files;
  }
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    throw new FrameSourceError(path, `not YAML (${describe(error)}); ros2 bag reindex writes it anew`);
  }
  const result = metadataSchema.safeParse(content);
  if (!result.success)
    throw new FrameSourceError(path, `not a rosbag2 metadata.yaml: ${z.prettifyError(result.error)}`);
  // Bags of ROS 2 Dashing name the folder, too.
  return result.data.rosbag2_bagfile_information.relative_file_paths.map((name) => join(folder, basename(name)));
}

async function openFile(path: string, decompressors: Decompressors): Promise<BagFile> {
  const head = Buffer.alloc(16);
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    const missing = `no such file, though ${METADATA} names it`;
    throw new FrameSourceError(path, error.code === 'ENOENT' ? missing : `cannot be read (${error.code})`);
  });
  const { bytesRead } = await file.read(head, 0, head.length, 0).finally(() => file.close());
  if (bytesRead === 0) throw new FrameSourceError(path, 'the file is empty (0 bytes); record or copy it again');
  const text = head.toString('latin1', 0, bytesRead);
  if (text.startsWith(MCAP_MAGIC)) return openMcapFile(path, decompressors);
  if (text === SQLITE_MAGIC) return openSqliteFile(path);
  if (isZstd(head))
    throw new FrameSourceError(
      path,
      `the whole file is compressed; zstd -d ${basename(path)} unpacks it, then give the file`,
    );
  if (text.startsWith(ROS1_MAGIC))
    throw new FrameSourceError(path, 'a ROS 1 bag; rosbags-convert (PyPI: rosbags) makes a ROS 2 bag of it');
  throw new FrameSourceError(path, 'neither MCAP nor sqlite3: not a ROS 2 bag');
}

function mergeTopics(files: readonly BagFile[]): BagTopic[] {
  const merged = new Map<string, BagTopic>();
  for (const topic of files.flatMap((file) => file.topics)) {
    const { messageCount: before = undefined } = merged.get(topic.name) ?? { messageCount: 0 };
    const known = before !== undefined && topic.messageCount !== undefined;
    merged.set(topic.name, { ...topic, messageCount: known ? before + topic.messageCount : undefined });
  }
  return [...merged.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** rosbag2's compression_mode MESSAGE compresses every message by itself; CDR begins with a 0, which a zstd frame does not. @throws Error */
function decompressed(message: BagMessage, decompressors: Decompressors): BagMessage {
  if (message.cdr[0] === 0) return message;
  if (!isZstd(message.cdr)) throw new Error('it begins neither as CDR nor as zstd');
  return { ...message, cdr: decompressors.zstd(message.cdr, zstdContentSize(message.cdr)) };
}

/** @throws FrameSourceError when there is no bag at `path`, or its files cannot be read */
export async function openBag(path: string): Promise<Bag> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    const missing = 'no such bag; give its folder, or a .mcap or .db3 file';
    throw new FrameSourceError(path, error.code === 'ENOENT' ? missing : `cannot be read (${error.code})`);
  });
  const paths = found.isDirectory() ? await listFiles(path) : [path];
  const decompressors = await loadDecompressors();
  const files: BagFile[] = [];
  try {
    for (const name of paths) files.push(await openFile(name, decompressors));
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }

  async function* messages(
    topics: readonly string[],
    { onDamage, onUnreadable, ...range }: ReadOptions = {},
  ): AsyncGenerator<BagMessage> {
    if (topics.length === 0) return;
    const wanted = new Set(topics);
    for (const file of files) {
      let number = 0;
      try {
        for await (const message of file.messages(wanted, range)) {
          number++;
          let whole: BagMessage;
          try {
            whole = decompressed(message, decompressors);
          } catch (error) {
            const which = `message ${number} of those asked for, on ${message.topic}`;
            const damage = new BagMessageError(file.path, `${which}, is damaged (${describe(error)})`);
            if (!onUnreadable) throw damage;
            onUnreadable(damage);
            continue;
          }
          yield whole;
        }
      } catch (error) {
        if (!onDamage || !(error instanceof BagDamageError)) throw error;
        onDamage(error);
      }
    }
  }

  const starts = files.flatMap(({ startNs }) => startNs ?? []);
  return {
    path,
    files: paths,
    topics: mergeTopics(files),
    startNs: starts.length > 0 ? starts.reduce((a, b) => (b < a ? b : a)) : undefined,
    caveats: files.flatMap(({ caveat }) => caveat ?? []),
    messages,
    close: async () => void (await Promise.all(files.map((file) => file.close()))),
  };
}
