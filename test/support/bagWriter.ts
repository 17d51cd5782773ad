/** Small bags with what a test needs in them. What other software writes is in test/fixtures/bags. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ros2humble } from '@foxglove/rosmsg-msgs-common';
import { MessageWriter } from '@foxglove/rosmsg2-serialization';
import zstdCodec from '@foxglove/wasm-zstd';
import Database from 'libsql';

export interface WrittenMessage {
  topic: string;
  /** sensor_msgs/Image */
  type: keyof typeof ros2humble;
  receivedNs: bigint;
  message: object;
}

const definitions = Object.values(ros2humble);
const writers = new Map<string, MessageWriter>();

export function cdr({ type, message }: WrittenMessage): Uint8Array {
  let writer = writers.get(type);
  if (!writer) {
    writer = new MessageWriter([{ definitions: ros2humble[type].definitions }, ...definitions]);
    writers.set(type, writer);
  }
  return writer.writeMessage(message);
}

const rosType = (type: string): string => type.replace('/', '/msg/');

export interface McapOptions {
  chunkSize?: number;
  /** Written as rosbag2's fastwrite preset does: neither chunks nor an index. */
  chunks?: boolean;
  /** Index the messages of each chunk; false as rosbag2's noMessageIndex. */
  messageIndex?: boolean;
  /** Compress the chunks. */
  zstd?: boolean;
}

export async function writeMcap(
  path: string,
  messages: Iterable<WrittenMessage>,
  { chunkSize = 1 << 16, chunks = true, messageIndex = true, zstd = false }: McapOptions = {},
): Promise<void> {
  const { McapWriter } = await import('@mcap/core');
  const file = await open(path, 'w');
  let position = 0;
  const writable = {
    position: () => BigInt(position),
    write: async (bytes: Uint8Array) => {
      position += bytes.length;
      await file.write(bytes);
    },
  };
  await zstdCodec.isLoaded;
  const compressChunk = (data: Uint8Array) => ({ compression: 'zstd', compressedData: zstdCodec.compress(data) });
  const compression = zstd ? { compressChunk } : {};
  const writer = new McapWriter({
    writable,
    useChunks: chunks,
    useMessageIndex: messageIndex,
    chunkSize,
    ...compression,
  });
  await writer.start({ profile: 'ros2', library: 'depthgrad test' });
  const channels = new Map<string, number>();
  for (const written of messages) {
    const { topic, type, receivedNs } = written;
    let channelId = channels.get(topic);
    if (channelId === undefined) {
      const schemaId = await writer.registerSchema({
        name: rosType(type),
        encoding: 'ros2msg',
        data: new Uint8Array(),
      });
      channelId = await writer.registerChannel({ topic, schemaId, messageEncoding: 'cdr', metadata: new Map() });
      channels.set(topic, channelId);
    }
    const data = cdr(written);
    await writer.addMessage({ channelId, sequence: 0, logTime: receivedNs, publishTime: receivedNs, data });
  }
  await writer.end();
  await file.close();
}

export function writeSqlite(path: string, messages: Iterable<WrittenMessage>, journal = 'DELETE'): void {
  const db = new Database(path);
  db.exec(`PRAGMA journal_mode = ${journal}; PRAGMA synchronous = OFF;
    CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
      serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
    CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE INDEX timestamp_idx ON messages (timestamp ASC);`);
  const topics = new Map<string, number>();
  const insert = db.prepare('INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)');
  for (const written of messages) {
    const { topic, type, receivedNs } = written;
    let id = topics.get(topic);
    if (id === undefined) {
      id = topics.size + 1;
      topics.set(topic, id);
      db.prepare("INSERT INTO topics VALUES (?, ?, ?, 'cdr', '')").run(id, topic, rosType(type));
    }
    insert.run(id, receivedNs, Buffer.from(cdr(written)));
  }
  db.close();
}

/** Damages the n-th message of a topic (0: the first): within what was compressed, or at its very beginning. */
export function damageSqliteMessage(path: string, topic: string, n: number, where: 'inside' | 'beginning'): void {
  const db = new Database(path);
  const which = 'SELECT messages.id, data FROM messages JOIN topics ON topics.id = topic_id WHERE name = ?';
  const { id, data } = db.prepare(`${which} ORDER BY timestamp LIMIT 1 OFFSET ${n}`).get(topic) as {
    id: number;
    data: Uint8Array;
  };
  const bytes = Buffer.from(data);
  if (where === 'inside') bytes.fill(0xff, 4, 12);
  else bytes.fill(0xff, 0, 2);
  db.prepare('UPDATE messages SET data = ? WHERE id = ?').run(bytes, id);
  db.close();
}

/** A bag's folder with these files, which are written by the caller. */
export function makeBagFolder(folder: string, files: string[]): void {
  mkdirSync(folder);
  const lines = files.map((file) => `  - ${file}\n`).join('');
  writeFileSync(join(folder, 'metadata.yaml'), `rosbag2_bagfile_information:\n  relative_file_paths:\n${lines}`);
}

const header = (seconds: number, frameId = 'camera'): object => ({
  stamp: { sec: Math.floor(seconds), nanosec: Math.round((seconds % 1) * 1e9) },
  frame_id: frameId,
});

const nanoseconds = (seconds: number): bigint => BigInt(Math.round(seconds * 1e6)) * 1000n;

export function imageMessage(
  topic: string,
  seconds: number,
  width: number,
  height: number,
  fields: object = {},
): WrittenMessage {
  const data = new Uint8Array(width * height * 3).fill(Math.round(seconds * 10) % 256);
  const image = { header: header(seconds), height, width, encoding: 'rgb8', is_bigendian: 0, step: width * 3, data };
  return { topic, type: 'sensor_msgs/Image', receivedNs: nanoseconds(seconds), message: { ...image, ...fields } };
}

export function cameraInfoMessage(topic: string, seconds: number, fields: object = {}): WrittenMessage {
  const info = {
    header: header(seconds),
    height: 24,
    width: 32,
    distortion_model: 'plumb_bob',
    d: [0, 0, 0, 0, 0],
    k: [30, 0, 15, 0, 28, 11, 0, 0, 1],
    r: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    p: [29, 0, 15.5, 0, 0, 27, 11.5, 0, 0, 0, 1, 0],
    binning_x: 0,
    binning_y: 0,
    roi: { x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false },
  };
  return { topic, type: 'sensor_msgs/CameraInfo', receivedNs: nanoseconds(seconds), message: { ...info, ...fields } };
}

export function twistMessage(topic: string, seconds: number, speed: number, receivedSeconds = seconds): WrittenMessage {
  const zero = { x: 0, y: 0, z: 0 };
  const message = { header: header(seconds), twist: { linear: { ...zero, x: speed }, angular: zero } };
  return { topic, type: 'geometry_msgs/TwistStamped', receivedNs: nanoseconds(receivedSeconds), message };
}

/** A vehicle at `position` with the heading `yaw` (radians about z, upwards), driving at 3 m/s. */
export function odometryMessage(
  topic: string,
  seconds: number,
  position: readonly [x: number, y: number, z: number],
  yaw: number,
  fields: object = {},
): WrittenMessage {
  const [x, y, z] = position;
  const zero = { x: 0, y: 0, z: 0 };
  const orientation = { x: 0, y: 0, z: Math.sin(yaw / 2), w: Math.cos(yaw / 2) };
  const covariance = new Float64Array(36);
  const odometry = {
    header: header(seconds, 'odom'),
    child_frame_id: 'base_link',
    pose: { pose: { position: { x, y, z }, orientation }, covariance },
    twist: { twist: { linear: { ...zero, x: 3 }, angular: zero }, covariance },
  };
  const message = { ...odometry, ...fields };
  return { topic, type: 'nav_msgs/Odometry', receivedNs: nanoseconds(seconds), message };
}

/** /tf_static with transforms [parent, child, translation, quaternion x y z w]. */
export function staticTransformsMessage(
  seconds: number,
  transforms: readonly (readonly [
    parent: string,
    child: string,
    translation: readonly number[],
    rotation: readonly number[],
  ])[],
): WrittenMessage {
  const message = {
    transforms: transforms.map(([parent, child, [tx, ty, tz], [x, y, z, w]]) => ({
      header: header(seconds, parent),
      child_frame_id: child,
      transform: { translation: { x: tx, y: ty, z: tz }, rotation: { x, y, z, w } },
    })),
  };
  return { topic: '/tf_static', type: 'tf2_msgs/TFMessage', receivedNs: nanoseconds(seconds), message };
}
