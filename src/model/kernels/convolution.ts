/**
 * Convolution, bias and rectifier as one kernel, and convolution gradients by the faster of TensorFlow's kernels. Importing this file gives
 * the latter to tf.conv2d and tf.depthwiseConv2d as well. Measured in docs/decisions.md.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { AttributeList, execute, executeOnMatrices } from './execute';

type Shape4 = [number, number, number, number];

// --- products -------------------------------------------------------------------------------------------------------------------------

/** A 1x1 convolution of stride 1 is a product of matrices, pixels by channels. */
function isProduct([height, width]: number[], strides: number | number[]): boolean {
  return height === 1 && width === 1 && [strides].flat().every((stride) => stride === 1);
}

/**
 * By the kernel that tfjs multiplies with: MatMul and _FusedMatMul of TensorFlow 2.18 use the stack pointer for something else, so that a
 * signal (a profiler's, a resized terminal's) writes over the heap. It is safe as oneDNN's alone: with oneDNN switched off this kernel and
 * Conv2D go through Eigen's contraction as well, whose sgemm has the fault.
 */
const productAttributes = {
  neither: new AttributeList({ adj_x: false, adj_y: false }),
  left: new AttributeList({ adj_x: true, adj_y: false }),
  right: new AttributeList({ adj_x: false, adj_y: true }),
};

/** @param transposed which side is */
function product(
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposed: keyof typeof productAttributes,
  shape: number[],
): tf.Tensor {
  return executeOnMatrices('BatchMatMulV2', [a, b], productAttributes[transposed], shape);
}

interface GradientAttributes {
  strides: number | [number, number];
  dilations: number | [number, number];
  pad: 'same' | 'valid' | number;
  filterShape: Shape4;
  inputShape: Shape4;
}

type GradientInputs = Record<'x' | 'dy' | 'filter', tf.TensorInfo>;

/** Lets `faster` compute the kernel where it applies (returns a tensor), and tfjs's own elsewhere. */
function prefer(
  kernelName: string,
  faster: (inputs: GradientInputs, attributes: GradientAttributes) => tf.Tensor | undefined,
): void {
  const { kernelFunc, ...config } = tf.getKernel(kernelName, 'tensorflow');
  tf.unregisterKernel(kernelName, 'tensorflow');
  tf.registerKernel({
    ...config,
    kernelFunc: (params) =>
      faster(params.inputs as GradientInputs, params.attrs as unknown as GradientAttributes) ?? kernelFunc(params),
  });
}

prefer('Conv2D', ({ x, filter }, { strides }) =>
  isProduct(filter.shape, strides)
    ? product(x, filter, 'neither', [...x.shape.slice(0, 3), filter.shape[3]])
    : undefined,
);
prefer('Conv2DBackpropInput', ({ dy, filter }, { strides, inputShape }) =>
  isProduct(filter.shape, strides) ? product(dy, filter, 'right', inputShape) : undefined,
);
prefer('Conv2DBackpropFilter', ({ x, dy }, { strides, filterShape }) =>
  isProduct(filterShape, strides) ? product(x, dy, 'left', filterShape) : undefined,
);

/** With its padding written out the filter gradient is TensorFlow's own and not oneDNN's, which takes two to six times as long. */
prefer('DepthwiseConv2dNativeBackpropFilter', ({ x, dy }, { strides, dilations, pad, filterShape }) => {
  const info = tf.backend_util.computeConv2DInfo(
    x.shape as Shape4,
    filterShape,
    strides,
    dilations,
    pad,
    undefined,
    true,
  );
  const { top, bottom, left, right } = info.padInfo;
  const sizes = tf.tensor1d(filterShape, 'int32');
  const attributes = new AttributeList({
    strides: [1, info.strideHeight, info.strideWidth, 1],
    padding: 'EXPLICIT',
    explicit_paddings: [0, 0, top, bottom, left, right, 0, 0],
    dilations: [1, info.dilationHeight, info.dilationWidth, 1],
    data_format: 'NHWC',
  });
  const gradient = execute('DepthwiseConv2dNativeBackpropFilter', [x, sizes, dy], attributes);
  sizes.dispose();
  return gradient;
});

// --- convolution, bias and rectifier --------------------------------------------------------------------------------------------------

export type Activation = 'linear' | 'relu' | 'relu6';

export interface Convolution {
  stride: 1 | 2;
  activation: Activation;
  depthwise: boolean;
}

const NAME = 'BiasedConvolution';
const rectifier = { linear: undefined, relu: 'Relu', relu6: 'Relu6' } as const;

/** Attributes of oneDNN's fused kernels, by what they depend on. */
const fusedAttributes = new Map<string, AttributeList>();

function attributesOf({ stride, activation, depthwise }: Convolution): AttributeList {
  const key = `${stride} ${activation} ${depthwise}`;
  let found = fusedAttributes.get(key);
  if (!found) {
    const last = rectifier[activation];
    found = new AttributeList(
      {
        _kernel: 'MklNameChangeOp',
        strides: [1, stride, stride, 1],
        padding: 'SAME',
        data_format: 'NHWC',
        dilations: [1, 1, 1, 1],
        num_args: 1,
        fused_ops: last ? ['BiasAdd', last] : ['BiasAdd'],
      },
      depthwise ? {} : { TArgs: 1 },
    );
    fusedAttributes.set(key, found);
  }
  return found;
}

/** These kernels have no public name, and are not there where oneDNN is not built in (switched off, they still run). */
function fused(x: tf.TensorInfo, kernel: tf.TensorInfo, bias: tf.TensorInfo, how: Convolution): tf.Tensor {
  const name = how.depthwise ? '_MklNativeFusedDepthwiseConv2dNative' : '_MklNativeFusedConv2D';
  return execute(name, [x, kernel, bias], attributesOf(how));
}

function unfused(x: tf.TensorInfo, kernel: tf.TensorInfo, bias: tf.TensorInfo, how: Convolution): tf.Tensor {
  const { stride, activation, depthwise } = how;
  return tf.tidy(() => {
    const convolve = depthwise ? tf.depthwiseConv2d : tf.conv2d;
    const sum = execute('BiasAdd', [convolve(x as tf.Tensor4D, kernel as tf.Tensor4D, stride, 'same'), bias]);
    const last = rectifier[activation];
    return last ? execute(last, [sum]) : sum;
  });
}

function hasFusedKernels(): boolean {
  const [x, bias] = [tf.zeros([1, 2, 2, 1]), tf.zeros([1])];
  const kernel = tf.zeros([1, 1, 1, 1]);
  try {
    for (const depthwise of [false, true])
      fused(x, kernel, bias, { stride: 1, activation: 'relu', depthwise }).dispose();
    return true;
  } catch {
    return false;
  } finally {
    tf.dispose([x, bias, kernel]);
  }
}

const compute = hasFusedKernels() ? fused : unfused;

tf.registerKernel({
  kernelName: NAME,
  backendName: 'tensorflow',
  kernelFunc: ({ inputs, attrs }) => {
    const { x, kernel, bias } = inputs as Record<'x' | 'kernel' | 'bias', tf.TensorInfo>;
    return compute(x, kernel, bias, attrs as unknown as Convolution);
  },
});

tf.registerGradient({
  kernelName: NAME,
  inputsToSave: ['x', 'kernel'],
  outputsToSave: [true],
  gradFunc: (dy, [x, kernel, y], attrs) => {
    const { stride, activation, depthwise } = attrs as unknown as Convolution;
    const last = rectifier[activation];
    // Shared by the three, which the engine asks for one after the other.
    const dz = last ? execute(`${last}Grad`, [dy as tf.Tensor, y]) : (dy as tf.Tensor);
    const kind = depthwise ? 'DepthwiseConv2dNative' : 'Conv2D';
    const how = {
      strides: stride,
      pad: 'same',
      dataFormat: 'NHWC',
      dilations: 1,
      inputShape: x.shape,
      filterShape: kernel.shape,
    };
    return {
      x: () => tf.engine().runKernel(`${kind}BackpropInput`, { dy: dz, filter: kernel }, how),
      kernel: () => tf.engine().runKernel(`${kind}BackpropFilter`, { x, dy: dz }, how),
      bias: () => execute('BiasAddGrad', [dz]),
    };
  },
});

/**
 * Convolution with TensorFlow's padding 'same', bias and activation.
 *
 * @param x [b,h,w,c]  @param kernel [kh,kw,c,filters], depthwise [kh,kw,c,1]  @param bias one per output channel
 */
export function convolve(x: tf.Tensor4D, kernel: tf.Tensor4D, bias: tf.Tensor1D, how: Convolution): tf.Tensor4D {
  return tf.engine().runKernel(NAME, { x, kernel, bias }, { ...how });
}
