/** One training step: forward, the stage's losses, gradients. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { fuse } from '../model/fusion';
import { poseFeatureIndex, type DepthNetwork } from '../model/network';
import { alignBatch } from './alignBatch';
import { lossTerms } from './losses';
import { meetsNeeds, type TrainingBatch, type TrainingOutputs } from './losses/loss';
import type { Stage } from './recipe';

export interface StepResult {
  loss: number;
  /** Unweighted value of each term, and the figures the terms report as "term/figure". */
  scalars: Record<string, number>;
  maps: Record<string, Float32Array>;
  gradients: Record<string, tf.Tensor>;
}

/** What a stage says about its step. */
export type StepSettings = Pick<Stage, 'losses' | 'align_poses'>;

/**
 * Runs encoder and heads. The target goes through the whole encoder; of its neighbours only the stride-8 features for the pose
 * head are wanted, so they stop there.
 */
export function forward(network: DepthNetwork, batch: TrainingBatch, alignPoses: boolean): TrainingOutputs {
  const { size, height, width } = batch;
  const perFrame = size * height * width * 3;
  const frame = (index: number): tf.Tensor4D =>
    tf.tensor4d(batch.networkImages.subarray(index * perFrame, (index + 1) * perFrame), [size, height, width, 3]);
  const features = network.encode(frame(1));
  const current = features[poseFeatureIndex];
  const previous = network.encodeForPose(frame(0));
  const poses = batch.next
    ? network.estimatePose(tf.concat([previous, current]), tf.concat([current, network.encodeForPose(frame(2))]))
    : network.estimatePose(previous, current);
  const { logDisparity, gradient } = network.decode(features);
  const fused = fuse(logDisparity, gradient, network.config.fusionLambda);
  const poseFromPrevious = tf.slice(poses, [0, 0], [size, 6]);
  if (!batch.next) return { logDisparity, gradient, fused, poseFromPrevious };
  const poseToNext = tf.slice(poses, [size, 0], [size, 6]);
  const aligned = alignPoses
    ? alignedPoses(batch, batch.next, fused, poseFromPrevious, poseToNext)
    : { poseFromPrevious, poseToNext };
  return { logDisparity, gradient, fused, poseFromPrevious, poseToNext, aligned };
}

function alignedPoses(
  batch: TrainingBatch,
  next: Float32Array,
  fused: tf.Tensor4D,
  poseFromPrevious: tf.Tensor2D,
  poseToNext: tf.Tensor2D,
): TrainingOutputs['aligned'] {
  const poses = (tensor: tf.Tensor2D): Float32Array => tensor.dataSync<'float32'>();
  const [fromPrevious, toNext] = alignBatch(batch, fused.dataSync<'float32'>(), [
    { images: batch.previous, poses: poses(poseFromPrevious), later: false },
    { images: next, poses: poses(poseToNext), later: true },
  ]).map((refined) => tf.tensor2d(refined, [batch.size, 6]));
  return { poseFromPrevious: fromPrevious, poseToNext: toNext };
}

/** The stage's losses on a batch's outputs. */
interface WeightedLosses {
  total: tf.Scalar;
  scalars: Record<string, number>;
  maps: Record<string, Float32Array>;
}

function weightedLosses(
  outputs: TrainingOutputs,
  batch: TrainingBatch,
  weights: Record<string, number>,
): WeightedLosses {
  const scalars: Record<string, number> = {};
  const maps: Record<string, Float32Array> = {};
  const parts: tf.Scalar[] = [];
  for (const [name, weight] of Object.entries(weights)) {
    const term = lossTerms.get(name);
    if (!term) throw new Error(`no loss "${name}"`);
    if (weight === 0 || !meetsNeeds(term, batch)) continue;
    const result = term.compute(outputs, batch);
    parts.push(tf.mul(result.value, weight) as tf.Scalar);
    scalars[name] = result.value.dataSync()[0];
    for (const [key, figure] of Object.entries(result.scalars ?? {})) scalars[`${name}/${key}`] = figure;
    Object.assign(maps, result.maps);
  }
  if (parts.length === 0) throw new Error(`none of the losses ${Object.keys(weights).join(', ')} fits this batch`);
  return { total: (parts.length === 1 ? parts[0] : tf.addN(parts)) as tf.Scalar, scalars, maps };
}

/**
 * @param settings weights of the loss terms by name; a term whose needs the batch does not meet is left out
 * @returns gradients the caller must dispose of
 */
export function computeStep(
  network: DepthNetwork,
  variables: tf.Variable[],
  batch: TrainingBatch,
  { losses: weights, align_poses: alignPoses }: StepSettings,
): StepResult {
  let losses: WeightedLosses | undefined;
  const { value, grads } = tf.variableGrads(() => {
    losses = weightedLosses(forward(network, batch, alignPoses), batch, weights);
    return losses.total;
  }, variables);
  if (!losses) throw new Error('training step: the losses were not computed');
  const loss = value.dataSync()[0];
  value.dispose();
  return { loss, scalars: losses.scalars, maps: losses.maps, gradients: grads };
}

/** The same losses without gradients. */
export function computeLosses(
  network: DepthNetwork,
  batch: TrainingBatch,
  { losses: weights, align_poses: alignPoses }: StepSettings,
): Pick<StepResult, 'loss' | 'scalars'> {
  return tf.tidy(() => {
    const { total, scalars } = weightedLosses(forward(network, batch, alignPoses), batch, weights);
    return { loss: total.dataSync()[0], scalars };
  });
}
