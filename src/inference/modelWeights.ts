/**
 * The difference of two model files of one network, so that only weights that changed travel: an ONNX ModelProto that holds the replaced
 * initializers and the new file's metadata, and nothing else. Put into the old file it gives the new file, byte for byte.
 */
import { METADATA_PROPS } from './modelFile';
import { protobufFields, protobufHeader } from './protobuf';

// Field numbers of onnx.proto3.
const GRAPH = 7; // ModelProto.graph
const INITIALIZER = 5; // GraphProto.initializer
const TENSOR_NAME = 8; // TensorProto.name
const TENSOR_NUMBERS: ReadonlySet<number> = new Set([4, 9]); // TensorProto.float_data, raw_data

/** @returns undefined where the two differ in more than numbers and metadata: then the whole file has to travel */
export function weightsBetween(parent: Uint8Array, child: Uint8Array): Uint8Array | undefined {
  const before = initializers(parent);
  const changed = [...initializers(child)].filter(([name, tensor]) => !equal(before.get(name), tensor));
  const graph = Buffer.concat(
    changed.flatMap(([, tensor]) => [protobufHeader(INITIALIZER, tensor.length), tensor] as const),
  );
  const weights = Buffer.concat([protobufHeader(GRAPH, graph.length), graph, ...metadataOf(child)]);
  try {
    return equal(withWeights(parent, weights), child) ? weights : undefined;
  } catch {
    return undefined; // an initializer that the parent does not have, or of another shape
  }
}

/**
 * The bytes of the file `weightsBetween` was given as the child.
 *
 * @throws Error where `weights` is no such difference, names an initializer that the parent does not have, or changes a shape
 */
export function withWeights(parent: Uint8Array, weights: Uint8Array): Uint8Array {
  for (const { number } of protobufFields(weights)) {
    if (number !== GRAPH && number !== METADATA_PROPS)
      throw new Error(`field ${number} is neither weights nor metadata`);
  }
  const replaced = initializers(weights);
  let metadata = metadataOf(weights);
  const pieces: Uint8Array[] = [];
  for (const { number, content, whole } of protobufFields(parent)) {
    if (number === GRAPH && content) {
      const graph = replaceInitializers(content, replaced);
      pieces.push(protobufHeader(GRAPH, graph.length), graph);
    } else if (number === METADATA_PROPS) {
      pieces.push(...metadata); // where the first entry was
      metadata = [];
    } else pieces.push(whole);
  }
  const [unknown] = replaced.keys();
  if (unknown !== undefined) throw new Error(`the model has no initializer "${unknown}"`);
  return Buffer.concat([...pieces, ...metadata]);
}

/** Takes what it uses out of `replaced`. */
function replaceInitializers(graph: Uint8Array, replaced: Map<string, Uint8Array>): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const { number, content, whole } of protobufFields(graph)) {
    const name = number === INITIALIZER && content ? tensorName(content) : undefined;
    const tensor = name === undefined ? undefined : replaced.get(name);
    if (!tensor) {
      pieces.push(whole);
      continue;
    }
    if (tensor.length !== content!.length || !equal(frame(tensor), frame(content!))) {
      throw new Error(`initializer "${name}" has another type or shape than the model's`);
    }
    pieces.push(protobufHeader(INITIALIZER, tensor.length), tensor);
    replaced.delete(name!);
  }
  return Buffer.concat(pieces);
}

function initializers(model: Uint8Array): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const field of protobufFields(model)) {
    if (field.number !== GRAPH || !field.content) continue;
    for (const { number, content } of protobufFields(field.content)) {
      if (number === INITIALIZER && content) found.set(tensorName(content), content);
    }
  }
  return found;
}

function metadataOf(model: Uint8Array): Uint8Array[] {
  return [...protobufFields(model)].filter(({ number }) => number === METADATA_PROPS).map(({ whole }) => whole);
}

function tensorName(tensor: Uint8Array): string {
  for (const { number, content } of protobufFields(tensor)) {
    if (number === TENSOR_NAME && content) return Buffer.from(content).toString('utf8');
  }
  return '';
}

/** A tensor without its numbers: name, type, shape. */
function frame(tensor: Uint8Array): Uint8Array {
  return Buffer.concat(
    [...protobufFields(tensor)].filter(({ number }) => !TENSOR_NUMBERS.has(number)).map(({ whole }) => whole),
  );
}

function equal(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
