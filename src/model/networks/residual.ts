/** CNN-residual (Laina et al. 2016 in the report's form): an encoder without its classifier, then up-projection blocks. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { encoderByName, type Encoder, type EncoderName } from '../encoders/index';
import { resnet50 } from '../encoders/resnet50';
import { farthestDepth, nearestDepth } from '../heads/depth';
import { Affine, LogDisparity, NetworkBuilder } from '../layers';
import type { GraphWriter } from '../onnx/graphWriter';
import { writeEnlarged, writeLayersModel, type GraphMap } from '../onnx/layers';
import type { NetworkGraph } from '../onnx/networkGraph';
import { collectVariables, startVariables } from '../variables';
import type { DepthEstimator } from './estimator';
import { resizeMap, UpConvolution, type Unpooling } from './resample';

export interface ResidualConfig {
  /** 'resnet50' is the report's. */
  encoder: 'resnet50' | EncoderName;
  unpooling: Unpooling;
  seed: number;
  /** Channels of the 1x1 convolution after the encoder; halved by each of the four blocks. Default 1024. */
  decoderChannels?: number;
}

const blocks = 4;
/** The bias of log-disparity's sigmoid that means 3 m. */
const startingDepth = 3;

function upConvolution(
  builder: NetworkBuilder,
  x: tf.SymbolicTensor,
  name: string,
  filters: number,
  filling: Unpooling,
): tf.SymbolicTensor {
  // Under zero-unpooling an output pixel sees about a quarter of the 25 taps.
  builder.remember(name, { gain: filling === 'zeros' ? 2 * Math.SQRT2 : Math.SQRT2 });
  return new UpConvolution(name, filters, filling).apply(x) as tf.SymbolicTensor;
}

/** relu(conv3x3(relu(upconv(x))) + upconv(x)): up-projection, [b,h,w,c] -> [b,2h,2w,filters] (Laina et al. 2016, fig. 2). */
function upProjection(
  builder: NetworkBuilder,
  x: tf.SymbolicTensor,
  name: string,
  filters: number,
  filling: Unpooling,
): tf.SymbolicTensor {
  const branch = builder.relu(upConvolution(builder, x, `${name}/up`, filters, filling), `${name}/up_relu`);
  const refined = builder.conv(branch, `${name}/conv`, filters, { kernel: 3, gain: 0.5 });
  const projection = upConvolution(builder, x, `${name}/projection`, filters, filling);
  return builder.relu(builder.add([refined, projection], `${name}/add`), `${name}/relu`);
}

function build(builder: NetworkBuilder, encoder: Encoder, config: ResidualConfig): tf.LayersModel {
  const image = tf.input({ shape: [null, null, 3], name: 'encoder/image' });
  const normalised = new Affine('encoder/normalise', encoder.normalisation).apply(image) as tf.SymbolicTensor;
  const features = encoder.build(builder, normalised);
  let channels = config.decoderChannels ?? 1024;
  let x = builder.conv(features[4], 'decoder/reduce', channels, { kernel: 1, activation: 'relu' });
  for (let i = 1; i <= blocks; i++) {
    channels = Math.max(1, channels >> 1);
    x = upProjection(builder, x, `decoder/up${i}`, channels, config.unpooling);
  }
  const share = Math.log(farthestDepth / startingDepth) / Math.log(farthestDepth / nearestDepth);
  x = builder.conv(x, 'decoder/head', 1, { kernel: 3, gain: 0.05, bias: Math.log(share / (1 - share)) });
  x = new LogDisparity('decoder/log_disparity', { near: nearestDepth, far: farthestDepth }).apply(
    x,
  ) as tf.SymbolicTensor;
  return tf.model({ name: 'cnn_residual', inputs: image, outputs: x });
}

export class ResidualNetwork implements DepthEstimator {
  readonly config: ResidualConfig;
  readonly #model: tf.LayersModel;
  readonly #variables: ReadonlyMap<string, tf.Variable>;

  /** @throws Error when the encoder is unknown */
  constructor(config: ResidualConfig) {
    const builder = new NetworkBuilder();
    this.config = config;
    this.#model = build(builder, config.encoder === 'resnet50' ? resnet50 : encoderByName(config.encoder), config);
    this.#variables = collectVariables([this.#model]);
    startVariables(this.#variables, builder, config.seed);
  }

  namedVariables(): Map<string, tf.Variable> {
    return new Map(this.#variables);
  }

  namedStatistics(): Map<string, tf.Variable> {
    return new Map();
  }

  /** The whole model and its variables: the encoder's, which a pretrained start is loaded into, are `encoder/..`. */
  get encoder(): { model: tf.LayersModel; variables: ReadonlyMap<string, tf.Variable> } {
    return { model: this.#model, variables: this.#variables };
  }

  /** @param images height and width multiples of 32; the network's own map has half the size and is enlarged linearly */
  estimate(images: tf.Tensor4D): tf.Tensor4D {
    return resizeMap(this.estimateCoarse(images), images.shape[1], images.shape[2]);
  }

  estimateCoarse(images: tf.Tensor4D): tf.Tensor4D {
    return this.#model.apply(images) as tf.Tensor4D;
  }

  writeGraph(graph: GraphWriter, image: GraphMap): NetworkGraph {
    const [half] = writeLayersModel(graph, this.#model, [image], this.#variables);
    return { logDisparity: writeEnlarged(graph, half, image.height, image.width).value };
  }

  dispose(): void {
    this.#model.dispose();
  }
}
