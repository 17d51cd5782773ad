/** A few rendered frames with everything a batch can carry, so that any recipe can train on them. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { BatchSource } from '../../src/training/batches/batchSource';
import { SyntheticScenes } from '../../src/training/datasets/synthetic';
import type { TrainingBatch } from '../../src/training/losses/loss';
import { normalsFromDepth } from '../../src/training/losses/normals';

const BASELINE = 0.5;
const SECONDS_PER_FRAME = 0.1;
/** Beyond this many metres the depth camera measures nothing. */
const MEASURED_RANGE = 40;
/** Rendered scenes in which the camera goes ahead by a good half metre per frame and nothing else moves much. */
const SCENES = [0, 1, 2, 3, 4, 5, 6, 7];
const LEAST_MOTION = 0.5;
/** Classes of the label images. */
export const LABELS = { near: 0, far: 1, moving: 2 } as const;

export interface TinySetOptions {
  /** Share of the target frame that moves by itself. */
  moving?: readonly [least: number, most: number];
}

/**
 * The picture of a camera to the right, drawn pixel by pixel, nearer ones last, so that they hide what is behind them. What no pixel
 * reaches shows what the left camera sees there.
 */
function rightImage(left: Uint8Array, depth: Float32Array, width: number, focalTimesBaseline: number): Uint8Array {
  const right = left.slice();
  const farFirst = Array.from(depth.keys()).sort((a, b) => depth[b] - depth[a]);
  for (const i of farFirst) {
    const column = Math.round((i % width) - focalTimesBaseline / depth[i]);
    if (column < 0) continue;
    const at = i - (i % width) + column;
    right.set(left.subarray(3 * i, 3 * i + 3), 3 * at);
  }
  return right;
}

/** Always the same samples: previous, target and next frame of a scene each; after the fifth the scenes repeat. */
export class TinySet implements BatchSource {
  readonly #batches = new Map<string, TrainingBatch>();
  readonly #moving: readonly [number, number];

  constructor({ moving = [0, 0.02] }: TinySetOptions = {}) {
    this.#moving = moving;
  }

  next(size: number, height: number, width: number): TrainingBatch {
    const key = `${size} ${height}x${width}`;
    const known = this.#batches.get(key) ?? make(size, height, width, this.#moving);
    this.#batches.set(key, known);
    return known;
  }
}

function make(size: number, height: number, width: number, [least, most]: readonly [number, number]): TrainingBatch {
  const scenes = new SyntheticScenes(3);
  const driven = SCENES.map((index) => scenes.render(index, height, width, 3)).filter(
    ({ poses, moving }) => poses[0][2] > LEAST_MOTION && mean(moving[1]) >= least && mean(moving[1]) <= most,
  );
  if (driven.length === 0)
    throw new Error(`none of the scenes moves by itself between ${least} and ${most} of a frame`);
  const samples = Array.from({ length: size }, (_, b) => driven[b % driven.length]);
  const images = (frame: number): Float32Array =>
    joined(samples.map((sample) => Float32Array.from(sample.images[frame], (level) => level / 255)));
  const [previous, target, next] = [0, 1, 2].map(images);
  const depth = joined(samples.map(({ depths }) => depths[1]));
  const intrinsics = samples.map((sample) => sample.intrinsics);
  const rights = samples.map((sample) =>
    rightImage(sample.images[1], sample.depths[1], width, sample.intrinsics.fx * BASELINE),
  );
  const speeds = samples.map(({ poses }) => Math.hypot(...poses[0].subarray(0, 3)) / SECONDS_PER_FRAME);
  const numbers = (value: (b: number) => number): Float32Array =>
    Float32Array.from({ length: size }, (_, b) => value(b));
  return {
    size,
    height,
    width,
    intrinsics,
    previous,
    target,
    next,
    networkImages: joined([previous, target, next]),
    truth: {
      logDisparity: depth.map((z) => -Math.log(z)),
      pose: joined(samples.map(({ poses }) => Float32Array.from(poses[0]))),
    },
    stereo: {
      right: joined(rights.map((bytes) => Float32Array.from(bytes, (level) => level / 255))),
      baseline: numbers(() => BASELINE),
    },
    depth: depth.map((z) => (z < MEASURED_RANGE ? z : 0)),
    teacher: { disparity: depth.map((z) => 3 / z + 0.2) },
    normals: tf.tidy(() =>
      normalsFromDepth(tf.tensor4d(depth, [size, height, width, 1]), intrinsics).dataSync<'float32'>(),
    ),
    labels: joinedBytes(
      samples.map(({ depths, moving }) =>
        moving[1].map((moves, i) => (moves ? LABELS.moving : depths[1][i] < MEASURED_RANGE ? LABELS.near : LABELS.far)),
      ),
    ),
    motion: {
      speed: numbers((b) => speeds[b]),
      sincePrevious: numbers(() => SECONDS_PER_FRAME),
      untilNext: numbers(() => SECONDS_PER_FRAME),
    },
  };
}

function mean(values: Uint8Array): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

function joinedBytes(parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function joined(parts: Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}
