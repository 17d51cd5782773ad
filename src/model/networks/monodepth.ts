/**
 * monodepth (Godard et al. 2017): from the left image alone the disparities of the left and the right image of a rectified pair, at four
 * scales. The decoder is the published one with a rectifier in place of ELU; the encoder is any of src/model/encoders, whose deepest map
 * has stride 32.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { encoderByName, type EncoderName } from '../encoders/index';
import { Affine, NetworkBuilder } from '../layers';
import type { GraphWriter } from '../onnx/graphWriter';
import { writeLayersModel, type GraphMap } from '../onnx/layers';
import type { GraphSource, NetworkGraph } from '../onnx/networkGraph';
import { collectVariables, startVariables } from '../variables';

export interface MonodepthConfig {
  encoder: EncoderName;
  /** Of the starting weights. */
  seed: number;
  /** Factor on the decoder's channel counts; 1 is the paper's. */
  decoderFactor?: number;
}

/** The largest disparity in widths of the image. */
export const largestDisparity = 0.3;
/** What an untrained network says everywhere; the paper's 0.15 is a wall just before the cameras, out of reach of the true disparities. */
const startingDisparity = 0.04;
/** Decoder channels at strides 16, 8, 4, 2, 1. */
const decoderChannels = [256, 128, 64, 32, 16] as const;
/** Scales with disparities, the finest at the image's size. */
const scales = 4;

function build(builder: NetworkBuilder, { encoder: name, decoderFactor = 1 }: MonodepthConfig): tf.LayersModel {
  const encoder = encoderByName(name);
  const image = tf.input({ shape: [null, null, 3], name: 'encoder/image' });
  const normalised = new Affine('encoder/normalise', encoder.normalisation).apply(image) as tf.SymbolicTensor;
  const features = encoder.build(builder, normalised);
  const bias = Math.log(startingDisparity / (largestDisparity - startingDisparity));
  const disparities: tf.SymbolicTensor[] = [];
  let x = features[4];
  decoderChannels.forEach((channels, i) => {
    const stride = 16 >> i;
    const filters = Math.max(1, Math.round(channels * decoderFactor));
    const upName = `decoder/up${stride}`;
    const up = builder.conv(builder.up(x, `${upName}/nearest`), upName, filters, { kernel: 3, activation: 'relu' });
    const inputs = [up];
    if (stride > 1) inputs.push(features[3 - i]);
    if (disparities[0]) inputs.push(builder.up(disparities[0], `decoder/disparity${stride}/up`));
    const joined = inputs.length > 1 ? builder.concat(inputs, `decoder/skip${stride}`) : up;
    x = builder.conv(joined, `decoder/conv${stride}`, filters, { kernel: 3, activation: 'relu' });
    if (decoderChannels.length - i > scales) return;
    const raw = builder.conv(x, `decoder/head${stride}`, 2, { kernel: 3, gain: 0.1, bias });
    const share = tf.layers.activation({ name: `decoder/sigmoid${stride}`, activation: 'sigmoid' }).apply(raw);
    const range = new Affine(`decoder/disparity${stride}`, { scale: largestDisparity, offset: 0 });
    disparities.unshift(range.apply(share) as tf.SymbolicTensor);
  });
  return tf.model({ name: 'monodepth', inputs: image, outputs: disparities });
}

/**
 * ```ts
 * const [finest] = new MonodepthNetwork({ encoder: 'lite0', seed: 1 }).estimate(leftImages); // [b,h,w,2]
 * ```
 */
export class MonodepthNetwork implements GraphSource {
  readonly #model: tf.LayersModel;
  readonly #variables: ReadonlyMap<string, tf.Variable>;

  /** @throws Error when the encoder is unknown */
  constructor(config: MonodepthConfig) {
    const builder = new NetworkBuilder();
    this.#model = build(builder, config);
    this.#variables = collectVariables([this.#model]);
    startVariables(this.#variables, builder, config.seed);
  }

  /** `encoder/` and `decoder/` variables by stable name. */
  namedVariables(): Map<string, tf.Variable> {
    return new Map(this.#variables);
  }

  /** The whole model and its variables: the encoder's, which a pretrained start is loaded into, are `encoder/..`. */
  get encoder(): { model: tf.LayersModel; variables: ReadonlyMap<string, tf.Variable> } {
    return { model: this.#model, variables: this.#variables };
  }

  /**
   * @param images left images, rgb in 0..1, [b,h,w,3], h and w multiples of 32
   * @returns disparity of the left (channel 0) and the right image (1) in widths of the image, 0 .. 0.3, finest first, [b,h/2^s,w/2^s,2]
   */
  estimate(images: tf.Tensor4D): tf.Tensor4D[] {
    return this.#model.apply(images) as tf.Tensor4D[];
  }

  /** Depth from the left image's finest disparity, in widths of the image: in units of fx / width * baseline, as one image says no more. */
  writeGraph(graph: GraphWriter, image: GraphMap): NetworkGraph {
    const [finest] = writeLayersModel(graph, this.#model, [image], this.#variables);
    const [zero, one] = [0, 1].map((index) => graph.integers(`index_${index}`, [index]));
    const left = graph.node('Slice', [finest.value, zero, one, one]); // from channel 0 to 1 of axis 1
    return { logDisparity: graph.node('Log', [left]) };
  }

  dispose(): void {
    this.#model.dispose();
  }
}
