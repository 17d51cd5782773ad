/**
 * Kernels and gradients where TensorFlow has a faster one than tfjs asks for. Importing this file registers them; whoever computes with
 * tf.relu, tf.relu6 or tf.depthwiseConv2d gets them without asking.
 *
 * tfjs writes the rectifiers' gradients as comparisons, selections, casts and products over the whole map, and a convolution's bias as a
 * broadcast sum: together a third of a training step of 128x416.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';

type Attributes = Record<string, string | boolean | number[]>;

/** A tensor of TensorFlow's own, as the addon knows it. */
interface Handle {
  id: number;
  shape: number[];
  dtype: number;
}

/** What is used of tfjs-node's backend, which has no public type. */
interface NodeBackend {
  readonly binding: Record<
    'TF_ATTR_TYPE' | 'TF_ATTR_STRING' | 'TF_ATTR_INT' | 'TF_ATTR_BOOL' | 'TF_FLOAT' | 'TF_INT32',
    number
  > & {
    executeOp(kernel: string, attributes: object[], inputs: number[], outputs: number): Handle[];
    createTensor(shape: number[], dtype: number, values: Int32Array): number;
    deleteTensor(id: number): void;
  };
  getInputTensorIds(inputs: tf.TensorInfo[]): number[];
  createOutputTensor(handle: Handle): tf.Tensor;
}

const backend = tf.backend() as unknown as NodeBackend;
const { binding } = backend;
const { TF_ATTR_TYPE, TF_ATTR_STRING, TF_ATTR_INT, TF_ATTR_BOOL, TF_FLOAT, TF_INT32 } = binding;
const typeFloat = { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT };

/** Runs TensorFlow's kernel of this name on float tensors. */
function executeOn(inputs: number[], kernel: string, attributes: Attributes = {}): Handle {
  const list = Object.entries(attributes).map(([name, value]) => ({
    name,
    type: typeof value === 'string' ? TF_ATTR_STRING : typeof value === 'boolean' ? TF_ATTR_BOOL : TF_ATTR_INT,
    value,
  }));
  return binding.executeOp(kernel, [typeFloat, ...list], inputs, 1)[0];
}

function execute(kernel: string, inputs: tf.TensorInfo[], attributes?: Attributes): tf.Tensor {
  return backend.createOutputTensor(executeOn(backend.getInputTensorIds(inputs), kernel, attributes));
}

for (const name of ['Relu', 'Relu6']) {
  tf.unregisterGradient(name);
  tf.registerGradient({
    kernelName: name,
    // The gradient is 0 where the output is at an end of its range, so that the input need not be kept.
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({ x: () => execute(`${name}Grad`, [dy as tf.Tensor, y]) }),
  });
}

const BIAS_ADD = 'BiasAdd';
tf.registerKernel({
  kernelName: BIAS_ADD,
  backendName: 'tensorflow',
  kernelFunc: ({ inputs }) => {
    const { x, bias } = inputs as Record<'x' | 'bias', tf.TensorInfo>;
    return execute(BIAS_ADD, [x, bias]);
  },
});
tf.registerGradient({
  kernelName: BIAS_ADD,
  gradFunc: (dy) => ({
    x: () => (dy as tf.Tensor).clone(),
    bias: () => execute('BiasAddGrad', [dy as tf.Tensor]),
  }),
});

/** x [.., c] + bias [c] */
export function biasAdd<T extends tf.Tensor>(x: T, bias: tf.Tensor): T {
  return tf.engine().runKernel(BIAS_ADD, { x, bias });
}

/**
 * oneDNN's depthwise filter gradient takes two to six times as long as TensorFlow's own, which it replaces wherever the padding is not
 * written out.
 */
const FILTER_GRADIENT = 'DepthwiseConv2dNativeBackpropFilter';
tf.unregisterKernel(FILTER_GRADIENT, 'tensorflow');
tf.registerKernel({
  kernelName: FILTER_GRADIENT,
  backendName: 'tensorflow',
  kernelFunc: ({ inputs, attrs }) => {
    const { x, dy } = inputs as Record<'x' | 'dy', tf.TensorInfo>;
    const { strides, dilations, pad, filterShape } = attrs as unknown as {
      strides: [number, number];
      dilations: [number, number];
      pad: 'same' | 'valid' | number;
      filterShape: [number, number, number, number];
    };
    const info = tf.backend_util.computeConv2DInfo(
      x.shape as [number, number, number, number],
      filterShape,
      strides,
      dilations,
      pad,
      undefined,
      true,
    );
    const { top, bottom, left, right } = info.padInfo;
    const sizes = tf.tensor1d(filterShape, 'int32');
    const gradient = execute(FILTER_GRADIENT, [x, sizes, dy], {
      strides: [1, info.strideHeight, info.strideWidth, 1],
      padding: 'EXPLICIT',
      explicit_paddings: [0, 0, top, bottom, left, right, 0, 0],
      dilations: [1, info.dilationHeight, info.dilationWidth, 1],
      data_format: 'NHWC',
    });
    sizes.dispose();
    return gradient;
  },
});

/**
 * A 1x1 convolution of stride 1 is a product of matrices, pixels by channels. As one it takes about half the time: oneDNN's convolution
 * lays its operands out anew at every call, which costs more than the product where maps are small.
 */
/** By the kernel that tfjs multiplies with: TensorFlow 2.18's MatMul writes over the heap here (node --cpu-prof ends in an abort). */
function product(
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transpose: { a?: boolean; b?: boolean },
  shape: number[],
): tf.Tensor {
  const [left, right] = [a, b].map((x) =>
    reshaped(backend.getInputTensorIds([x])[0], [-1, x.shape[x.shape.length - 1]]),
  );
  const made = executeOn([left, right], 'BatchMatMulV2', {
    adj_x: transpose.a ?? false,
    adj_y: transpose.b ?? false,
  });
  const id = reshaped(made.id, shape);
  for (const used of [left, right, made.id]) binding.deleteTensor(used);
  return backend.createOutputTensor({ id, shape, dtype: TF_FLOAT });
}

const shapes = new Map<string, number>();

/** The same numbers in another shape. Without tfjs in between: it would book three tensors more for every product. */
function reshaped(id: number, shape: number[]): number {
  const key = shape.join();
  let wanted = shapes.get(key);
  if (wanted === undefined) {
    wanted = binding.createTensor([shape.length], TF_INT32, Int32Array.from(shape));
    shapes.set(key, wanted);
  }
  return binding.executeOp('Reshape', reshapeAttributes, [id, wanted], 1)[0].id;
}

const reshapeAttributes = [typeFloat, { name: 'Tshape', type: TF_ATTR_TYPE, value: TF_INT32 }];

interface ConvolutionAttributes {
  strides: number | [number, number];
  filterShape: [number, number, number, number];
  inputShape: [number, number, number, number];
}

function isProduct([height, width]: number[], strides: ConvolutionAttributes['strides']): boolean {
  return height === 1 && width === 1 && [strides].flat().every((stride) => stride === 1);
}

/** Lets `faster` compute the kernel where it applies (returns a tensor), and tfjs's own elsewhere. */
function prefer(
  kernelName: string,
  faster: (
    inputs: Record<'x' | 'dy' | 'filter', tf.TensorInfo>,
    attributes: ConvolutionAttributes,
  ) => tf.Tensor | undefined,
): void {
  const { kernelFunc, ...config } = tf.getKernel(kernelName, 'tensorflow');
  tf.unregisterKernel(kernelName, 'tensorflow');
  tf.registerKernel({
    ...config,
    kernelFunc: (params) =>
      faster(
        params.inputs as Record<'x' | 'dy' | 'filter', tf.TensorInfo>,
        params.attrs as unknown as ConvolutionAttributes,
      ) ?? kernelFunc(params),
  });
}

prefer('Conv2D', ({ x, filter }, { strides }) =>
  isProduct(filter.shape, strides) ? product(x, filter, {}, [...x.shape.slice(0, 3), filter.shape[3]]) : undefined,
);
prefer('Conv2DBackpropInput', ({ dy, filter }, { strides, inputShape }) =>
  isProduct(filter.shape, strides) ? product(dy, filter, { b: true }, inputShape) : undefined,
);
prefer('Conv2DBackpropFilter', ({ x, dy }, { strides, filterShape }) =>
  isProduct(filterShape, strides) ? product(x, dy, { a: true }, filterShape) : undefined,
);
