/** rosbag2's sqlite3 storage (.db3): tables topics (id, name, type, serialization_format) and messages (id, topic_id, timestamp, data). */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import Database from 'libsql';
import { z } from 'zod';
import { FrameSourceError } from '../frame';
import { BagDamageError, describe, typeName, type BagFile, type BagMessage } from './bagFile';

const HEADER_BYTES = 100;
const WRITE_AHEAD_LOG = '-wal';

const topicsSchema = z.array(
  z.object({ id: z.bigint(), name: z.string(), type: z.string(), serialization_format: z.string() }),
);
const countsSchema = z.array(z.object({ topic_id: z.bigint(), count: z.bigint() }));
const messageSchema = z.object({
  id: z.bigint(),
  topic_id: z.bigint(),
  timestamp: z.bigint(),
  data: z.instanceof(Uint8Array),
});

/** Whether the file is shorter than its header says (sqlite.org/fileformat.html, 1.3), as after a copy that stopped. */
async function isCutOff(path: string): Promise<boolean> {
  // With a log beside it the file is as long as its last checkpoint left it.
  if (existsSync(path + WRITE_AHEAD_LOG)) return false;
  const file = await open(path);
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    await file.read(header, 0, HEADER_BYTES, 0);
    const pageBytes = header.readUInt16BE(16) === 1 ? 65536 : header.readUInt16BE(16);
    return header.readUInt32BE(28) * pageBytes > (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** @throws FrameSourceError when the file is not a bag, or too damaged to say its topics */
export async function openSqliteFile(path: string): Promise<BagFile> {
  const cutOff = await isCutOff(path);
  let database: Database.Database | undefined;
  try {
    const db = new Database(path, { readonly: true });
    database = db;
    db.defaultSafeIntegers(true);
    // SQLite refuses a file that lacks pages, unless told so: it then fails where a missing page is asked for.
    if (cutOff) db.exec('PRAGMA writable_schema = ON');
    const topics = topicsSchema.parse(db.prepare('SELECT id, name, type, serialization_format FROM topics').all());
    const names = new Map(topics.map(({ id, name }) => [id, name]));
    const counts = new Map(
      cutOff
        ? []
        : countsSchema
            .parse(db.prepare('SELECT topic_id, COUNT(*) AS count FROM messages GROUP BY topic_id').all())
            .map(({ topic_id, count }) => [topic_id, Number(count)]),
    );

    async function* messages(wanted: ReadonlySet<string>): AsyncGenerator<BagMessage> {
      for (const { name, serialization_format: format } of topics) {
        if (wanted.has(name) && format !== 'cdr')
          throw new FrameSourceError(path, `topic ${name} is encoded as "${format}"; only cdr can be read`);
      }
      const ids = topics.filter(({ name }) => wanted.has(name)).map(({ id }) => id);
      if (ids.length === 0) return;
      // One row per query: the library's iterate() fetches a hundred rows ahead, which are gigabytes of raw images. Of a file that is
      // cut off the index by time is mostly gone, the rows in their order are not.
      const [after, order] = cutOff ? ['id > ?', 'id'] : ['(timestamp, id) > (?, ?)', 'timestamp, id'];
      const statement = db.prepare(
        `SELECT id, topic_id, timestamp, data FROM messages
         WHERE ${after} AND topic_id IN (${ids.join(',')}) ORDER BY ${order} LIMIT 1`,
      );
      let [timestamp, id] = [-1n, -1n];
      for (let count = 0; ; count++) {
        let row;
        try {
          row = cutOff ? statement.get(id) : statement.get(timestamp, id);
        } catch (error) {
          const what = cutOff ? 'the file is shorter than its header says' : 'damaged';
          throw new BagDamageError(
            path,
            `${what}; ${count} of the messages asked for could be read (${describe(error)})`,
          );
        }
        if (row === undefined) return;
        const message = messageSchema.parse(row);
        ({ timestamp, id } = message);
        yield { topic: names.get(message.topic_id)!, receivedNs: timestamp, cdr: message.data };
      }
    }

    return {
      path,
      topics: topics.map(({ id, name, type }) => ({
        name,
        type: typeName(type),
        messageCount: cutOff ? undefined : (counts.get(id) ?? 0),
      })),
      messages,
      close: async () => void db.close(),
    };
  } catch (error) {
    database?.close();
    if (error instanceof FrameSourceError) throw error;
    throw new FrameSourceError(path, `not a ROS 2 bag that can be read (${describe(error)})`);
  }
}
