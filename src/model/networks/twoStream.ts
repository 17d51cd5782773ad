/**
 * Two-Stream network (TwoNet, Li et al. 2017): a depth stream and a gradient stream with an encoder each, and a fusion block on depth,
 * gradient and image features. The control that shares nothing, beside depthgrad's one encoder.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { encoderByName, encoderModel, type Encoder, type EncoderName } from '../encoders/index';
import { buildDepthHead } from '../heads/depth';
import { buildGradientHead, gradientInputs } from '../heads/gradient';
import { buildPoseHead } from '../heads/pose';
import { DepthToSpace, NetworkBuilder } from '../layers';
import { writeConfidence } from '../onnx/fusion';
import type { GraphWriter } from '../onnx/graphWriter';
import { writeLayersModel, type GraphMap } from '../onnx/layers';
import type { GraphSource, NetworkGraph } from '../onnx/networkGraph';
import { collectVariables, startVariables } from '../variables';

export interface TwoStreamConfig {
  encoder: EncoderName;
  seed: number;
}

export interface TwoStreamOutputs {
  /** Of the depth stream alone, [b,h,w,1]. */
  logDisparity: tf.Tensor4D;
  /** Of the gradient stream alone: forward differences of log-disparity, [b,h,w,2]. */
  gradient: tf.Tensor4D;
  /** Of the fusion block, [b,h,w,1]. */
  fused: tf.Tensor4D;
  /** Stride-8 map of the depth stream's encoder, for `estimatePose`. */
  poseFeatures: tf.Tensor4D;
}

/** An encoder and its weights as `encoder/..`: what a pretrained start is loaded into. */
export interface NamedEncoder {
  model: tf.LayersModel;
  variables: ReadonlyMap<string, tf.Variable>;
}

const fusionChannels = 32;
/** Index of the stride-8 map, which the pose head reads. */
const poseFeatureIndex = 2;

interface Stream {
  encoder: tf.LayersModel;
  /** Decoder to stride 8 and full resolution; the gradient stream uses its stride-8 map alone. */
  decoder: tf.LayersModel;
}

function buildStream(builder: NetworkBuilder, encoder: Encoder): Stream {
  return { encoder: encoderModel(builder, encoder), decoder: buildDepthHead(builder, encoder.channels) };
}

/** Depth and gradient in 2x2 cells beside the depth stream's stride-2 features -> a correction of log-disparity, zero at first. */
function buildFusion(builder: NetworkBuilder, featureChannels: number): tf.LayersModel {
  const cells = tf.input({ shape: [null, null, 12], name: 'fusion/cells' });
  const features = tf.input({ shape: [null, null, featureChannels], name: 'fusion/features' });
  let x = builder.concat([cells, features], 'fusion/concat');
  for (const i of [1, 2]) x = builder.conv(x, `fusion/conv${i}`, fusionChannels, { kernel: 5, activation: 'relu' });
  x = builder.conv(x, 'fusion/head', 4, { kernel: 3, gain: 0.05 });
  return tf.model({
    name: 'fusion',
    inputs: [cells, features],
    outputs: new DepthToSpace('fusion/space').apply(x) as tf.SymbolicTensor,
  });
}

/** [b,2h,2w,c] -> [b,h,w,4c]: the pixels of a 2x2 cell side by side. */
function spaceToDepth(map: tf.Tensor4D): tf.Tensor4D {
  const [b, h, w, c] = map.shape;
  const rows = tf.reshape(map, [b * (h / 2), 2, w / 2, 2 * c]);
  return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [b, h / 2, w / 2, 4 * c]);
}

export class TwoStreamNetwork implements GraphSource {
  readonly #depth: Stream;
  readonly #gradient: Stream & { head: tf.LayersModel };
  readonly #fusion: tf.LayersModel;
  readonly #shallowEncoder: tf.LayersModel;
  readonly #pose: tf.LayersModel;
  readonly #encoders: readonly NamedEncoder[];
  readonly #variables: ReadonlyMap<string, tf.Variable>;

  /** @throws Error when the encoder is unknown */
  constructor({ encoder: name, seed }: TwoStreamConfig) {
    const encoder = encoderByName(name);
    const ofDepth = new NetworkBuilder();
    const ofGradient = new NetworkBuilder();
    this.#depth = buildStream(ofDepth, encoder);
    this.#fusion = buildFusion(ofDepth, encoder.channels[0]);
    const stream = buildStream(ofGradient, encoder);
    // Of the second decoder only what leads to its stride-8 map: the rest would never be trained.
    const decoder = tf.model({ name: 'context', inputs: stream.decoder.inputs, outputs: stream.decoder.outputs[1] });
    this.#gradient = { encoder: stream.encoder, decoder, head: buildGradientHead(ofGradient, encoder.channels) };
    const { encoder: depthEncoder } = this.#depth;
    this.#shallowEncoder = tf.model({
      name: 'shallow_encoder',
      inputs: depthEncoder.inputs,
      outputs: depthEncoder.outputs[poseFeatureIndex],
    });
    const ofPose = new NetworkBuilder();
    this.#pose = buildPoseHead(ofPose, encoder.channels[poseFeatureIndex]);
    const depth = collectVariables([this.#depth.encoder, this.#depth.decoder, this.#fusion]);
    const gradient = collectVariables([this.#gradient.encoder, decoder, this.#gradient.head]);
    const pose = collectVariables([this.#pose]);
    startVariables(depth, ofDepth, seed);
    startVariables(gradient, ofGradient, seed + 1);
    startVariables(pose, ofPose, seed);
    this.#encoders = [this.#depth.encoder, this.#gradient.encoder].map((model) => ({
      model,
      variables: collectVariables([model]),
    }));
    this.#variables = new Map([
      ...pose,
      ...[...depth].map(([key, variable]) => [`depth_stream/${key}`, variable] as const),
      ...[...gradient].map(([key, variable]) => [`gradient_stream/${key}`, variable] as const),
    ]);
  }

  /** `depth_stream/`, `gradient_stream/` and `pose/` variables by stable name; the fusion block is `depth_stream/fusion/`. */
  namedVariables(): Map<string, tf.Variable> {
    return new Map(this.#variables);
  }

  /** The depth stream's encoder and the gradient stream's. */
  get encoders(): readonly NamedEncoder[] {
    return this.#encoders;
  }

  /** @param images rgb in 0..1, [b,h,w,3]; @returns `poseFeatures` alone, without the cost of the rest */
  encodeForPose(images: tf.Tensor4D): tf.Tensor4D {
    return this.#shallowEncoder.apply(images) as tf.Tensor4D;
  }

  /**
   * Ego-motion, which the supervised original had no need of: depthgrad's pose head on the depth stream's encoder, so that the two can
   * be trained by the same losses.
   *
   * @returns [b,6], pose of the current camera in the previous camera's frame: translation, axis-angle
   */
  estimatePose(previous: tf.Tensor4D, current: tf.Tensor4D): tf.Tensor2D {
    return this.#pose.apply([previous, current]) as tf.Tensor2D;
  }

  /** @param images rgb in 0..1, [b,h,w,3], h and w multiples of 8 */
  estimate(images: tf.Tensor4D): TwoStreamOutputs {
    const depthFeatures = this.#depth.encoder.apply(images) as tf.Tensor4D[];
    const [logDisparity] = this.#depth.decoder.apply(depthFeatures) as tf.Tensor4D[];
    const gradientFeatures = this.#gradient.encoder.apply(images) as tf.Tensor4D[];
    const context = this.#gradient.decoder.apply(gradientFeatures) as tf.Tensor4D;
    const gradient = this.#gradient.head.apply(gradientInputs(gradientFeatures, context)) as tf.Tensor4D;
    const cells = spaceToDepth(tf.concat([logDisparity, gradient], 3));
    const correction = this.#fusion.apply([cells, depthFeatures[0]]) as tf.Tensor4D;
    const poseFeatures = depthFeatures[poseFeatureIndex];
    return { logDisparity, gradient, fused: tf.add(logDisparity, correction), poseFeatures };
  }

  writeGraph(graph: GraphWriter, image: GraphMap): NetworkGraph {
    const write = (model: tf.LayersModel, inputs: GraphMap[], prefix = ''): GraphMap[] =>
      writeLayersModel(graph, model, inputs, this.#variables, prefix);
    const [ofDepth, ofGradient] = ['depth_stream/', 'gradient_stream/'];
    const depthFeatures = write(this.#depth.encoder, [image], ofDepth);
    const [logDisparity] = write(this.#depth.decoder, depthFeatures, ofDepth);
    const gradientFeatures = write(this.#gradient.encoder, [image], ofGradient);
    const [context] = write(this.#gradient.decoder, gradientFeatures, ofGradient);
    const [gradient] = write(this.#gradient.head, gradientInputs(gradientFeatures, context), ofGradient);
    const both = graph.node('Concat', [logDisparity.value, gradient.value], { axis: 1 });
    const { height, width } = depthFeatures[0];
    const cells = { value: graph.node('SpaceToDepth', [both], { blocksize: 2 }), height, width, channels: 12 };
    const [correction] = write(this.#fusion, [cells, depthFeatures[0]], ofDepth);
    return {
      logDisparity: graph.node('Add', [logDisparity.value, correction.value]),
      gradient: {
        value: gradient.value,
        confidence: writeConfidence(graph, logDisparity.value, gradient.value, image),
      },
      pose: {
        features: depthFeatures[poseFeatureIndex],
        write: (previous, current) => write(this.#pose, [previous, current])[0].value,
      },
    };
  }

  dispose(): void {
    const { encoder, decoder, head } = this.#gradient;
    for (const model of [this.#depth.encoder, this.#depth.decoder, this.#fusion, this.#pose, encoder, decoder, head])
      model.dispose();
  }
}
