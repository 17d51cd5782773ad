/** Reads an exported model back, so that training and adaptation can start from a model.onnx. */
import { readFileSync } from 'node:fs';
import { onnx } from 'onnx-proto';
import { isEncoderName } from '../encoders/index';
import { DepthNetwork } from '../network';
import { kernelFromOnnx } from './layers';
import { metadataFromEntries, type DepthgradMetadata } from './metadata';

export interface LoadedModel {
  network: DepthNetwork;
  metadata: DepthgradMetadata;
}

/** @throws Error naming the file when it is missing, truncated, not made by depthgrad, or lacks weights */
export function loadNetworkFromOnnx(path: string): DepthNetwork {
  return loadModelFromOnnx(path).network;
}

/** As `loadNetworkFromOnnx`, with the file's metadata. */
export function loadModelFromOnnx(path: string): LoadedModel {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`);
  }
  try {
    return parseModelFromOnnx(bytes);
  } catch (error) {
    throw new Error(`${path} is not a usable depthgrad model: ${(error as Error).message}`);
  }
}

/** The same of a file's bytes. @throws Error saying what is wrong with them */
export function parseModelFromOnnx(bytes: Uint8Array): LoadedModel {
  const model = decode(bytes);
  const metadata = metadataFromEntries(new Map(model.metadataProps.map(({ key, value }) => [key ?? '', value ?? ''])));
  const { encoder, height, width, fusionLambda } = metadata;
  if (!isEncoderName(encoder)) throw new Error(`its encoder '${encoder}' is not known`);
  const initializers = new Map((model.graph?.initializer ?? []).map((tensor) => [tensor.name ?? '', tensor]));
  const network = DepthNetwork.create({ encoder, height, width, fusionLambda, seed: 0 });
  try {
    const weights = new Map<string, Float32Array>();
    for (const [name, variable] of network.namedVariables()) {
      const values = floatsOf(initializers.get(name), name, variable.size);
      const depthwise = name.endsWith('/depthwise_kernel');
      const isKernel = variable.shape.length === 4;
      weights.set(name, isKernel ? kernelFromOnnx(values, variable.shape, depthwise) : values);
    }
    network.setWeights(weights);
  } catch (error) {
    network.dispose();
    throw error;
  }
  return { network, metadata };
}

function decode(bytes: Uint8Array): onnx.ModelProto {
  if (bytes.length === 0) throw new Error('it is empty');
  try {
    return onnx.ModelProto.decode(bytes);
  } catch (error) {
    throw new Error(`it is truncated or no ONNX file (${(error as Error).message})`);
  }
}

function floatsOf(tensor: onnx.ITensorProto | undefined, name: string, size: number): Float32Array {
  const raw = tensor?.rawData;
  if (!tensor || !raw) throw new Error(`it has no weights '${name}'`);
  if (tensor.dataType !== onnx.TensorProto.DataType.FLOAT || raw.length !== 4 * size) {
    throw new Error(`its weights '${name}' are not ${size} float32 numbers`);
  }
  return new Float32Array(Uint8Array.from(raw).buffer);
}
