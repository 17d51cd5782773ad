/** depthgrad's network as the adaptation runs it: encoder answers computed once per triplet, weights exchanged as a whole. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { fuse } from '../model/fusion';
import { poseFeatureIndex, type DepthNetwork, type VariableGroup } from '../model/network';
import { tidied } from '../model/tidied';
import { assign } from '../model/variables';
import { photometricPoses } from '../training/alignBatch';
import type { TrainingBatch, TrainingOutputs } from '../training/losses/loss';
import { neighbourPoses, networkFrame } from '../training/networks/frames';
import type { ForwardPass, TrainedNetwork } from '../training/networks/trainedNetwork';
import type { Triplet } from './frame';

/** What the encoder makes of a triplet. */
export interface TripletFeatures {
  /** The target's maps at strides 2, 4, 8, 16, 32. */
  target: Float32Array[];
  shapes: [number, number, number][];
  /** The neighbours' maps at stride 8. */
  previous: Float32Array;
  next: Float32Array;
}

export type Weights = ReadonlyMap<string, Float32Array>;

export class AdaptedNetwork {
  /** What is trained, and exchanged by `withWeights`. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  readonly groups: readonly VariableGroup[];

  /** @param trainEncoder also learn the encoder; its features are then computed in every step */
  constructor(
    readonly network: DepthNetwork,
    private readonly trainEncoder: boolean,
  ) {
    this.groups = trainEncoder ? ['encoder', 'depth', 'gradient', 'pose'] : ['depth', 'gradient', 'pose'];
    this.variables = network.namedVariables(this.groups);
  }

  /** Copies of the exchanged weights as they are. */
  weights(): Map<string, Float32Array> {
    return new Map([...this.variables].map(([name, variable]) => [name, variable.dataSync<'float32'>().slice()]));
  }

  /** Runs `look` with other weights in the network, then puts those back that were there. */
  withWeights<Result>(weights: Weights, look: () => Result): Result {
    const before = this.weights();
    this.network.setWeights(weights);
    try {
      return look();
    } finally {
      this.network.setWeights(before);
    }
  }

  setWeights(weights: Weights): void {
    for (const [name, values] of weights) assign(this.variables.get(name)!, values);
  }

  /** @returns the encoder's answers, to be kept while the encoder is frozen; with a pooled descriptor of the target's deepest map */
  encode({ images, intrinsics: { height, width } }: Triplet): { features: TripletFeatures; descriptor: Float32Array } {
    return tidied(() => {
      const [previous, target, next] = images.map(
        (image) => tf.div(tf.tensor4d(image, [1, height, width, 3], 'int32'), 255) as tf.Tensor4D,
      );
      const maps = this.network.encode(target);
      const [before, after] = tf.split(this.network.encodeForPose(tf.concat([previous, next])), 2);
      const descriptor = tf
        .mean(maps[maps.length - 1], [1, 2])
        .dataSync<'float32'>()
        .slice();
      const read = (map: tf.Tensor): Float32Array => map.dataSync<'float32'>().slice();
      return {
        features: {
          target: maps.map(read),
          shapes: maps.map(({ shape: [, h, w, c] }): [number, number, number] => [h, w, c]),
          previous: read(before),
          next: read(after),
        },
        descriptor,
      };
    });
  }

  /** @returns fused log-disparity [h,w] */
  logDisparity({ target, shapes }: TripletFeatures): Float32Array {
    return tidied(() =>
      this.#decode(target.map((map, m) => stack([map], shapes[m])))
        .fused.dataSync<'float32'>()
        .slice(),
    );
  }

  /**
   * The network for the training package's step.
   *
   * @param features of the batch's samples where the encoder is frozen; otherwise the step computes them
   */
  trained(features: readonly TripletFeatures[]): TrainedNetwork {
    return {
      namedVariables: () => new Map(this.variables),
      namedStatistics: () => new Map(),
      forward: (batch, pass) => this.#forward(batch, pass, features),
      estimate: (images) => this.#decode(this.network.encode(images)),
      dispose: () => {
        // The network belongs to the learner.
      },
    };
  }

  #forward(batch: TrainingBatch, { alignPoses }: ForwardPass, features: readonly TripletFeatures[]): TrainingOutputs {
    const { network } = this;
    if (this.trainEncoder) {
      const maps = network.encode(networkFrame(batch, 1));
      const depth = this.#decode(maps);
      const poses = neighbourPoses(network, batch, maps[poseFeatureIndex]);
      return { ...depth, ...photometricPoses(batch, depth.fused, poses, alignPoses) };
    }
    const maps = features[0].shapes.map((shape, m) =>
      stack(
        features.map(({ target }) => target[m]),
        shape,
      ),
    );
    const shape = features[0].shapes[poseFeatureIndex];
    const current = maps[poseFeatureIndex];
    const neighbours = (['previous', 'next'] as const).map((side) =>
      stack(
        features.map((one) => one[side]),
        shape,
      ),
    );
    const depth = this.#decode(maps);
    const poses = network.estimatePose(tf.concat([neighbours[0], current]), tf.concat([current, neighbours[1]]));
    return { ...depth, ...photometricPoses(batch, depth.fused, poses, alignPoses) };
  }

  #decode(maps: tf.Tensor4D[]): Pick<TrainingOutputs, 'logDisparity' | 'fused'> & { gradient: tf.Tensor4D } {
    const { logDisparity, gradient } = this.network.decode(maps);
    return { logDisparity, gradient, fused: fuse(logDisparity, gradient, this.network.config.fusionLambda) };
  }
}

/** Maps [h,w,c] of several samples as [b,h,w,c]. */
function stack(maps: readonly Float32Array[], shape: readonly [number, number, number]): tf.Tensor4D {
  const length = maps[0].length;
  const all = new Float32Array(maps.length * length);
  maps.forEach((map, b) => all.set(map, b * length));
  return tf.tensor4d(all, [maps.length, ...shape]);
}

/** Triplets as a batch of the training package, the network's images as the camera's. */
export function batchOf(triplets: readonly Triplet[]): TrainingBatch {
  const { height, width } = triplets[0].intrinsics;
  const length = 3 * height * width;
  const size = triplets.length;
  const networkImages = new Float32Array(3 * size * length);
  triplets.forEach(({ images }, b) =>
    images.forEach((image, f) => {
      const at = (f * size + b) * length;
      for (let i = 0; i < length; i++) networkImages[at + i] = image[i] / 255;
    }),
  );
  const frames = [0, 1, 2].map((f) => networkImages.subarray(f * size * length, (f + 1) * size * length));
  // A source without speeds must not take the place's from it: NaN where nobody knows.
  const numbers = (key: 'speed' | 'sincePrevious' | 'untilNext'): Float32Array =>
    Float32Array.from(triplets, ({ motion }) => motion?.[key] ?? NaN);
  return {
    size,
    height,
    width,
    intrinsics: triplets.map(({ intrinsics }) => intrinsics),
    previous: frames[0],
    target: frames[1],
    next: frames[2],
    networkImages,
    motion: triplets.some(({ motion }) => motion)
      ? { speed: numbers('speed'), sincePrevious: numbers('sincePrevious'), untilNext: numbers('untilNext') }
      : undefined,
  };
}
