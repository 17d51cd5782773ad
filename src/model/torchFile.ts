/**
 * Reads the tensors of a PyTorch state dict saved in the format before torch 1.6: five pickles (magic number, protocol,
 * system, the dict, the storages' keys), then every storage's numbers. Nothing in the file is executed: the pickle
 * opcodes below build plain lists and numbers, and any class other than the four a state dict needs is refused.
 */
import { readFileSync } from 'node:fs';
import type { NamedTensor } from './safetensors';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const itemBytes: Readonly<Record<string, number>> = {
  'torch FloatStorage': 4,
  'torch LongStorage': 8,
  'torch IntStorage': 4,
  'torch HalfStorage': 2,
  'torch DoubleStorage': 8,
};

/** Stands on the stack where a tuple, list or dictionary begins. */
const mark = Symbol('mark');
class Global {
  constructor(readonly name: string) {}
}
class StorageReference {
  constructor(
    readonly key: string,
    readonly kind: string,
  ) {}
}
class StoredTensor {
  constructor(
    readonly storage: StorageReference,
    readonly offset: number,
    readonly shape: number[],
    readonly strides: number[],
  ) {}
}

class PickleReader {
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** One pickle; dictionaries become Maps, tuples and lists arrays. */
  read(): unknown {
    const stack: unknown[] = [];
    const memo = new Map<number, unknown>();
    const pop = (): unknown => stack.pop();
    const top = (): unknown => stack[stack.length - 1];
    const popToMark = (): unknown[] => {
      const start = stack.findLastIndex((item) => item === mark);
      if (start < 0) throw new Error('a pickle mark is missing');
      const items = stack.splice(start);
      return items.slice(1);
    };
    for (;;) {
      const opcode = String.fromCharCode(this.#take(1)[0]);
      switch (opcode) {
        case '\x80': // PROTO
          this.#take(1);
          break;
        case '.': // STOP
          return pop();
        case '(':
          stack.push(mark);
          break;
        case 'N':
          stack.push(null);
          break;
        case '\x88':
          stack.push(true);
          break;
        case '\x89':
          stack.push(false);
          break;
        case 'K':
          stack.push(this.#take(1)[0]);
          break;
        case 'M':
          stack.push(this.#take(2).readUInt16LE());
          break;
        case 'J':
          stack.push(this.#take(4).readInt32LE());
          break;
        case '\x8a': {
          const digits = Buffer.from(this.#take(this.#take(1)[0])).reverse();
          stack.push(digits.length === 0 ? 0n : BigInt(`0x${digits.toString('hex')}`));
          break;
        }
        case 'X':
          stack.push(this.#take(this.#take(4).readUInt32LE()).toString('utf8'));
          break;
        case '}':
          stack.push(new Map<unknown, unknown>());
          break;
        case ']':
        case ')':
          stack.push([]);
          break;
        case 't':
          stack.push(popToMark());
          break;
        case '\x85':
          stack.push([pop()]);
          break;
        case '\x86':
          stack.push(stack.splice(-2));
          break;
        case 'q':
          memo.set(this.#take(1)[0], top());
          break;
        case 'r':
          memo.set(this.#take(4).readUInt32LE(), top());
          break;
        case 'h':
          stack.push(memo.get(this.#take(1)[0]));
          break;
        case 'j':
          stack.push(memo.get(this.#take(4).readUInt32LE()));
          break;
        case 'a': {
          const item = pop();
          (top() as unknown[]).push(item);
          break;
        }
        case 'e': {
          const items = popToMark();
          (top() as unknown[]).push(...items);
          break;
        }
        case 's': {
          const [key, value] = stack.splice(-2);
          (top() as Map<unknown, unknown>).set(key, value);
          break;
        }
        case 'u': {
          const items = popToMark();
          for (let i = 0; i < items.length; i += 2) (top() as Map<unknown, unknown>).set(items[i], items[i + 1]);
          break;
        }
        case 'c':
          stack.push(new Global(`${this.#line()} ${this.#line()}`));
          break;
        case 'Q': {
          const [, kind, key] = pop() as [string, Global, string];
          stack.push(new StorageReference(key, kind.name));
          break;
        }
        case 'R': {
          const args = pop() as unknown[];
          stack.push(call(pop() as Global, args));
          break;
        }
        case 'b': // BUILD only sets _metadata on the dict here
          pop();
          break;
        default:
          throw new Error(`pickle opcode 0x${opcode.charCodeAt(0).toString(16)} is not known`);
      }
    }
  }

  #take(count: number): Buffer {
    if (this.position + count > this.#bytes.length) throw new Error('it ends too early (truncated)');
    this.position += count;
    return this.#bytes.subarray(this.position - count, this.position);
  }

  #line(): string {
    const end = this.#bytes.indexOf('\n', this.position);
    if (end < 0) throw new Error('it ends too early (truncated)');
    const line = this.#bytes.toString('utf8', this.position, end);
    this.position = end + 1;
    return line;
  }
}

function call(callee: Global, args: unknown[]): unknown {
  if (callee.name === 'collections OrderedDict') return new Map<unknown, unknown>();
  if (callee.name === 'torch._utils _rebuild_tensor_v2') {
    const [storage, offset, shape, strides] = args as [StorageReference, number, number[], number[]];
    return new StoredTensor(storage, offset, shape, strides);
  }
  throw new Error(`the class '${callee.name}' does not belong into a state dict`);
}

/** The tensor's numbers in row-major order; tensors converted from TensorFlow lie transposed in their storage. */
function gather({ offset, shape, strides }: StoredTensor, storage: Float32Array): Float32Array {
  const size = shape.reduce((product, side) => product * side, 1);
  const last = shape.reduce((sum, side, axis) => sum + (side - 1) * strides[axis], offset);
  if (size > 0 && last >= storage.length) throw new Error('a tensor is longer than its storage');
  const values = new Float32Array(size);
  const index = shape.map(() => 0);
  for (let to = 0, from = offset; to < size; to++) {
    values[to] = storage[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return values;
}

/**
 * The float32 tensors of a state dict by name, in PyTorch's layouts; tensors of other types (counters) are left out.
 *
 * @throws Error naming the file when it is missing, truncated or no state dict in the old format
 */
export function readTorchStateDict(path: string): Map<string, NamedTensor> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`);
  }
  try {
    return parseStateDict(bytes);
  } catch (error) {
    throw new Error(`${path} is not a usable PyTorch state dict: ${(error as Error).message}`);
  }
}

function parseStateDict(bytes: Buffer): Map<string, NamedTensor> {
  const reader = new PickleReader(bytes);
  if (reader.read() !== magicNumber) throw new Error('its magic number is wrong (another format?)');
  reader.read(); // protocol
  reader.read(); // system
  const dict = reader.read();
  const keys = reader.read();
  if (!(dict instanceof Map) || !Array.isArray(keys)) throw new Error('it holds no dictionary of tensors');
  const kinds = new Map<string, string>();
  for (const value of dict.values()) {
    if (value instanceof StoredTensor) kinds.set(value.storage.key, value.storage.kind);
  }
  const storages = new Map<string, Float32Array>();
  let position = reader.position;
  for (const key of keys as string[]) {
    const kind = kinds.get(key) ?? '';
    const size = itemBytes[kind];
    if (size === undefined) throw new Error(`storage ${key} has the unknown type '${kind}'`);
    if (position + 8 > bytes.length) throw new Error('it ends too early (truncated)');
    const count = Number(bytes.readBigInt64LE(position));
    const end = position + 8 + count * size;
    if (count < 0 || end > bytes.length) throw new Error('it ends too early (truncated)');
    if (kind === 'torch FloatStorage') {
      const numbers = new Float32Array(count);
      new Uint8Array(numbers.buffer).set(bytes.subarray(position + 8, end));
      storages.set(key, numbers);
    }
    position = end;
  }
  const tensors = new Map<string, NamedTensor>();
  for (const [name, value] of dict as Map<string, unknown>) {
    if (!(value instanceof StoredTensor) || value.storage.kind !== 'torch FloatStorage') continue;
    const storage = storages.get(value.storage.key);
    if (storage === undefined) throw new Error(`tensor '${name}' has no storage`);
    tensors.set(name, { shape: value.shape, data: gather(value, storage) });
  }
  return tensors;
}
