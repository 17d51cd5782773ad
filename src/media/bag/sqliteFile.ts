/** rosbag2's sqlite3 storage (.db3): tables topics (id, name, type, serialization_format) and messages (id, topic_id, timestamp, data). */
import { existsSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import Database from 'libsql';
import { z } from 'zod';
import { FrameSourceError } from '../frame';
import { BagDamageError, describe, typeName, type BagFile, type BagMessage, type TimeRange } from './bagFile';
import { readOfferedQos } from './offeredQos';
import { SqlitePages } from './sqlitePages';

const HEADER_BYTES = 100;
const WRITE_AHEAD_LOG = '-wal';
const LAST_NS = 2n ** 63n - 1n;

const topicsSchema = z.array(
  z.object({
    id: z.bigint(),
    name: z.string(),
    type: z.string(),
    serialization_format: z.string(),
    offered_qos_profiles: z.string().optional(), // since Foxy
  }),
);
const rootSchema = z.object({ rootpage: z.bigint() });
const startSchema = z.object({ timestamp: z.bigint() }).optional();
const countsSchema = z.array(z.object({ topic_id: z.bigint(), count: z.bigint() }));
const messageSchema = z.object({
  id: z.bigint(),
  topic_id: z.bigint(),
  timestamp: z.bigint(),
  data: z.instanceof(Uint8Array),
});

/** Of a file that is shorter than its header says (sqlite.org/fileformat.html, 1.3), as after a copy that stopped: its pages. */
async function cutOffPages(file: FileHandle, path: string): Promise<SqlitePages | undefined> {
  // With a log beside it the file is as long as its last checkpoint left it.
  if (existsSync(path + WRITE_AHEAD_LOG)) return undefined;
  const header = Buffer.alloc(HEADER_BYTES);
  await file.read(header, 0, HEADER_BYTES, 0);
  const pageBytes = header.readUInt16BE(16) === 1 ? 65536 : header.readUInt16BE(16);
  const { size } = await file.stat();
  return header.readUInt32BE(28) * pageBytes > size ? new SqlitePages(file, pageBytes, header[20], size) : undefined;
}

/** Of a file that is cut off: the last message before which nothing is missing; undefined of a file that is whole. */
async function lastWholeMessage(db: Database.Database, path: string): Promise<bigint | undefined> {
  const file = await open(path);
  try {
    const pages = await cutOffPages(file, path);
    if (!pages) return undefined;
    // SQLite refuses a file that lacks pages, unless told so: it then fails where a missing page is asked for.
    db.exec('PRAGMA writable_schema = ON');
    const { rootpage } = rootSchema.parse(
      db.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'messages'").get(),
    );
    return BigInt(await pages.lastWholeRow(Number(rootpage)));
  } finally {
    await file.close();
  }
}

/** When the first message was received. Reading the messages tells of a damage. */
function readStart(db: Database.Database, cutOff: boolean): bigint | undefined {
  try {
    const first = db.prepare(`SELECT timestamp FROM messages ORDER BY ${cutOff ? 'id' : 'timestamp'} LIMIT 1`);
    return startSchema.parse(first.get())?.timestamp;
  } catch {
    return undefined;
  }
}

/** Messages by topic; undefined where a damaged page does not let them be counted, which needs all. Reading the messages tells of the damage, and where it is. */
function countMessages(db: Database.Database): Map<bigint, number> | undefined {
  try {
    const rows = db.prepare('SELECT topic_id, COUNT(*) AS count FROM messages GROUP BY topic_id').all();
    return new Map(countsSchema.parse(rows).map(({ topic_id, count }) => [topic_id, Number(count)]));
  } catch {
    return undefined;
  }
}

/** @throws FrameSourceError when the file is not a bag, or too damaged to say its topics */
export async function openSqliteFile(path: string): Promise<BagFile> {
  let database: Database.Database | undefined;
  try {
    const db = new Database(path, { readonly: true });
    database = db;
    db.defaultSafeIntegers(true);
    const lastWhole = await lastWholeMessage(db, path);
    const cutOff = lastWhole !== undefined;
    const topics = topicsSchema.parse(db.prepare('SELECT * FROM topics').all());
    const names = new Map(topics.map(({ id, name }) => [id, name]));
    const counts = cutOff ? undefined : countMessages(db);

    async function* messages(
      wanted: ReadonlySet<string>,
      { fromNs = -1n, beforeNs = LAST_NS }: TimeRange = {},
    ): AsyncGenerator<BagMessage> {
      for (const { name, serialization_format: format } of topics) {
        if (wanted.has(name) && format !== 'cdr')
          throw new FrameSourceError(path, `topic ${name} is encoded as "${format}"; only cdr can be read`);
      }
      const ids = topics.filter(({ name }) => wanted.has(name)).map(({ id }) => id);
      if (ids.length === 0) return;
      // One row per query: the library's iterate() fetches a hundred rows ahead, which are gigabytes of raw images. Of a file that is
      // cut off the index by time is mostly gone, the rows in their order are not.
      const [after, order] = cutOff
        ? [`id > ? AND id <= ${lastWhole}`, 'id']
        : ['(timestamp, id) > (?, ?)', 'timestamp, id'];
      const statement = db.prepare(
        `SELECT id, topic_id, timestamp, data FROM messages
         WHERE ${after} AND topic_id IN (${ids.join(',')}) ORDER BY ${order} LIMIT 1`,
      );
      let [timestamp, id] = [fromNs, -1n];
      for (let count = 0; ; count++) {
        const damage = (what: string) =>
          new BagDamageError(path, `${what}; ${count} of the messages asked for could be read`);
        let row;
        try {
          row = cutOff ? statement.get(id) : statement.get(timestamp, id);
        } catch (error) {
          throw damage(`damaged (${describe(error)})`);
        }
        if (row === undefined && cutOff) throw damage('the file is shorter than its header says');
        if (row === undefined) return;
        const message = messageSchema.parse(row);
        ({ timestamp, id } = message);
        if (timestamp >= beforeNs && !cutOff) return;
        if (timestamp < fromNs || timestamp >= beforeNs) continue;
        yield { topic: names.get(message.topic_id)!, receivedNs: timestamp, cdr: message.data };
      }
    }

    return {
      path,
      topics: topics.map(({ id, name, type, serialization_format: format, offered_qos_profiles: profiles }) => {
        const offeredQos = readOfferedQos(profiles);
        return {
          name,
          type: typeName(type),
          messageCount: counts && (counts.get(id) ?? 0),
          ...(offeredQos ? { offeredQos } : {}),
          ...(format === 'cdr' ? {} : { foreignEncoding: format }),
        };
      }),
      startNs: readStart(db, cutOff),
      caveat: cutOff ? new FrameSourceError(path, 'is shorter than its header says: the end is missing') : undefined,
      messages,
      close: async () => void db.close(),
    };
  } catch (error) {
    database?.close();
    if (error instanceof FrameSourceError) throw error;
    throw new FrameSourceError(path, `not a ROS 2 bag that can be read (${describe(error)})`);
  }
}
