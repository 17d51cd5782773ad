/** The .msg texts of the message packages that are installed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';

/** Of CDR, before what is aligned. */
const HEADER_BYTES = 4;
const SEPARATOR = '='.repeat(80);
const PRIMITIVES = new Set(
  'bool byte char float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 string wstring'.split(' '),
);

/** sensor_msgs/Image, as bags have it, or sensor_msgs/msg/Image -> sensor_msgs/msg/Image */
export function fullTypeName(type: string): string {
  const parts = type.split('/');
  return parts.length === 2 ? `${parts[0]}/msg/${parts[1]}` : type;
}

function definitionFile(type: string, extensions: readonly string[]): string | undefined {
  const prefixes = (process.env.AMENT_PREFIX_PATH ?? '').split(':').filter((prefix) => prefix !== '');
  const paths = prefixes.flatMap((prefix) =>
    extensions.map((extension) => join(prefix, 'share', `${fullTypeName(type)}.${extension}`)),
  );
  return paths.find((path) => existsSync(path));
}

/** Whether the messages of this type can be published and received here. */
export function isInstalled(type: string): boolean {
  return definitionFile(type, ['msg', 'idl']) !== undefined;
}

/** Undefined where it cannot be read: another user's file, or no file descriptor is left. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Types of the fields that are messages themselves, in full. */
function fieldTypes(type: string, text: string): string[] {
  const [ownPackage] = type.split('/');
  return text.split('\n').flatMap((line) => {
    const [field] = line.replace(/#.*/, '').trim().split(/\s+/);
    const name = field.replace(/(\[.*\]|<=\d+)+$/, '');
    if (name === '' || PRIMITIVES.has(name)) return [];
    return fullTypeName(name.includes('/') ? name : `${ownPackage}/${name}`);
  });
}

/**
 * The text that defines a message as MCAP's ros2msg has it: the .msg file, then those it refers to, each behind a line of = and its name.
 * Undefined where a file is not there or cannot be read.
 */
export function messageDefinition(type: string): string | undefined {
  const found: string[] = [];
  const texts = new Map<string, string>();
  const pending = [fullTypeName(type)];
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (texts.has(name)) continue;
    const path = definitionFile(name, ['msg']);
    if (path === undefined) return undefined;
    const text = readText(path);
    if (text === undefined) return undefined;
    texts.set(name, text);
    found.push(found.length === 0 ? text : `${SEPARATOR}\nMSG: ${name.replace('/msg/', '/')}\n${text}`);
    pending.push(...fieldTypes(name, text));
  }
  return found.map((text) => text.replace(/\n*$/, '\n')).join('');
}

/** Reads messages of one type out of CDR; 64-bit integers become bigint. Throws Error where the type is not installed. */
export function messageReader<Message>(type: string): (message: Buffer) => Message {
  const definition = messageDefinition(type);
  if (definition === undefined) throw new Error(`${type}: no share/${type}.msg in AMENT_PREFIX_PATH`);
  const reader = new MessageReader<Message>(parse(definition, { ros2: true }));
  return (message) => {
    // A copy that begins where arrays of eight bytes are aligned: else the reader makes room for what an array says of its length before it looks whether
    // the message has as much, and text reaches into whatever else the buffer's memory holds.
    const aligned = new Uint8Array(new ArrayBuffer(message.length + HEADER_BYTES), HEADER_BYTES);
    aligned.set(message);
    try {
      const fields = reader.readMessage<Message>(aligned);
      if (reader.lastReadByteLength() <= message.length) return fields;
    } catch {
      // Whatever the reader says (offsets, typed arrays), there is one way in which bytes are no message of a type.
    }
    throw new RangeError(`${type} of ${message.length} bytes ends inside a field`);
  };
}
