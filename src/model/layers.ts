/**
 * The few building blocks every encoder and head is made of, and the custom layers between them. The ONNX exporter knows
 * exactly these layer kinds, so a network made through `NetworkBuilder` can always be exported.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { convolve, type Activation } from './kernels/convolution';
import './kernels/rectifiers';

export type { Activation } from './kernels/convolution';

/** How one layer's variables start: weights of standard deviation `gain / sqrt(fan in)`, and a constant bias. */
export interface LayerStart {
  gain: number;
  bias: number;
  /** Groups of this many neighbouring output channels start equal (phases of a depth-to-space output). */
  equalOutputs: number;
}

export interface ConvOptions {
  kernel: number;
  stride?: 1 | 2;
  activation?: Activation;
  /** Default sqrt(2) before a rectifier (He), 1 otherwise. */
  gain?: number;
  bias?: number;
  equalOutputs?: number;
}

function gainOf({ gain, activation = 'linear' }: Pick<ConvOptions, 'gain' | 'activation'>): number {
  return gain ?? (activation === 'linear' ? 1 : Math.SQRT2);
}

/** What all kinds of convolution are told. */
function convolutionSettings(name: string, { kernel, stride = 1, activation = 'linear' }: ConvOptions) {
  return { name, kernelSize: kernel, strides: stride, padding: 'same', activation } as const;
}

/** Lets a layer compute convolution, bias and activation as one kernel. The layer stays what it is to the exporter. */
function fuse(
  layer: tf.layers.Layer,
  { stride = 1, activation = 'linear' }: ConvOptions,
  depthwise: boolean,
): tf.layers.Layer {
  layer.call = (inputs) => {
    const x = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor4D;
    const [kernel, bias] = layer.weights.map((weight) => weight.read());
    return convolve(x, kernel as tf.Tensor4D, bias as tf.Tensor1D, { stride, activation, depthwise });
  };
  return layer;
}

/**
 * Makes convolution layers and remembers how each of them starts. Padding is 'same' as TensorFlow defines it (what the
 * ImageNet weights of EfficientNet-Lite0 were trained with). No batch normalisation in depthgrad's own network: its running
 * statistics would have to be kept right during adaptation.
 */
export class NetworkBuilder {
  /** By layer name. */
  readonly starts = new Map<string, LayerStart>();
  /** Batch normalisation layers, which start as the identity. */
  readonly normalisations = new Set<string>();

  conv(input: tf.SymbolicTensor, name: string, filters: number, options: ConvOptions): tf.SymbolicTensor {
    this.remember(name, options);
    const layer = tf.layers.conv2d({ ...convolutionSettings(name, options), filters, kernelInitializer: 'zeros' });
    return fuse(layer, options, false).apply(input) as tf.SymbolicTensor;
  }

  /** Doubles height and width by a transposed convolution of stride 2. */
  convTranspose(
    input: tf.SymbolicTensor,
    name: string,
    filters: number,
    options: Omit<ConvOptions, 'stride'>,
  ): tf.SymbolicTensor {
    // The kernel is [kh, kw, filters, in], and an output pixel sees a quarter of its taps.
    const fanInRatio = (4 * filters) / (input.shape[3] ?? filters);
    this.remember(name, { ...options, gain: gainOf(options) * Math.sqrt(fanInRatio) });
    const settings = convolutionSettings(name, { ...options, stride: 2 });
    const layer = tf.layers.conv2dTranspose({ ...settings, filters, kernelInitializer: 'zeros' });
    return layer.apply(input) as tf.SymbolicTensor;
  }

  dense(
    input: tf.SymbolicTensor,
    name: string,
    units: number,
    options: Omit<ConvOptions, 'kernel' | 'stride'>,
  ): tf.SymbolicTensor {
    this.remember(name, options);
    return tf.layers
      .dense({ name, units, activation: options.activation ?? 'linear', kernelInitializer: 'zeros' })
      .apply(input) as tf.SymbolicTensor;
  }

  batchNorm(input: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
    this.normalisations.add(name);
    return tf.layers.batchNormalization({ name }).apply(input) as tf.SymbolicTensor;
  }

  depthwise(input: tf.SymbolicTensor, name: string, options: ConvOptions): tf.SymbolicTensor {
    this.remember(name, options);
    const layer = tf.layers.depthwiseConv2d({ ...convolutionSettings(name, options), depthwiseInitializer: 'zeros' });
    return fuse(layer, options, true).apply(input) as tf.SymbolicTensor;
  }

  /** Doubles height and width by repeating pixels. */
  up(input: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
    return tf.layers.upSampling2d({ name, size: [2, 2], interpolation: 'nearest' }).apply(input) as tf.SymbolicTensor;
  }

  /** `up(input)` beside `skip`; one row or column is cut off where the skip's size is odd. */
  upConcat(input: tf.SymbolicTensor, skip: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
    const cropped = new CropTo(`${name}/crop`).apply([this.up(input, `${name}/up`), skip]) as tf.SymbolicTensor;
    return this.concat([cropped, skip], `${name}/concat`);
  }

  concat(inputs: tf.SymbolicTensor[], name: string): tf.SymbolicTensor {
    return tf.layers.concatenate({ name, axis: -1 }).apply(inputs) as tf.SymbolicTensor;
  }

  add(inputs: tf.SymbolicTensor[], name: string): tf.SymbolicTensor {
    return tf.layers.add({ name }).apply(inputs) as tf.SymbolicTensor;
  }

  relu(input: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
    return tf.layers.activation({ name, activation: 'relu' }).apply(input) as tf.SymbolicTensor;
  }

  /** 3x3 maximum at stride 2. */
  maxPool(input: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
    return tf.layers.maxPooling2d({ name, poolSize: 3, strides: 2, padding: 'same' }).apply(input) as tf.SymbolicTensor;
  }

  /** Notes how a layer starts that the builder does not make itself. */
  remember(name: string, options: Omit<ConvOptions, 'kernel'>): void {
    if (this.starts.has(name)) throw new Error(`layer name '${name}' is used twice`);
    this.starts.set(name, {
      gain: gainOf(options),
      bias: options.bias ?? 0,
      equalOutputs: options.equalOutputs ?? 1,
    });
  }
}

/** A layer without variables whose numbers live in `settings`, so that the exporter can read them. */
abstract class FixedLayer<Settings extends object> extends tf.layers.Layer {
  readonly settings: Settings;

  constructor(name: string, settings: Settings) {
    super({ name });
    this.settings = settings;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), settings: { ...this.settings } as unknown as tf.serialization.ConfigDict };
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.compute(Array.isArray(inputs) ? inputs[0] : inputs));
  }

  protected abstract compute(input: tf.Tensor): tf.Tensor;
}

/** y = x * scale + offset; a list gives one number per channel. */
export class Affine extends FixedLayer<{ scale: number | number[]; offset: number | number[] }> {
  static readonly className = 'Affine';

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  protected compute(input: tf.Tensor): tf.Tensor {
    return input.mul(this.settings.scale).add(this.settings.offset);
  }
}

/** [b, h, w, 4] -> [b, 2h, 2w, 1]: channel 2 i + j goes to row 2 v + i, column 2 u + j. */
export class DepthToSpace extends FixedLayer<Record<string, never>> {
  static readonly className = 'DepthToSpace';

  constructor(name: string) {
    super(name, {});
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    const [batch, height, width] = inputShape;
    return [batch, height === null ? null : 2 * height, width === null ? null : 2 * width, 1];
  }

  protected compute(input: tf.Tensor): tf.Tensor {
    const [batch, height, width] = input.shape;
    // Through reshape and transpose, because tf.depthToSpace has no gradient.
    return input
      .reshape([batch, height, width, 2, 2])
      .transpose([0, 1, 3, 2, 4])
      .reshape([batch, 2 * height, 2 * width, 1]);
  }
}

/** u = ln(1/far) + (ln(1/near) - ln(1/far)) * sigmoid(x): log-disparity between two depths in metres. */
export class LogDisparity extends FixedLayer<{ near: number; far: number }> {
  static readonly className = 'LogDisparity';

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  protected compute(input: tf.Tensor): tf.Tensor {
    const { near, far } = this.settings;
    return input
      .sigmoid()
      .mul(Math.log(far / near))
      .sub(Math.log(far));
  }
}

/** [b, h, w, c] -> [b, c]. */
export class SpatialMean extends FixedLayer<Record<string, never>> {
  static readonly className = 'SpatialMean';

  constructor(name: string) {
    super(name, {});
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return [inputShape[0], inputShape[3]];
  }

  protected compute(input: tf.Tensor): tf.Tensor {
    return input.mean([1, 2]);
  }
}

/** [x, like] -> the top left part of x that has like's height and width. */
export class CropTo extends tf.layers.Layer {
  static readonly className = 'CropTo';

  constructor(name: string) {
    super({ name });
  }

  override computeOutputShape(inputShapes: tf.Shape[]): tf.Shape {
    const [[batch, , , channels], [, height, width]] = inputShapes;
    return [batch, height, width, channels];
  }

  override call(inputs: tf.Tensor[]): tf.Tensor {
    const [x, like] = inputs as tf.Tensor4D[];
    const [batch, height, width, channels] = x.shape;
    if (height === like.shape[1] && width === like.shape[2]) return x;
    return x.slice([0, 0, 0, 0], [batch, like.shape[1], like.shape[2], channels]);
  }
}
