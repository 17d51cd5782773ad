/**
 * The first three networks of the CNN-residual report: Eigen's coarse network (CNN+FC), a pure CNN, and the CNN whose last two layers
 * are a pooling and a transposed convolution. All estimate depth at a quarter of the image's size, which is then enlarged linearly.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { farthestDepth, nearestDepth } from '../heads/depth';
import { Affine, LogDisparity, NetworkBuilder } from '../layers';
import type { GraphWriter } from '../onnx/graphWriter';
import { writeEnlarged, writeLayersModel, writeLogDisparity, type GraphMap } from '../onnx/layers';
import type { NetworkGraph } from '../onnx/networkGraph';
import { collectVariables, startVariables } from '../variables';
import { splitStatistics, type DepthEstimator, type UniformSource } from './estimator';
import { resizeMap } from './resample';

export interface ConvolutionalConfig {
  kind: 'eigen_coarse' | 'pure_cnn' | 'cnn_transpose';
  /** Pixels, multiples of 32. The fully connected layers work at this size alone. */
  height: number;
  width: number;
  /** Of the starting weights. */
  seed: number;
  /** Factor on all channel counts; 1 is the report's size. */
  widthFactor?: number;
}

/** Depth in metres of an untrained network: the middle of a room (the report's data are indoors). */
const startingDepth = 3;
const dropoutRate = 0.5;
const fullyConnectedUnits = 1024;

function startingBias(): number {
  const share = Math.log(farthestDepth / startingDepth) / Math.log(farthestDepth / nearestDepth);
  return Math.log(share / (1 - share));
}

/** Convolution, batch normalisation, rectifier. */
function block(
  builder: NetworkBuilder,
  input: tf.SymbolicTensor,
  name: string,
  filters: number,
  kernel: number,
  stride: 1 | 2 = 1,
): tf.SymbolicTensor {
  const convolved = builder.conv(input, `${name}/conv`, filters, { kernel, stride, gain: Math.SQRT2 });
  return builder.relu(builder.batchNorm(convolved, `${name}/norm`), `${name}/relu`);
}

function halve(input: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
  return tf.layers.maxPooling2d({ name, poolSize: 2, strides: 2 }).apply(input) as tf.SymbolicTensor;
}

/** Image [b,h,w,3] in 0..1 and, for the fully connected network, dropout weights -> raw map [b,h/4,w/4,1]. */
function build(builder: NetworkBuilder, config: ConvolutionalConfig): tf.LayersModel {
  const { kind, height, width, widthFactor = 1 } = config;
  const wide = (channels: number): number => Math.max(1, Math.round(channels * widthFactor));
  const head = { gain: 0.05, bias: startingBias() };
  const image = tf.input({ shape: [height, width, 3], name: 'image' });
  let x = new Affine('normalise', { scale: 4, offset: -2 }).apply(image) as tf.SymbolicTensor;
  if (kind === 'eigen_coarse') {
    // Six convolutions of 11x11, 5x5 and 3x3, each normalised; pooled by 2 after the first four (the report's 27 thousand weights).
    [11, 5, 3, 3, 3, 3].forEach((kernel, i) => {
      x = block(builder, x, `conv${i + 1}`, wide([16, 24, 16, 16, 16, 16][i]), kernel, i === 0 ? 2 : 1);
      if (i < 4) x = halve(x, `pool${i + 1}`);
    });
    x = tf.layers.flatten({ name: 'flatten' }).apply(x) as tf.SymbolicTensor;
    x = builder.dense(x, 'fc1', wide(fullyConnectedUnits), { activation: 'relu' });
    const dropout = tf.input({ shape: [wide(fullyConnectedUnits)], name: 'dropout' });
    x = tf.layers.multiply({ name: 'dropped' }).apply([x, dropout]) as tf.SymbolicTensor;
    x = builder.dense(x, 'fc2', (height / 4) * (width / 4), head);
    x = tf.layers.reshape({ name: 'map', targetShape: [height / 4, width / 4, 1] }).apply(x) as tf.SymbolicTensor;
    return tf.model({ name: kind, inputs: [image, dropout], outputs: x });
  }
  const channels = [32, 32, 64, 64, 128, 128, 64];
  const lastBlock = kind === 'pure_cnn' ? 7 : 6;
  for (let i = 0; i < lastBlock; i++) {
    x = block(builder, x, `conv${i + 1}`, wide(channels[i]), 3);
    if (i === 1 || i === 3) x = halve(x, `pool${i + 1}`);
  }
  if (kind === 'pure_cnn') x = builder.conv(x, 'conv8', 1, { kernel: 3, ...head });
  else {
    x = halve(block(builder, x, 'conv7', wide(channels[6]), 3), 'pool7');
    x = builder.convTranspose(x, 'transpose8', 1, { kernel: 3, ...head });
  }
  return tf.model({ name: kind, inputs: image, outputs: x });
}

export class ConvolutionalNetwork implements DepthEstimator {
  readonly config: ConvolutionalConfig;
  readonly #model: tf.LayersModel;
  readonly #range = new LogDisparity('log_disparity', { near: nearestDepth, far: farthestDepth });
  readonly #variables: ReadonlyMap<string, tf.Variable>;

  /** @throws Error when height or width is no positive multiple of 32 */
  constructor(config: ConvolutionalConfig) {
    for (const side of ['height', 'width'] as const)
      if (!(config[side] > 0) || config[side] % 32 !== 0)
        throw new Error(`${config.kind}: ${side} must be a positive multiple of 32, not ${config[side]}`);
    const builder = new NetworkBuilder();
    this.config = config;
    this.#model = build(builder, config);
    this.#variables = collectVariables([this.#model]);
    startVariables(this.#variables, builder, config.seed);
  }

  namedVariables(): Map<string, tf.Variable> {
    return splitStatistics(this.#variables).trained;
  }

  namedStatistics(): Map<string, tf.Variable> {
    return splitStatistics(this.#variables).statistics;
  }

  estimate(images: tf.Tensor4D, training?: UniformSource): tf.Tensor4D {
    return resizeMap(this.estimateCoarse(images, training), images.shape[1], images.shape[2]);
  }

  /** The estimate at the network's own resolution, [b,h/4,w/4,1]: where a transposed convolution's checkerboard can be measured. */
  estimateCoarse(images: tf.Tensor4D, training?: UniformSource): tf.Tensor4D {
    const inputs = this.config.kind === 'eigen_coarse' ? [images, this.#dropout(images.shape[0], training)] : images;
    const raw = this.#model.apply(inputs, { training: training !== undefined }) as tf.Tensor4D;
    return this.#range.apply(raw) as tf.Tensor4D;
  }

  writeGraph(graph: GraphWriter, image: GraphMap): NetworkGraph {
    const inputs = [image];
    if (this.config.kind === 'eigen_coarse') {
      const units = this.#model.inputs[1].shape[1]!;
      const value = graph.floats('no_dropout', new Float32Array(units).fill(1), [1, units]);
      inputs.push({ value, height: 0, width: 0, channels: units });
    }
    const [raw] = writeLayersModel(graph, this.#model, inputs, this.#variables);
    const coarse = writeLogDisparity(graph, this.#range, raw);
    return { logDisparity: writeEnlarged(graph, coarse, image.height, image.width).value };
  }

  dispose(): void {
    this.#model.dispose();
  }

  /** 0 for a dropped unit and 1 / (1 - rate) for a kept one, [b,units]; all 1 outside training. */
  #dropout(size: number, training: UniformSource | undefined): tf.Tensor2D {
    const units = this.#model.inputs[1].shape[1]!;
    if (!training) return tf.ones([size, units]);
    const kept = Float32Array.from({ length: size * units }, () =>
      training.uniform() < dropoutRate ? 0 : 1 / (1 - dropoutRate),
    );
    return tf.tensor2d(kept, [size, units]);
  }
}
