/** The protobuf wire format, as far as an ONNX file's bytes are taken apart and put together again without decoding its weights. */

export interface ProtobufField {
  readonly number: number;
  /** Set for length-delimited fields only; a view. */
  readonly content?: Uint8Array;
  /** The field as it is in the message, tag included; a view. */
  readonly whole: Uint8Array;
}

/** The fields of one message in their order. Throws Error where one reaches past the end, which is how a truncated file shows. */
export function* protobufFields(bytes: Uint8Array): Generator<ProtobufField> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (at >= bytes.length) throw new Error(`ends inside a number at byte ${at}`);
      if (factor > 2 ** 63) throw new Error(`bad number at byte ${at}`);
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    let length: number;
    if (wireType === 0) {
      varint();
      yield { number, whole: bytes.subarray(start, at) };
      continue;
    } else if (wireType === 1) length = 8;
    else if (wireType === 2) length = varint();
    else if (wireType === 5) length = 4;
    else throw new Error(`unknown wire type ${wireType} at byte ${start}`);
    if (number === 0) throw new Error(`field number 0 at byte ${start}`);
    if (at + length > bytes.length) {
      throw new Error(`the field at byte ${start} needs ${length} bytes, ${bytes.length - at} are left`);
    }
    const content = wireType === 2 ? bytes.subarray(at, at + length) : undefined;
    at += length;
    yield { number, content, whole: bytes.subarray(start, at) };
  }
}

/** Tag and length of a length-delimited field, to be followed by its content. */
export function protobufHeader(number: number, length: number): Uint8Array {
  return Uint8Array.from([...varint(number * 8 + 2), ...varint(length)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}
