/**
 * Walks a tf.LayersModel and writes its layers as ONNX nodes, channels first (what onnxruntime's CPU kernels are fastest
 * on). Weights keep the variables' names; kernels are transposed from tfjs's [kh, kw, in, out] to ONNX's
 * [out, in, kh, kw], depthwise ones from [kh, kw, c, 1] to [c, 1, kh, kw]; those of transposed convolutions, whose in and out are
 * the other way round in both, likewise.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { Affine, CropTo, DepthToSpace, LogDisparity, SpatialMean } from '../layers';
import { MatchFlow } from '../matchFlow';
import { UpConvolution } from '../networks/resample';
import type { Attributes, GraphWriter } from './graphWriter';
import { writeMatchFlow } from './matchFlow';

/** A feature map in the graph: batch 1, channels first. With height = width = 0 it is a vector, [1, channels]. */
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

/** The network's variables by stable name, which is `prefix` and the layer's own. */
interface NamedWeights {
  variables: ReadonlyMap<string, tf.Variable>;
  prefix: string;
}

/**
 * Writes one model.
 *
 * @param inputs maps for the model's inputs, in its order
 * @param variables the network's variables by stable name
 * @param prefix of the model's variables, where a network has layers of one name in several models
 * @returns maps of the model's outputs, in its order
 * @throws Error naming a layer that has no ONNX form here
 */
export function writeLayersModel(
  graph: GraphWriter,
  model: tf.LayersModel,
  inputs: readonly GraphMap[],
  variables: ReadonlyMap<string, tf.Variable>,
  prefix = '',
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
    maps.set(outputTensors[0].id, writeLayer(graph, layer, sources, { variables, prefix }));
  }
  return model.outputs.map((tensor) => maps.get(tensor.id)!);
}

function writeLayer(graph: GraphWriter, layer: tf.layers.Layer, sources: GraphMap[], named: NamedWeights): GraphMap {
  const [source] = sources;
  if (layer instanceof Affine) return writeAffine(graph, layer, source);
  if (layer instanceof MatchFlow) return writeMatchFlow(graph, sources);
  if (layer instanceof CropTo) return writeCrop(graph, layer.name, source, sources[1]);
  if (layer instanceof DepthToSpace) {
    const value = graph.node('DepthToSpace', [source.value], { blocksize: 2 });
    return { value, height: 2 * source.height, width: 2 * source.width, channels: source.channels / 4 };
  }
  if (layer instanceof LogDisparity) return writeLogDisparity(graph, layer, source);
  if (layer instanceof UpConvolution) return writeUpConvolution(graph, layer, source, named);
  if (layer instanceof SpatialMean) {
    const value = graph.node('ReduceMean', [source.value, graph.integers('space', [2, 3])], { keepdims: 0 });
    return { value, height: 0, width: 0, channels: source.channels };
  }
  switch (layer.getClassName()) {
    case 'Conv2D':
    case 'DepthwiseConv2D':
      return writeConvolution(graph, layer, source, named);
    case 'Conv2DTranspose':
      return writeTransposed(graph, layer, source, named);
    case 'BatchNormalization':
      return writeNormalisation(graph, layer, source, named);
    case 'Flatten': {
      const size = source.height * source.width * source.channels;
      const value = graph.shaped(graph.node('Transpose', [source.value], { perm: [0, 2, 3, 1] }), [1, size]);
      return { value, height: 0, width: 0, channels: size };
    }
    case 'Dense':
      return writeDense(graph, layer, source, named);
    case 'Reshape': {
      const [height, width, channels] = (layer.getConfig() as { targetShape: number[] }).targetShape;
      const value = graph.node('Transpose', [graph.shaped(source.value, [1, height, width, channels])], {
        perm: [0, 3, 1, 2],
      });
      return { value, height, width, channels };
    }
    case 'Multiply':
      return { ...source, value: graph.node('Mul', [source.value, sources[1].value]) };
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
      const { poolSize, strides, padding } = layer.getConfig() as {
        poolSize: number[];
        strides: number[];
        padding: string;
      };
      const write = (attributes: Attributes): string => graph.node('MaxPool', [source.value], attributes);
      if (padding === 'same') return writeWindow(source, poolSize, strides, source.channels, write);
      const reached = (size: number, axis: 0 | 1): number => Math.floor((size - poolSize[axis]) / strides[axis]) + 1;
      const value = write({ kernel_shape: poolSize, strides });
      return { ...source, value, height: reached(source.height, 0), width: reached(source.width, 1) };
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

export function writeLogDisparity(graph: GraphWriter, layer: LogDisparity, source: GraphMap): GraphMap {
  const { near, far } = layer.settings;
  const range = graph.floats(`${layer.name}/range`, [Math.log(far / near)], []);
  const offset = graph.floats(`${layer.name}/offset`, [-Math.log(far)], []);
  const share = graph.node('Sigmoid', [source.value]);
  return { ...source, value: graph.node('Add', [graph.node('Mul', [share, range]), offset]) };
}

/** The map enlarged linearly with half-pixel centres, as `resizeMap` of ../networks/resample.ts does. */
export function writeEnlarged(graph: GraphWriter, map: GraphMap, height: number, width: number): GraphMap {
  const sizes = graph.integers(`enlarged_${height}_${width}`, [1, map.channels, height, width]);
  const value = graph.node('Resize', [map.value, '', '', sizes], {
    mode: 'linear',
    coordinate_transformation_mode: 'half_pixel',
  });
  return { ...map, value, height, width };
}

function writeCrop(graph: GraphWriter, name: string, source: GraphMap, like: GraphMap): GraphMap {
  const { height, width } = like;
  if (source.height === height && source.width === width) return source;
  const starts = graph.integers(`${name}/starts`, [0, 0]);
  const ends = graph.integers(`${name}/ends`, [height, width]);
  const value = graph.node('Slice', [source.value, starts, ends, graph.integers('space', [2, 3])]);
  return { ...source, value, height, width };
}

function writeConvolution(graph: GraphWriter, layer: tf.layers.Layer, source: GraphMap, named: NamedWeights): GraphMap {
  const depthwise = layer.getClassName() === 'DepthwiseConv2D';
  const [kernelName, kernel] = variableOf(layer, depthwise ? 'depthwise_kernel' : 'kernel', named);
  const [height, width, inputs, outputs] = kernel.shape;
  const strides = stridesOfSame(layer);
  const channels = depthwise ? inputs : outputs;
  const inOnnx = kernelToOnnx(kernel.dataSync<'float32'>(), kernel.shape, depthwise);
  const weights = graph.floats(kernelName, inOnnx, [channels, depthwise ? 1 : inputs, height, width]);
  const biases = vectorOf(graph, layer, 'bias', named);
  const map = writeWindow(source, [height, width], strides, channels, (attributes) =>
    graph.node('Conv', [source.value, weights, biases], { ...attributes, group: depthwise ? channels : 1 }),
  );
  return { ...map, value: writeActivation(graph, layer, map.value) };
}

/** A variable's stable name, which its constant in the graph gets too, and the variable. */
function variableOf(layer: tf.layers.Layer, kind: string, { variables, prefix }: NamedWeights): [string, tf.Variable] {
  const name = `${prefix}${layer.name}/${kind}`;
  const variable = variables.get(name);
  if (!variable) throw new Error(`layer '${layer.name}' has no variable '${name}'`);
  return [name, variable];
}

/** A variable of one axis as a constant. */
function vectorOf(graph: GraphWriter, layer: tf.layers.Layer, kind: string, named: NamedWeights): string {
  const [name, variable] = variableOf(layer, kind, named);
  return graph.floats(name, variable.dataSync<'float32'>().slice(), [variable.size]);
}

function stridesOfSame(layer: tf.layers.Layer): number[] {
  const { strides, padding } = layer.getConfig() as { strides: number[]; padding: string };
  if (padding !== 'same') throw new Error(`layer '${layer.name}' has padding '${padding}'; the exporter knows 'same'`);
  return strides;
}

/** Transposed convolution of stride 2 with padding 'same': the size doubles. */
function writeTransposed(graph: GraphWriter, layer: tf.layers.Layer, source: GraphMap, named: NamedWeights): GraphMap {
  const [name, kernel] = variableOf(layer, 'kernel', named);
  const [height, width, channels, inputs] = kernel.shape;
  const strides = stridesOfSame(layer);
  // A kernel smaller than the stride leaves gaps at the end, which ONNX would not count to the size.
  if (Math.min(height, width) < Math.max(...strides))
    throw new Error(`layer '${layer.name}' has a kernel smaller than its stride, which the exporter does not know`);
  const weights = kernelToOnnx(kernel.dataSync<'float32'>(), kernel.shape, false);
  const size = { height: source.height * strides[0], width: source.width * strides[1] };
  const rows = samePadding(size.height, height, strides[0]);
  const columns = samePadding(size.width, width, strides[1]);
  const value = graph.node(
    'ConvTranspose',
    [
      source.value,
      graph.floats(name, weights, [inputs, channels, height, width]),
      vectorOf(graph, layer, 'bias', named),
    ],
    { kernel_shape: [height, width], strides, pads: [rows.before, columns.before, rows.after, columns.after] },
  );
  return { ...size, value: writeActivation(graph, layer, value), channels };
}

/**
 * Under zero-unpooling a transposed convolution with the kernel turned by half a turn; the average of neighbours is what linear
 * interpolation puts between them.
 */
function writeUpConvolution(graph: GraphWriter, layer: UpConvolution, source: GraphMap, named: NamedWeights): GraphMap {
  const [name, kernel] = variableOf(layer, 'kernel', named);
  const [side, , inputs, channels] = kernel.shape;
  const bias = vectorOf(graph, layer, 'bias', named);
  const size = { height: 2 * source.height, width: 2 * source.width };
  const middle = side >> 1;
  if (layer.filling === 'zeros') {
    const turned = tf.tidy(() => tf.transpose(tf.reverse(kernel, [0, 1]), [2, 3, 0, 1]).dataSync<'float32'>());
    const value = graph.node(
      'ConvTranspose',
      [source.value, graph.floats(`${name}/turned`, turned.slice(), [inputs, channels, side, side]), bias],
      { kernel_shape: [side, side], strides: [2, 2], pads: [middle, middle, middle - 1, middle - 1] },
    );
    return { ...size, value, channels };
  }
  const unpooled = graph.node('Resize', [source.value, '', graph.floats('twice', [1, 1, 2, 2], [4])], {
    mode: 'linear',
    coordinate_transformation_mode: 'asymmetric',
  });
  const weights = kernelToOnnx(kernel.dataSync<'float32'>(), kernel.shape, false);
  const value = graph.node('Conv', [unpooled, graph.floats(name, weights, [channels, inputs, side, side]), bias], {
    kernel_shape: [side, side],
    pads: [middle, middle, middle, middle],
  });
  return { ...size, value, channels };
}

function writeNormalisation(
  graph: GraphWriter,
  layer: tf.layers.Layer,
  source: GraphMap,
  named: NamedWeights,
): GraphMap {
  const { epsilon } = layer.getConfig() as { epsilon: number };
  const parameters = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((kind) =>
    vectorOf(graph, layer, kind, named),
  );
  const value = graph.node('BatchNormalization', [source.value, ...parameters], { epsilon: { float: epsilon } });
  return { ...source, value };
}

function writeDense(graph: GraphWriter, layer: tf.layers.Layer, source: GraphMap, named: NamedWeights): GraphMap {
  const [name, kernel] = variableOf(layer, 'kernel', named);
  const weights = graph.floats(name, kernel.dataSync<'float32'>().slice(), kernel.shape);
  const value = graph.node('Gemm', [source.value, weights, vectorOf(graph, layer, 'bias', named)]);
  return { ...source, value: writeActivation(graph, layer, value), channels: kernel.shape[1]! };
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
  if (activation === 'sigmoid') return graph.node('Sigmoid', [value]);
  if (activation === 'relu') return graph.node('Relu', [value]);
  if (activation === 'relu6') {
    return graph.node('Clip', [value, graph.floats('zero', [0], []), graph.floats('six', [6], [])]);
  }
  throw new Error(`layer '${layer.name}' has activation '${activation}', which the exporter does not know`);
}
