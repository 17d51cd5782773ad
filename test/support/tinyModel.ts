import { onnx } from 'onnx-proto';

/** What to make the tiny model like; every field has a default that is right. */
export interface TinyModelOptions {
  height?: number;
  width?: number;
  /** Replaces or, with undefined, removes entries of metadata_props. */
  metadata?: Record<string, string | undefined>;
  /** Metres of a white pixel. */
  metresAtWhite?: number;
  /** What a white byte becomes in features, gradient and confidence. Default 1. */
  white?: number;
  /** ego_motion reads the image and not the features: such a model cannot be run in two halves. Default false. */
  inseparable?: boolean;
}

const FLOAT = onnx.TensorProto.DataType.FLOAT;
const UINT8 = onnx.TensorProto.DataType.UINT8;
const INT64 = onnx.TensorProto.DataType.INT64;
type Attribute = [name: string, value: number | number[]];

/**
 * A model with depthgrad's graph contract (docs/architecture.md) and answers one can work out by hand, for tests of
 * everything around the network:
 * depth = metresAtWhite * mean(r, g, b) / 255; gradient = (r, g) / 255; confidence = b / 255;
 * features = means of rgb / 255 over 8x8 blocks; ego_motion = (d, d / 10), d = mean over blocks of features - previous_features.
 */
export function tinyModel(options: TinyModelOptions = {}): Uint8Array {
  const { height = 64, width = 96, metresAtWhite = 100, white = 1 } = options;
  const [featureHeight, featureWidth] = [height / 8, width / 8];
  const scale = metresAtWhite / 3 / 255;
  const nodes = [
    node('Cast', ['image'], ['bytes'], ['to', FLOAT]),
    node('Mul', ['bytes', 'one_by_255'], ['rgb']),
    node('ReduceSum', ['bytes', 'channel_axis'], ['channel_sum'], ['keepdims', 0]),
    node('Mul', ['channel_sum', 'depth_scale'], ['depth']),
    node('Slice', ['rgb', 'zero', 'two', 'channel_axis'], ['log_disparity_gradient']),
    node('Slice', ['rgb', 'two', 'three', 'channel_axis'], ['blue']),
    node('Squeeze', ['blue', 'channel_axis'], ['confidence']),
    node('Transpose', ['rgb'], ['planes'], ['perm', [0, 3, 1, 2]]),
    node('AveragePool', ['planes'], ['blocks'], ['kernel_shape', [8, 8]], ['strides', [8, 8]]),
    node('Transpose', ['blocks'], ['blocksLast'], ['perm', [0, 2, 3, 1]]),
    node('Identity', ['blocksLast'], ['features']),
    node('Sub', [options.inseparable ? 'blocksLast' : 'features', 'previous_features'], ['change']),
    node('ReduceMean', ['change'], ['translation'], ['axes', [1, 2]], ['keepdims', 0]),
    node('Mul', ['translation', 'tenth'], ['axis_angle']),
    node('Concat', ['translation', 'axis_angle'], ['ego_motion'], ['axis', 1]),
  ];
  const metadata: Record<string, string | undefined> = {
    name: 'tiny',
    version: '1.2.3',
    encoder: 'none',
    height: `${height}`,
    width: `${width}`,
    feature_height: `${featureHeight}`,
    feature_width: `${featureWidth}`,
    feature_channels: '3',
    training_fx: '60',
    training_fy: '60',
    training_cx: '47.5',
    training_cy: '31.5',
    parent_sha256: '',
    producer: 'depthgrad',
    format: 'depthgrad-onnx/1',
    ...options.metadata,
  };
  return onnx.ModelProto.encode({
    irVersion: 8,
    producerName: 'depthgrad-test',
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'tiny',
      node: nodes,
      initializer: [
        { name: 'one_by_255', dataType: FLOAT, floatData: [white / 255] },
        { name: 'depth_scale', dataType: FLOAT, floatData: [scale] },
        { name: 'tenth', dataType: FLOAT, floatData: [0.1] },
        { name: 'channel_axis', dataType: INT64, dims: [1], int64Data: [3] },
        { name: 'zero', dataType: INT64, dims: [1], int64Data: [0] },
        { name: 'two', dataType: INT64, dims: [1], int64Data: [2] },
        { name: 'three', dataType: INT64, dims: [1], int64Data: [3] },
      ],
      input: [
        value('image', UINT8, [1, height, width, 3]),
        value('previous_features', FLOAT, [1, featureHeight, featureWidth, 3]),
      ],
      output: [
        value('depth', FLOAT, [1, height, width]),
        value('log_disparity_gradient', FLOAT, [1, height, width, 2]),
        value('confidence', FLOAT, [1, height, width]),
        value('ego_motion', FLOAT, [1, 6]),
        value('features', FLOAT, [1, featureHeight, featureWidth, 3]),
      ],
    },
    metadataProps: Object.entries(metadata)
      .filter((entry): entry is [string, string] => entry[1] !== undefined)
      .map(([key, text]) => ({ key, value: text })),
  }).finish();
}

function node(opType: string, input: string[], output: string[], ...attributes: Attribute[]): onnx.INodeProto {
  return {
    opType,
    input,
    output,
    name: output[0],
    attribute: attributes.map(([name, value]) =>
      Array.isArray(value)
        ? { name, ints: value, type: onnx.AttributeProto.AttributeType.INTS }
        : { name, i: value, type: onnx.AttributeProto.AttributeType.INT },
    ),
  };
}

function value(name: string, elemType: number, shape: number[]): onnx.IValueInfoProto {
  return { name, type: { tensorType: { elemType, shape: { dim: shape.map((dimValue) => ({ dimValue })) } } } };
}

/** A tiny model that passes every check, runs on zeros and on dark frames, and fails on a frame with a byte above `limit`. */
export function failingModel(limit: number, options: TinyModelOptions & { height: number; width: number }): Uint8Array {
  const model = onnx.ModelProto.decode(tinyModel(options));
  const { node: nodes, initializer } = model.graph!;
  initializer!.push(
    onnx.TensorProto.create({ name: 'limit', dataType: FLOAT, floatData: [limit] }),
    onnx.TensorProto.create({
      name: 'shape',
      dataType: INT64,
      dims: [3],
      int64Data: [1, options.height, options.width],
    }),
  );
  // The depth is reshaped to [1, h, w + 1] where any byte is over the limit.
  const depth = nodes!.find(({ output }) => output![0] === 'depth')!;
  depth.output = ['depth_free'];
  depth.name = 'depth_free';
  const failing = [
    node('ReduceMax', ['bytes'], ['brightest'], ['keepdims', 0]),
    node('Greater', ['brightest', 'limit'], ['over']),
    node('Cast', ['over'], ['excess'], ['to', INT64]),
    node('Add', ['shape', 'excess'], ['wanted_shape']),
    node('Reshape', ['depth_free', 'wanted_shape'], ['depth']),
  ];
  nodes!.splice(nodes!.indexOf(depth) + 1, 0, ...failing.map((one) => onnx.NodeProto.create(one)));
  return onnx.ModelProto.encode(model).finish();
}
