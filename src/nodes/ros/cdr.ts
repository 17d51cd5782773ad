/**
 * CDR, little endian, plain (XCDR version 1): the bytes of ROS 2 messages. Alignment counts from the end of the 4-byte
 * encapsulation header. Large messages are built here by hand because rclnodejs takes 3.6 ms for a 640x480 depth image as
 * an object and .4 ms as a Buffer, and publishes views of larger buffers wrongly.
 */

const HEADER_BYTES = 4;
const LITTLE_ENDIAN_CDR = 1;

export interface Time {
  readonly sec: number;
  readonly nanosec: number;
}

/** Of builtin_interfaces/Time: 19 January 2038. */
export const LAST_SECOND = 2 ** 31 - 1;

export function stampSeconds({ sec, nanosec }: Time): number {
  return sec + nanosec * 1e-9;
}

/** std_msgs/Header */
export interface Header {
  readonly stamp: Time;
  readonly frameId: string;
}

/** No frame has so long a name; it would go out again with every message made of this one. */
const LONGEST_FRAME_ID = 1000;

/** Throws RangeError where a name of a frame is none. */
export function checkFrameId(field: string, id: string): void {
  if (id.length > LONGEST_FRAME_ID) throw new RangeError(`length of ${field} is ${id.length}`);
}

/** Throws RangeError where a header is not fit to be passed on: rclcpp throws on seconds below zero, builtin_interfaces/Time ends at 999,999,999 ns. */
export function checkHeader({ stamp: { sec, nanosec }, frameId }: Header): void {
  if (sec < 0 || nanosec >= 1e9) throw new RangeError(`header.stamp is ${sec} s and ${nanosec} ns, which is no time`);
  checkFrameId('header.frame_id', frameId);
}

/**
 * Writes one message after another into a buffer of its own, which grows to the largest message and is then used again:
 * `take` the bytes and publish them before the next `start`.
 */
export class CdrWriter {
  #buffer = Buffer.alloc(256);
  #at = HEADER_BYTES;

  start(): this {
    this.#buffer.writeUInt32BE(LITTLE_ENDIAN_CDR << 16, 0);
    this.#at = HEADER_BYTES;
    return this;
  }

  /** The message so far. Valid until the next `start`. */
  take(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  uint8(value: number): this {
    const at = this.#reserve(1, 1);
    this.#buffer.writeUInt8(value, at);
    return this;
  }

  uint32(value: number): this {
    const at = this.#reserve(4, 4);
    this.#buffer.writeUInt32LE(value, at);
    return this;
  }

  /** A whole number from 0 to 2^53 - 1. */
  uint64(value: number): this {
    const at = this.#reserve(8, 8);
    this.#buffer.writeBigUInt64LE(BigInt(value), at);
    return this;
  }

  int32(value: number): this {
    const at = this.#reserve(4, 4);
    this.#buffer.writeInt32LE(value, at);
    return this;
  }

  float32(value: number): this {
    const at = this.#reserve(4, 4);
    this.#buffer.writeFloatLE(value, at);
    return this;
  }

  float64(value: number): this {
    const at = this.#reserve(8, 8);
    this.#buffer.writeDoubleLE(value, at);
    return this;
  }

  /** An array of fixed length: no length before it. */
  float64s(values: ArrayLike<number>): this {
    for (let i = 0; i < values.length; i++) this.float64(values[i]);
    return this;
  }

  string(text: string): this {
    const bytes = Buffer.byteLength(text, 'utf8');
    this.uint32(bytes + 1);
    const at = this.#reserve(1, bytes + 1);
    this.#buffer.write(text, at, 'utf8');
    this.#buffer[at + bytes] = 0;
    return this;
  }

  /** Sequences with their lengths. */
  strings(texts: readonly string[]): this {
    this.uint32(texts.length);
    for (const text of texts) this.string(text);
    return this;
  }

  float32s(values: readonly number[]): this {
    this.uint32(values.length);
    for (const value of values) this.float32(value);
    return this;
  }

  uint64s(values: readonly number[]): this {
    this.uint32(values.length);
    for (const value of values) this.uint64(value);
    return this;
  }

  /** uint8[] with its length. `bytes` may be a view. */
  bytes(bytes: Uint8Array): this {
    this.uint32(bytes.length);
    const at = this.#reserve(1, bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  /**
   * A clock beyond LAST_SECOND, which a computer whose battery failed may well have, is written as its end. Wrapped round it would be before 1970, and
   * rclcpp's receivers throw on seconds below zero.
   */
  time({ sec, nanosec }: Time): this {
    if (sec > LAST_SECOND) return this.int32(LAST_SECOND).uint32(999_999_999);
    return this.int32(sec).uint32(nanosec);
  }

  header(header: Header): this {
    return this.time(header.stamp).string(header.frameId);
  }

  /** Place of the next field. Call it before naming #buffer: it may put a larger one in its place. */
  #reserve(alignment: number, length: number): number {
    const body = this.#at - HEADER_BYTES;
    const start = HEADER_BYTES + Math.ceil(body / alignment) * alignment;
    const end = start + length;
    if (end > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(end, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#at);
      this.#buffer = larger;
    }
    this.#buffer.fill(0, this.#at, start);
    this.#at = end;
    return start;
  }
}

/** Reads the fields of one message in their order. Throws RangeError when the message ends inside a field. */
export class CdrReader {
  readonly #buffer: Buffer;
  readonly #littleEndian: boolean;
  #at = HEADER_BYTES;

  constructor(message: Buffer) {
    if (message.length < HEADER_BYTES) throw new RangeError(`CDR message of ${message.length} bytes has no header`);
    if (message[1] > 1) throw new RangeError(`CDR encapsulation ${message[1]} is not plain CDR`);
    this.#buffer = message;
    this.#littleEndian = message[1] === LITTLE_ENDIAN_CDR;
  }

  uint8(): number {
    return this.#buffer.readUInt8(this.#advance(1, 1));
  }

  uint32(): number {
    const at = this.#advance(4, 4);
    return this.#littleEndian ? this.#buffer.readUInt32LE(at) : this.#buffer.readUInt32BE(at);
  }

  /** Throws RangeError above 2^53 - 1, where numbers are no longer exact. */
  uint64(): number {
    const at = this.#advance(8, 8);
    const value = this.#littleEndian ? this.#buffer.readBigUInt64LE(at) : this.#buffer.readBigUInt64BE(at);
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError(`CDR number ${value} at byte ${at} is above 2^53 - 1`);
    return Number(value);
  }

  int32(): number {
    return this.uint32() | 0;
  }

  float32(): number {
    const at = this.#advance(4, 4);
    return this.#littleEndian ? this.#buffer.readFloatLE(at) : this.#buffer.readFloatBE(at);
  }

  float64(): number {
    const at = this.#advance(8, 8);
    return this.#littleEndian ? this.#buffer.readDoubleLE(at) : this.#buffer.readDoubleBE(at);
  }

  float64s(length: number): Float64Array {
    if (length * 8 > this.#buffer.length)
      throw new RangeError(`CDR array of ${length} doubles does not fit the message`);
    return Float64Array.from({ length }, () => this.float64());
  }

  string(): string {
    const length = this.uint32();
    const at = this.#advance(1, length);
    return this.#buffer.toString('utf8', at, at + Math.max(0, length - 1));
  }

  /** uint8[] with its length, as a view of the message. */
  bytes(): Uint8Array {
    const length = this.uint32();
    const at = this.#advance(1, length);
    return this.#buffer.subarray(at, at + length);
  }

  time(): Time {
    return { sec: this.int32(), nanosec: this.uint32() };
  }

  header(): Header {
    return { stamp: this.time(), frameId: this.string() };
  }

  #advance(alignment: number, length: number): number {
    const start = HEADER_BYTES + Math.ceil((this.#at - HEADER_BYTES) / alignment) * alignment;
    if (start + length > this.#buffer.length) {
      throw new RangeError(
        `CDR message of ${this.#buffer.length} bytes ends inside a field of ${length} at byte ${start}`,
      );
    }
    this.#at = start + length;
    return start;
  }
}
