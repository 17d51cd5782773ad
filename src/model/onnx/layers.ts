/**
 * Walks a tf.LayersModel and writes its layers as ONNX nodes, channels first (what onnxruntime's CPU kernels are fastest
 * on). Weights keep the variables' names; kernels are transposed from tfjs's [kh, kw, in, out] to ONNX's
 * [out, in, kh, kw], depthwise ones from [kh, kw, c, 1] to [c, 1, kh, kw].
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { Affine, CropTo, DepthToSpace, LogDisparity, SpatialMean } from '../layers';
import { MatchFlow } from '../matchFlow';
import type { GraphWriter } from './graphWriter';
import { writeMatchFlow } from './matchFlow';

/** A feature map in the graph: batch 1, channels first. */
export interface GraphMap {
  value: string;
  height: number;
  width: number;
  channels: number;
}

/** TensorFlow's 'same' padding along one axis. */
export function samePadding(size: number, kernel: number, stride: number): { before: number; after: number } {
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0);
  return { before: total >> 1, after: total - (total >> 1) };
}

/** [kh, kw, in, out] -> [out, in, kh, kw]; a depthwise [kh, kw, c, 1] -> [c, 1, kh, kw]. */
export function kernelToOnnx(kernel: Float32Array, shape: readonly number[], depthwise: boolean): Float32Array {
  return permuteKernel(kernel, shape, depthwise, false);
}

/** The inverse of `kernelToOnnx`; `shape` is tfjs's. */
export function kernelFromOnnx(kernel: Float32Array, shape: readonly number[], depthwise: boolean): Float32Array {
  return permuteKernel(kernel, shape, depthwise, true);
}

function permuteKernel(from: Float32Array, shape: readonly number[], depthwise: boolean, back: boolean): Float32Array {
  const [taps, inputs, outputs] = [shape[0] * shape[1], depthwise ? 1 : shape[2], depthwise ? shape[2] : shape[3]];
  const to = new Float32Array(from.length);
  for (let o = 0, onnxIndex = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < taps; tap++, onnxIndex++) {
        const tfjsIndex = (tap * inputs + i) * outputs + o;
        if (back) to[tfjsIndex] = from[onnxIndex];
        else to[onnxIndex] = from[tfjsIndex];
      }
    }
  }
  return to;
}

/**
 * Writes one model.
 *
 * @param inputs maps for the model's inputs, in its order
 * @param variables the network's variables by stable name
 * @returns maps of the model's outputs, in its order (the mean over space has height = width = 0: it is [1, channels])
 * @throws Error naming a layer that has no ONNX form here
 */
export function writeLayersModel(
  graph: GraphWriter,
  model: tf.LayersModel,
  inputs: readonly GraphMap[],
  variables: ReadonlyMap<string, tf.Variable>,
): GraphMap[] {
  const maps = new Map<number, GraphMap>();
  model.inputs.forEach((tensor, i) => maps.set(tensor.id, inputs[i]));
  for (const layer of model.layers) {
    if (layer.getClassName() === 'InputLayer') continue;
    const [{ inputTensors, outputTensors }] = layer.inboundNodes;
    const sources = inputTensors.map((tensor) => {
      const map = maps.get(tensor.id);
      if (map === undefined) throw new Error(`layer '${layer.name}' comes before one it needs`);
      return map;
    });
    maps.set(outputTensors[0].id, writeLayer(graph, layer, sources, variables));
  }
  return model.outputs.map((tensor) => maps.get(tensor.id)!);
}

function writeLayer(
  graph: GraphWriter,
  layer: tf.layers.Layer,
  sources: GraphMap[],
  variables: ReadonlyMap<string, tf.Variable>,
): GraphMap {
  const [source] = sources;
  if (layer instanceof Affine) return writeAffine(graph, layer, source);
  if (layer instanceof MatchFlow) return writeMatchFlow(graph, sources);
  if (layer instanceof CropTo) return writeCrop(graph, layer.name, source, sources[1]);
  if (layer instanceof DepthToSpace) {
    const value = graph.node('DepthToSpace', [source.value], { blocksize: 2 });
    return { value, height: 2 * source.height, width: 2 * source.width, channels: source.channels / 4 };
  }
  if (layer instanceof LogDisparity) {
    const { near, far } = layer.settings;
    const range = graph.floats(`${layer.name}/range`, [Math.log(far / near)], []);
    const offset = graph.floats(`${layer.name}/offset`, [-Math.log(far)], []);
    const share = graph.node('Sigmoid', [source.value]);
    return { ...source, value: graph.node('Add', [graph.node('Mul', [share, range]), offset]) };
  }
  if (layer instanceof SpatialMean) {
    const value = graph.node('ReduceMean', [source.value, graph.integers('space', [2, 3])], { keepdims: 0 });
    return { value, height: 0, width: 0, channels: source.channels };
  }
  switch (layer.getClassName()) {
    case 'Conv2D':
    case 'DepthwiseConv2D':
      return writeConvolution(graph, layer, source, variables);
    case 'UpSampling2D': {
      const scales = graph.floats('twice', [1, 1, 2, 2], [4]);
      const value = graph.node('Resize', [source.value, '', scales], {
        mode: 'nearest',
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: 'floor',
      });
      return { ...source, value, height: 2 * source.height, width: 2 * source.width };
    }
    case 'Concatenate': {
      const inputs = sources.map((map) => map.value);
      const channels = sources.reduce((sum, map) => sum + map.channels, 0);
      return { ...source, value: graph.node('Concat', inputs, { axis: 1 }), channels };
    }
    case 'Add':
      return { ...source, value: graph.node('Add', [source.value, sources[1].value]) };
    case 'Activation':
      return { ...source, value: writeActivation(graph, layer, source.value) };
    case 'MaxPooling2D': {
      const { poolSize, strides } = layer.getConfig() as { poolSize: number[]; strides: number[] };
      return writeWindow(source, poolSize, strides, source.channels, (attributes) =>
        graph.node('MaxPool', [source.value], attributes),
      );
    }
    default:
      throw new Error(`layer '${layer.name}' (${layer.getClassName()}) has no ONNX form in src/model/onnx/layers.ts`);
  }
}

function writeAffine(graph: GraphWriter, layer: Affine, source: GraphMap): GraphMap {
  const constant = (kind: 'scale' | 'offset'): string => {
    const setting = layer.settings[kind];
    if (!Array.isArray(setting)) return graph.floats(`${layer.name}/${kind}`, [setting], []);
    const shape = source.height > 0 ? [setting.length, 1, 1] : [setting.length];
    return graph.floats(`${layer.name}/${kind}`, setting, shape);
  };
  const scaled = graph.node('Mul', [source.value, constant('scale')]);
  if (layer.settings.offset === 0) return { ...source, value: scaled };
  return { ...source, value: graph.node('Add', [scaled, constant('offset')]) };
}

function writeCrop(graph: GraphWriter, name: string, source: GraphMap, like: GraphMap): GraphMap {
  const { height, width } = like;
  if (source.height === height && source.width === width) return source;
  const starts = graph.integers(`${name}/starts`, [0, 0]);
  const ends = graph.integers(`${name}/ends`, [height, width]);
  const value = graph.node('Slice', [source.value, starts, ends, graph.integers('space', [2, 3])]);
  return { ...source, value, height, width };
}

function writeConvolution(
  graph: GraphWriter,
  layer: tf.layers.Layer,
  source: GraphMap,
  variables: ReadonlyMap<string, tf.Variable>,
): GraphMap {
  const depthwise = layer.getClassName() === 'DepthwiseConv2D';
  const kernelName = `${layer.name}/${depthwise ? 'depthwise_kernel' : 'kernel'}`;
  const kernel = variables.get(kernelName);
  const bias = variables.get(`${layer.name}/bias`);
  if (!kernel || !bias) throw new Error(`layer '${layer.name}' has no variables '${kernelName}' and bias`);
  const [height, width, inputs, outputs] = kernel.shape;
  const { strides, padding } = layer.getConfig() as { strides: number[]; padding: string };
  if (padding !== 'same') throw new Error(`layer '${layer.name}' has padding '${padding}'; the exporter knows 'same'`);
  const channels = depthwise ? inputs : outputs;
  const inOnnx = kernelToOnnx(kernel.dataSync<'float32'>(), kernel.shape, depthwise);
  const weights = graph.floats(kernelName, inOnnx, [channels, depthwise ? 1 : inputs, height, width]);
  const biases = graph.floats(`${layer.name}/bias`, bias.dataSync<'float32'>().slice(), [channels]);
  const map = writeWindow(source, [height, width], strides, channels, (attributes) =>
    graph.node('Conv', [source.value, weights, biases], { ...attributes, group: depthwise ? channels : 1 }),
  );
  return { ...map, value: writeActivation(graph, layer, map.value) };
}

function writeWindow(
  source: GraphMap,
  kernel: readonly number[],
  strides: readonly number[],
  channels: number,
  write: (attributes: Record<string, readonly number[]>) => string,
): GraphMap {
  const rows = samePadding(source.height, kernel[0], strides[0]);
  const columns = samePadding(source.width, kernel[1], strides[1]);
  const pads = [rows.before, columns.before, rows.after, columns.after];
  const value = write({ kernel_shape: kernel, strides, pads });
  const height = Math.ceil(source.height / strides[0]);
  return { value, height, width: Math.ceil(source.width / strides[1]), channels };
}

function writeActivation(graph: GraphWriter, layer: tf.layers.Layer, value: string): string {
  const { activation } = layer.getConfig() as { activation: string };
  if (activation === 'linear') return value;
  if (activation === 'relu') return graph.node('Relu', [value]);
  if (activation === 'relu6') {
    return graph.node('Clip', [value, graph.floats('zero', [0], []), graph.floats('six', [6], [])]);
  }
  throw new Error(`layer '${layer.name}' has activation '${activation}', which the exporter does not know`);
}
