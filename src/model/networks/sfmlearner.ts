/**
 * SfMLearner (Zhou et al. 2017): DispNet with disparities at four scales, and the pose network with the explainability masks. As
 * published but for the pose: translation and axis-angle instead of Euler angles (the same to first order at the head's scale of 0.01), of
 * the later camera in the earlier one's frame, as everywhere here.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { Affine, CropTo, NetworkBuilder, SpatialMean } from '../layers';
import { writeConfidence } from '../onnx/fusion';
import type { GraphWriter } from '../onnx/graphWriter';
import { writeLayersModel, type GraphMap } from '../onnx/layers';
import type { GraphSource, NetworkGraph } from '../onnx/networkGraph';
import { collectVariables, startVariables } from '../variables';

export interface SfmLearnerConfig {
  seed: number;
  /** Factor on all channel counts; 1 is the paper's. */
  widthFactor?: number;
  /** CH-001's gradient multi-task: a common decoder with an x and a y head beside the disparities', on the same encoder. */
  gradientDecoder?: boolean;
  /** What its losses make that decoder estimate: CH-001's edge filter of depth in metres, or forward differences of log-disparity. */
  gradientOf?: 'depth' | 'log_disparity';
  /**
   * Metres in the unit that the paper's ranges are for; 1 is the paper's. Its depths begin at 0.2 units and its translations are hundredths
   * of one, which photometric training fits the world to; true depths and speeds of roads fit them at some 20 m.
   */
  unit?: number;
}

/** What is estimated of a single image. */
export interface SfmLearnerDepth {
  /** 1/Z, (0.01 .. 10.01) / unit, finest first, [b,h/2^s,w/2^s,1]. */
  disparities: tf.Tensor4D[];
  /** Of the gradient decoder where there is one: of what quantity, its loss decides (CH-001: of depth in metres), [b,h,w,2]. */
  gradient?: tf.Tensor4D;
}

/** All scales finest first. */
export interface SfmLearnerOutputs extends SfmLearnerDepth {
  /** Logits of the previous and the next frame, [b,h/2^s,w/2^s,2]. */
  explainability: tf.Tensor4D[];
  /** [b,6] */
  poseFromPrevious: tf.Tensor2D;
  poseToNext: tf.Tensor2D;
}

const disparityScale = 10;
const minDisparity = 0.01;
const poseScale = 0.01;
const encoderChannels = [32, 64, 128, 256, 512, 512, 512] as const;
const encoderKernels = [7, 5, 3, 3, 3, 3, 3] as const;
const decoderChannels = [512, 512, 256, 128, 64, 32, 16] as const;
const poseChannels = [16, 32, 64, 128, 256, 256, 256] as const;
const poseKernels = [7, 5, 3, 3, 3, 3, 3] as const;
const maskChannels = [256, 128, 64, 32, 16] as const;
const maskKernels = [3, 3, 3, 5, 7] as const;
const scales = 4;
const centred = { scale: 2, offset: -1 };

type Wide = (channels: number) => number;

/** Transposed convolution cut to the size of the map beside it. */
function upTo(
  builder: NetworkBuilder,
  x: tf.SymbolicTensor,
  like: tf.SymbolicTensor,
  name: string,
  filters: number,
  kernel = 3,
): tf.SymbolicTensor {
  const up = builder.convTranspose(x, name, filters, { kernel, activation: 'relu' });
  return new CropTo(`${name}/crop`).apply([up, like]) as tf.SymbolicTensor;
}

/** The image's size first, then the encoder's maps at strides 2, 4 .. 128. */
function buildEncoder(builder: NetworkBuilder, wide: Wide, image: tf.SymbolicTensor): tf.SymbolicTensor[] {
  const maps = [new Affine('disparity/normalise', centred).apply(image) as tf.SymbolicTensor];
  encoderChannels.forEach((channels, i) => {
    const options = { kernel: encoderKernels[i], activation: 'relu' } as const;
    const halved = builder.conv(maps[i], `encoder/conv${i + 1}`, wide(channels), { ...options, stride: 2 });
    maps.push(builder.conv(halved, `encoder/conv${i + 1}b`, wide(channels), options));
  });
  return maps;
}

/** The decoder's full-size map. @param refine what a stage adds to its inputs and makes of its map of stride 2^(stage - 1) */
function buildDecoder(
  builder: NetworkBuilder,
  wide: Wide,
  maps: tf.SymbolicTensor[],
  name: string,
  refine?: { input(stage: number): tf.SymbolicTensor | undefined; output(stage: number, x: tf.SymbolicTensor): void },
): tf.SymbolicTensor {
  let x = maps[encoderChannels.length];
  decoderChannels.forEach((channels, i) => {
    const stage = decoderChannels.length - i;
    const beside = maps[stage - 1];
    const inputs = [upTo(builder, x, beside, `${name}/up${stage}`, wide(channels))];
    if (stage > 1) inputs.push(beside);
    const more = refine?.input(stage);
    if (more) inputs.push(more);
    const joined = inputs.length > 1 ? builder.concat(inputs, `${name}/skip${stage}`) : inputs[0];
    x = builder.conv(joined, `${name}/conv${stage}`, wide(channels), { kernel: 3, activation: 'relu' });
    refine?.output(stage, x);
  });
  return x;
}

/** Image -> disparities, finest first, then the gradient where there is a decoder for it. */
function buildDepth(builder: NetworkBuilder, wide: Wide, gradientDecoder: boolean, unit: number): tf.LayersModel {
  const image = tf.input({ shape: [null, null, 3], name: 'disparity/image' });
  const maps = buildEncoder(builder, wide, image);
  const outputs: tf.SymbolicTensor[] = [];
  buildDecoder(builder, wide, maps, 'disparity', {
    input: (stage) => outputs[0] && builder.up(outputs[0], `disparity/scale${stage}/up`),
    output: (stage, x) => {
      if (stage > scales) return;
      const raw = builder.conv(x, `disparity/head${stage}`, 1, { kernel: 3, gain: 0.1 });
      const share = tf.layers.activation({ name: `disparity/sigmoid${stage}`, activation: 'sigmoid' }).apply(raw);
      const range = new Affine(`disparity/range${stage}`, {
        scale: disparityScale / unit,
        offset: minDisparity / unit,
      });
      outputs.unshift(range.apply(share) as tf.SymbolicTensor);
    },
  });
  if (gradientDecoder) {
    const common = buildDecoder(builder, wide, maps, 'gradient');
    const axes = ['x', 'y'].map((axis) => builder.conv(common, `gradient/head_${axis}`, 1, { kernel: 3, gain: 0.1 }));
    outputs.push(builder.concat(axes, 'gradient/axes'));
  }
  return tf.model({ name: 'disparity', inputs: image, outputs });
}

/** Target, previous and next image as nine channels -> twelve pose numbers, mask logits finest first. */
function buildPose(builder: NetworkBuilder, wide: Wide, unit: number): tf.LayersModel {
  const images = tf.input({ shape: [null, null, 9], name: 'pose/images' });
  const maps = [new Affine('pose/normalise', centred).apply(images) as tf.SymbolicTensor];
  poseChannels.forEach((channels, i) => {
    const options = { kernel: poseKernels[i], stride: 2, activation: 'relu' } as const;
    maps.push(builder.conv(maps[i], `pose/conv${i + 1}`, wide(channels), options));
  });
  let pose = builder.conv(maps[poseChannels.length], 'pose/head', 12, { kernel: 1, gain: 0.1 });
  pose = new SpatialMean('pose/mean').apply(pose) as tf.SymbolicTensor;
  const [t, r] = [poseScale * unit, poseScale];
  pose = new Affine('pose/scale', { scale: [t, t, t, r, r, r, t, t, t, r, r, r], offset: 0 }).apply(
    pose,
  ) as tf.SymbolicTensor;
  const masks: tf.SymbolicTensor[] = [];
  let x = maps[maskChannels.length];
  maskChannels.forEach((channels, i) => {
    const stage = maskChannels.length - i;
    x = upTo(builder, x, maps[stage - 1], `mask/up${stage}`, wide(channels), maskKernels[i]);
    if (stage > scales) return;
    masks.unshift(builder.conv(x, `mask/head${stage}`, 2, { kernel: 3, gain: 0.1 }));
  });
  return tf.model({ name: 'pose', inputs: images, outputs: [pose, ...masks] });
}

/**
 * ```ts
 * const network = new SfmLearnerNetwork({ seed: 1 });
 * const { disparities, explainability, poseFromPrevious, poseToNext } = network.estimate(target, previous, next);
 * ```
 */
export class SfmLearnerNetwork implements GraphSource {
  readonly #depth: tf.LayersModel;
  readonly #pose: tf.LayersModel;
  readonly #gradientOf: 'depth' | 'log_disparity';
  readonly #variables: ReadonlyMap<string, tf.Variable>;

  constructor({ seed, widthFactor = 1, gradientDecoder = false, gradientOf = 'depth', unit = 1 }: SfmLearnerConfig) {
    this.#gradientOf = gradientOf;
    const wide: Wide = (channels) => Math.max(1, Math.round(channels * widthFactor));
    const builder = new NetworkBuilder();
    this.#depth = buildDepth(builder, wide, gradientDecoder, unit);
    this.#pose = buildPose(builder, wide, unit);
    this.#variables = collectVariables([this.#depth, this.#pose]);
    startVariables(this.#variables, builder, seed);
  }

  /** `encoder/`, `disparity/`, `gradient/`, `pose/` and `mask/` variables by stable name. */
  namedVariables(): Map<string, tf.Variable> {
    return new Map(this.#variables);
  }

  /** @param image rgb in 0..1, [b,h,w,3], h and w multiples of 8 */
  estimateDepth(image: tf.Tensor4D): SfmLearnerDepth {
    const maps = this.#depth.apply(image) as tf.Tensor4D[];
    return { disparities: maps.slice(0, scales), gradient: maps[scales] };
  }

  /** @param target rgb in 0..1, [b,h,w,3], h and w multiples of 8, as are `previous` and `next` */
  estimate(target: tf.Tensor4D, previous: tf.Tensor4D, next: tf.Tensor4D): SfmLearnerOutputs {
    const [poses, ...masks] = this.#pose.apply(tf.concat([target, previous, next], 3)) as tf.Tensor[];
    const [poseFromPrevious, poseToNext] = tf.split(poses, 2, 1) as tf.Tensor2D[];
    return {
      ...this.estimateDepth(target),
      explainability: masks as tf.Tensor4D[],
      poseFromPrevious,
      poseToNext,
    };
  }

  /** Depth, and the gradient where there is a decoder for it. The pose network looks at three frames at once, which no graph is given. */
  writeGraph(graph: GraphWriter, image: GraphMap): NetworkGraph {
    const maps = writeLayersModel(graph, this.#depth, [image], this.#variables);
    const [{ value: disparity }] = maps;
    const logDisparity = graph.node('Log', [disparity]);
    const estimated: GraphMap | undefined = maps[scales];
    if (!estimated) return { logDisparity };
    let { value } = estimated;
    if (this.#gradientOf === 'depth') {
      // The edge filter's Z(u+1) - Z(u-1) is about 2 dZ, and d ln(1/Z) is -dZ / Z.
      const factor = graph.node('Mul', [disparity, graph.floats('minus_half', [-0.5], [])]);
      value = graph.node('Mul', [value, factor]);
    }
    return { logDisparity, gradient: { value, confidence: writeConfidence(graph, logDisparity, value, image) } };
  }

  dispose(): void {
    this.#depth.dispose();
    this.#pose.dispose();
  }
}
