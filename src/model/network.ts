import * as tf from '@tensorflow/tfjs-node-gpu';
import { encoderByName, encoderModel, type EncoderName } from './encoders/index';
import { buildDepthHead } from './heads/depth';
import { buildGradientHead, gradientInputs } from './heads/gradient';
import { buildPoseHead } from './heads/pose';
import { NetworkBuilder } from './layers';
import { writeFusion } from './onnx/fusion';
import type { GraphWriter } from './onnx/graphWriter';
import { writeLayersModel, type GraphMap } from './onnx/layers';
import type { GraphSource, NetworkGraph } from './onnx/networkGraph';
import { assign, collectVariables, startVariables } from './variables';

export type { EncoderName } from './encoders/index';

export interface NetworkConfig {
  encoder: EncoderName;
  /** Pixels; multiples of 8. The size the network is exported for; its weights work at any other multiple of 8. */
  height: number;
  width: number;
  /** Of the starting weights. */
  seed: number;
  /** Weight of the depth head against the gradient head in their fusion (fusion.ts); default 0.1. */
  fusionLambda?: number;
}

export interface DepthOutputs {
  /** [b, h, w, 1], u0 = ln(1/Z), Z in metres up to the network's scale. */
  logDisparity: tf.Tensor4D;
  /** [b, h, w, 2], forward differences of log-disparity along columns and rows. */
  gradient: tf.Tensor4D;
  /** [b, h/8, w/8, c], the depth decoder's map at stride 8, where the other heads of a frame start from. */
  context: tf.Tensor4D;
}

export const variableGroups = ['encoder', 'depth', 'gradient', 'pose'] as const;
export type VariableGroup = (typeof variableGroups)[number];

export const defaultFusionLambda = 0.1;

/** Index of the stride-8 map in the encoder's list of feature maps; the pose head reads it. */
export const poseFeatureIndex = 2;

/**
 * One shared encoder with a depth, a gradient and a pose head. Fully convolutional: every call takes images of any size
 * that is a multiple of 8.
 *
 * ```ts
 * const network = DepthNetwork.create({ encoder: 'lite0', height: 128, width: 416, seed: 1 });
 * const features = network.encode(images);                       // images [b, h, w, 3], rgb in 0..1
 * const { logDisparity, gradient } = network.decode(features);   // [b, h, w, 1], [b, h, w, 2]
 * const pose = network.estimatePose(previousFeatures[2], features[2]);  // [b, 6]
 * ```
 */
export class DepthNetwork implements GraphSource {
  readonly config: Readonly<Required<NetworkConfig>>;
  /** [b, h, w, 3] rgb in 0..1 -> feature maps at strides 2, 4, 8, 16, 32. */
  readonly encoder: tf.LayersModel;
  /** The same layers up to stride 8: all that the pose head needs of a frame whose depth is not wanted. */
  readonly shallowEncoder: tf.LayersModel;
  /** Feature maps at strides 2..32 -> log-disparity, decoder's map at stride 8. */
  readonly depthHead: tf.LayersModel;
  /** Feature maps at strides 2 and 4, the depth decoder's at stride 8 -> gradient of log-disparity. */
  readonly gradientHead: tf.LayersModel;
  /** Previous and current stride-8 feature maps -> six pose numbers. */
  readonly poseHead: tf.LayersModel;
  readonly #variables: ReadonlyMap<string, tf.Variable>;

  private constructor(config: Required<NetworkConfig>) {
    const encoder = encoderByName(config.encoder);
    const { channels } = encoder;
    const builder = new NetworkBuilder();
    this.config = config;
    this.encoder = encoderModel(builder, encoder);
    this.shallowEncoder = tf.model({
      name: 'shallow_encoder',
      inputs: this.encoder.inputs,
      outputs: this.encoder.outputs[poseFeatureIndex],
    });
    this.depthHead = buildDepthHead(builder, channels);
    this.gradientHead = buildGradientHead(builder, channels);
    this.poseHead = buildPoseHead(builder, channels[poseFeatureIndex]);
    this.#variables = collectVariables([this.encoder, this.depthHead, this.gradientHead, this.poseHead]);
    startVariables(this.#variables, builder, config.seed);
  }

  /** @throws Error when height or width is no positive multiple of 8, the encoder is unknown or lambda is not positive */
  static create(config: NetworkConfig): DepthNetwork {
    for (const side of ['height', 'width'] as const) {
      if (!Number.isInteger(config[side]) || config[side] <= 0 || config[side] % 8 !== 0) {
        throw new Error(`network ${side} must be a positive multiple of 8, not ${config[side]}`);
      }
    }
    const fusionLambda = config.fusionLambda ?? defaultFusionLambda;
    if (!(fusionLambda > 0)) throw new Error(`fusionLambda must be positive, not ${fusionLambda}`);
    return new DepthNetwork({ ...config, fusionLambda });
  }

  /** @param images [b, h, w, 3], rgb in 0..1; @returns feature maps [b, h/s, w/s, c] at strides s = 2, 4, 8, 16, 32 */
  encode(images: tf.Tensor4D): tf.Tensor4D[] {
    return this.encoder.apply(images, { training: true }) as tf.Tensor4D[];
  }

  /** @param images [b, h, w, 3], rgb in 0..1; @returns the stride-8 map alone, without the cost of the deeper ones */
  encodeForPose(images: tf.Tensor4D): tf.Tensor4D {
    return this.shallowEncoder.apply(images, { training: true }) as tf.Tensor4D;
  }

  /** @param features the encoder's five maps */
  decode(features: tf.Tensor4D[]): DepthOutputs {
    const [logDisparity, context] = this.depthHead.apply(features, { training: true }) as tf.Tensor4D[];
    const gradient = this.gradientHead.apply(gradientInputs(features, context), { training: true }) as tf.Tensor4D;
    return { logDisparity, gradient, context };
  }

  /**
   * @returns [b, 6]: translation x y z then axis-angle of the current camera in the previous camera's optical frame
   * (the transform that takes points from current-camera to previous-camera coordinates)
   */
  estimatePose(previousStride8: tf.Tensor4D, currentStride8: tf.Tensor4D): tf.Tensor2D {
    return this.poseHead.apply([previousStride8, currentStride8], { training: true }) as tf.Tensor2D;
  }

  writeGraph(graph: GraphWriter, image: GraphMap): NetworkGraph {
    const write = (model: tf.LayersModel, inputs: GraphMap[]): GraphMap[] =>
      writeLayersModel(graph, model, inputs, this.#variables);
    const { height, width } = image;
    const { fusionLambda } = this.config;
    const features = write(this.encoder, [image]);
    const [logDisparity, context] = write(this.depthHead, features);
    const [gradient] = write(this.gradientHead, gradientInputs(features, context));
    const fused = writeFusion(graph, logDisparity.value, gradient.value, { height, width, lambda: fusionLambda });
    return {
      logDisparity: fused.logDisparity,
      gradient: { value: gradient.value, confidence: fused.confidence },
      pose: {
        features: features[poseFeatureIndex],
        write: (previous, current) => write(this.poseHead, [previous, current])[0].value,
      },
      fusionLambda,
    };
  }

  /** The variables of the given groups (default all), in a stable order. Their stable names: `namedVariables`. */
  trainableVariables(groups: readonly VariableGroup[] = variableGroups): tf.Variable[] {
    return [...this.namedVariables(groups).values()];
  }

  /**
   * Variables by stable, unique name (`encoder/stem/kernel`, `pose/head/bias`). The name inside tfjs (`Variable.name`)
   * is the same for the first network of a process; it carries a suffix in later ones.
   */
  namedVariables(groups: readonly VariableGroup[] = variableGroups): Map<string, tf.Variable> {
    const wanted = new Set<string>(groups);
    return new Map([...this.#variables].filter(([name]) => wanted.has(name.slice(0, name.indexOf('/')))));
  }

  /** Copies of all weights by variable name, in tfjs's layouts ([kh, kw, in, out], depthwise [kh, kw, c, 1]). */
  getWeights(): Map<string, Float32Array> {
    return new Map([...this.#variables].map(([name, variable]) => [name, variable.dataSync<'float32'>().slice()]));
  }

  /**
   * Overwrites the named weights; those not named keep their values.
   *
   * @throws Error naming the weight when it is unknown or of another length; nothing is changed then
   */
  setWeights(weights: ReadonlyMap<string, Float32Array>): void {
    for (const [name, values] of weights) {
      const variable = this.#variables.get(name);
      if (variable === undefined) throw new Error(`weight '${name}' is not part of a ${this.config.encoder} network`);
      if (variable.size !== values.length) {
        throw new Error(
          `weight '${name}' has ${values.length} numbers, the network wants [${variable.shape.join(', ')}]`,
        );
      }
    }
    for (const [name, values] of weights) assign(this.#variables.get(name)!, values);
  }

  dispose(): void {
    for (const model of [this.encoder, this.depthHead, this.gradientHead, this.poseHead]) model.dispose();
  }
}
