/**
 * The safetensors file format (huggingface/safetensors: 8-byte little-endian header length, JSON header, raw data), float32 only.
 * Written to a temporary file, fsynced, renamed, so that a crash or a full disk leaves the previous file whole.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface NamedTensor {
  shape: number[];
  data: Float32Array;
}

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** What to tell a user whose file could not be written. */
export function writeFailure(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const full = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    EFBIG: 'the file size limit is reached',
  }[code ?? ''];
  if (full) return `${full} (${message}); free some space and start again`;
  const other = {
    ENOENT: 'its folder is not there; make it first',
    EACCES: 'its folder may not be written to; choose another or change its rights',
    EROFS: 'its file system is read-only; choose another folder',
  }[code ?? ''];
  return other ? `${other} (${code})` : message;
}

/** Writes `chunks` to `path` so that either the old or the whole new file is there. @throws Error naming the file */
export function writeFileAtomically(path: string, chunks: Iterable<Uint8Array>): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      for (const chunk of chunks) {
        for (let done = 0; done < chunk.length;) done += writeSync(file, chunk, done, chunk.length - done);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Error(`cannot write ${path}: ${writeFailure(error)}; what was there before is untouched`, {
      cause: error,
    });
  }
}

/** @throws Error naming the file when it cannot be written; the previous file then stays */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Record<string, string> = {},
): void {
  const header: Record<string, HeaderEntry | Record<string, string>> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    const size = shape.reduce((product, side) => product * side, 1);
    if (size !== data.length)
      throw new Error(`tensor "${name}" has ${data.length} numbers but shape [${shape.join(', ')}]`);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  let json = JSON.stringify(header);
  json += ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  const bytes = [...tensors.values()].map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  writeFileAtomically(path, [length, Buffer.from(json), ...bytes]);
}

/** @throws Error naming the file and what is wrong: missing, truncated, not safetensors, another number type */
export function readSafetensors(path: string): { tensors: Map<string, NamedTensor>; metadata: Record<string, string> } {
  const fail = (reason: string): never => {
    throw new Error(`${path} is not a usable safetensors file: ${reason}`);
  };
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`);
  }
  if (file.length < 8) fail(`it has only ${file.length} bytes`);
  const headerLength = Number(file.readBigUInt64LE(0));
  if (headerLength < 2 || headerLength > file.length - 8)
    fail('its header length does not fit the file (truncated, or another format)');
  let header: Record<string, HeaderEntry>;
  try {
    header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<string, HeaderEntry>;
  } catch {
    return fail('its header is not JSON');
  }
  const { __metadata__: metadata, ...entries } = header as Record<string, HeaderEntry> & {
    __metadata__?: Record<string, string>;
  };
  const tensors = new Map<string, NamedTensor>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(entries)) {
    if (dtype !== 'F32') fail(`tensor "${name}" is ${dtype}; only F32 is read`);
    const [begin, end] = offsets;
    const size = shape.reduce((product, side) => product * side, 1);
    if (end - begin !== 4 * size) fail(`tensor "${name}" has ${end - begin} bytes but shape [${shape.join(', ')}]`);
    if (8 + headerLength + end > file.length) fail(`tensor "${name}" ends after the file does (truncated)`);
    const data = new Float32Array(size);
    new Uint8Array(data.buffer).set(file.subarray(8 + headerLength + begin, 8 + headerLength + end));
    tensors.set(name, { shape, data });
  }
  return { tensors, metadata: (metadata as Record<string, string> | undefined) ?? {} };
}
