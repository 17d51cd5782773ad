import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { protobufFields } from './protobuf';

/** What a depthgrad ONNX file says about itself (docs/architecture.md, graph contract). Sizes in pixels and cells. */
export interface ModelDescription {
  readonly name: string;
  readonly version: string;
  /** Hex digest of the whole file. */
  readonly sha256: string;
  readonly height: number;
  readonly width: number;
  readonly featureHeight: number;
  readonly featureWidth: number;
  readonly featureChannels: number;
  /** What kind of network, and on which encoder: `depthgrad lite0`. */
  readonly network: string;
  /** First of the four channels in which the graph takes fx, fy, cx, cy (first cell); undefined where it does not. */
  readonly intrinsicsChannel?: number;
}

export interface ModelFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly description: ModelDescription;
}

const FORMAT = 'depthgrad-onnx/1';
const HOW_TO_GET_ONE = 'make one with "npx depthgrad export", or use the package\'s models/default.onnx';

/** A model file that is missing, damaged or not one of ours; the message names the file and what to do. */
export class ModelFileError extends Error {
  override readonly name = 'ModelFileError';
}

/**
 * Reads a model file and checks, before any of it is run, that it is whole and follows the graph contract.
 * Throws ModelFileError otherwise.
 */
export async function readModelFile(path: string): Promise<ModelFile> {
  let bytes: Uint8Array;
  // Before it is opened: a pipe nobody writes to would hold the thread that opens it for good, and a device gives bytes without end.
  const found = await stat(path).catch(() => undefined); // the reader says what is wrong with the path
  if (found && !found.isFile())
    throw new ModelFileError(`model file ${path}: is no file, but a folder, a pipe or a device; ${HOW_TO_GET_ONE}`);
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new ModelFileError(`model file ${path}: cannot be read (${(error as Error).message}); ${HOW_TO_GET_ONE}`);
  }
  return { path, bytes, description: describeModel(path, bytes) };
}

/** Reads the metadata out of a model's bytes; `path` is for the messages. Throws ModelFileError. */
export function describeModel(path: string, bytes: Uint8Array): ModelDescription {
  if (bytes.length === 0) throw new ModelFileError(`model file ${path}: is empty; ${HOW_TO_GET_ONE}`);
  let metadata: Map<string, string>;
  try {
    metadata = readOnnxMetadata(bytes);
  } catch (error) {
    throw new ModelFileError(
      `model file ${path}: truncated or not an ONNX file (${(error as Error).message}); ${HOW_TO_GET_ONE}`,
    );
  }
  const format = metadata.get('format');
  if (format !== FORMAT) {
    throw new ModelFileError(
      `model file ${path}: not a depthgrad model, or truncated: its metadata "format" is ${format === undefined ? 'missing' : `"${format}"`}, not "${FORMAT}"; ${HOW_TO_GET_ONE}`,
    );
  }
  const size = (key: string): number => {
    const value = Number(metadata.get(key));
    if (!Number.isInteger(value) || value <= 0) {
      throw new ModelFileError(
        `model file ${path}: metadata "${key}" is "${metadata.get(key)}", not a positive integer`,
      );
    }
    return value;
  };
  return {
    name: metadata.get('name') ?? 'unnamed',
    version: metadata.get('version') ?? '0',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    network: `${metadata.get('network') ?? 'depthgrad'} ${metadata.get('encoder') ?? 'none'}`,
    height: size('height'),
    width: size('width'),
    featureHeight: size('feature_height'),
    featureWidth: size('feature_width'),
    featureChannels: size('feature_channels'),
    intrinsicsChannel: metadata.has('intrinsics_channel') ? size('intrinsics_channel') : undefined,
  };
}

/** ModelProto.metadata_props, repeated StringStringEntryProto { key = 1; value = 2 } (onnx.proto3). */
export const METADATA_PROPS = 14;

/**
 * metadata_props of an ONNX file, by a walk over ModelProto's outermost fields: the weights are stepped over, not
 * decoded. Throws Error where a field reaches past the end, which is how a truncated file shows.
 */
export function readOnnxMetadata(bytes: Uint8Array): Map<string, string> {
  const metadata = new Map<string, string>();
  for (const field of protobufFields(bytes)) {
    if (field.number !== METADATA_PROPS || !field.content) continue;
    let key = '';
    let value = '';
    for (const entry of protobufFields(field.content)) {
      if (entry.number === 1 && entry.content) key = Buffer.from(entry.content).toString('utf8');
      if (entry.number === 2 && entry.content) value = Buffer.from(entry.content).toString('utf8');
    }
    metadata.set(key, value);
  }
  return metadata;
}
