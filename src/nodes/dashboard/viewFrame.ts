/** What goes to a browser over the WebSocket; web/connection.js reads it. */

/** What a browser can ask for, each a stream of its own. */
export const VIEWS = ['camera', 'depth', 'gradient', 'confidence', 'trajectory', 'comparison'] as const;
export type ViewName = (typeof VIEWS)[number];

/** A view as of one moment. */
export interface ViewFrame {
  readonly view: ViewName;
  /** Counts up. */
  readonly sequence: number;
  readonly bytes: Buffer;
}

/**
 * One binary message: length of the header (uint32, little endian), header as JSON, blanks up to a multiple of eight bytes so that typed arrays can view
 * the payload, payload.
 */
export function packFrame(header: object, payload: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const headerEnd = Math.ceil((4 + text.length) / 8) * 8;
  const bytes = Buffer.alloc(headerEnd + payload.length, ' ');
  bytes.writeUInt32LE(headerEnd - 4, 0);
  text.copy(bytes, 4);
  bytes.set(payload, headerEnd);
  return bytes;
}

/** Numbers the frames of all views. */
export class FrameCounter {
  #sequence = 0;

  frame(view: ViewName, header: object, payload: Uint8Array): ViewFrame {
    const sequence = ++this.#sequence;
    return { view, sequence, bytes: packFrame({ view, sequence, ...header }, payload) };
  }
}

const floatBits = new Uint32Array(1);
const floatValue = new Float32Array(floatBits.buffer);

/**
 * IEEE 754 half precision, to nearest: 11 significant bits say a depth to half a thousandth in half the bytes, and NaN and the infinities stay what REP 117
 * means by them. Above 65,504 is infinity.
 */
export function toHalf(value: number): number {
  floatValue[0] = value;
  const bits = floatBits[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // subnormal: multiples of 2^-24
    return sign | Math.round(Math.abs(floatValue[0]) * 0x1000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

export function toHalves(values: Float32Array): Uint8Array {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) halves[i] = toHalf(values[i]);
  return new Uint8Array(halves.buffer);
}
