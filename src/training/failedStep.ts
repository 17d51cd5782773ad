/** What is written when a step's loss or gradient is no number or has exploded: everything to look at it, and to repeat it. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import sharp from 'sharp';
import { writeFileAtomically, writeSafetensors, type NamedTensor } from '../model/safetensors';
import type { StepBatch } from './batches/batchSource';
import { writeCheckpoint, type RunPosition } from './checkpoint';
import type { TrainingBatch } from './losses/loss';
import type { TrainedNetwork } from './networks/trainedNetwork';
import type { FlatAdam } from './optimizer';
import type { Stage } from './recipe';

export interface FailedStep {
  reason: string;
  stage: Stage;
  loss: number;
  /** Unweighted terms and their figures. */
  scalars: Record<string, number>;
  /** What the terms counted at this step. */
  weights: Record<string, number>;
  /** Global norm before clipping; undefined where the loss was bad already. */
  gradientNorm?: number;
}

/** All number arrays of a batch by name, those inside `truth` as "truth/name". */
function arraysOf(batch: object, prefix = ''): [string, Float32Array][] {
  return Object.entries(batch).flatMap(([name, value]): [string, Float32Array][] => {
    if (value instanceof Float32Array) return [[prefix + name, value]];
    if (value instanceof Uint8Array) return [[prefix + name, Float32Array.from(value)]];
    return value !== null && typeof value === 'object' && !Array.isArray(value) && !ArrayBuffer.isView(value)
      ? arraysOf(value as object, `${prefix}${name}/`)
      : [];
  });
}

function summary(values: Float32Array): Record<string, number> {
  let [low, high, sum, finite] = [Infinity, -Infinity, 0, 0];
  for (const x of values) {
    if (!Number.isFinite(x)) continue;
    low = Math.min(low, x);
    high = Math.max(high, x);
    sum += x;
    finite++;
  }
  return { count: values.length, not_finite: values.length - finite, min: low, max: high, mean: sum / finite };
}

/** JSON has no NaN: they are written as text, since they are what one looks for here. */
function spelled(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function rows(values: Float32Array, length: number): number[][] {
  return Array.from({ length: values.length / length }, (_, b) => [...values.subarray(b * length, (b + 1) * length)]);
}

function estimatedPoses(network: TrainedNetwork, batch: TrainingBatch, stage: Stage): Record<string, number[][]> {
  return tf.tidy(() => {
    const { poseFromPrevious, poseToNext, aligned } = network.forward(batch, { alignPoses: stage.align_poses });
    const all = {
      from_previous: poseFromPrevious,
      to_next: poseToNext,
      aligned_from_previous: aligned?.poseFromPrevious,
      aligned_to_next: aligned?.poseToNext,
    };
    return Object.fromEntries(
      Object.entries(all).flatMap(([name, pose]) => (pose ? [[name, rows(pose.dataSync<'float32'>(), 6)]] : [])),
    );
  });
}

async function writePictures(folder: string, batch: TrainingBatch): Promise<void> {
  const { size, height, width, previous, target, next } = batch;
  for (const [name, images] of Object.entries({ previous, target, next })) {
    for (let b = 0; images && b < size; b++) {
      const length = height * width * 3;
      const pixels = Uint8Array.from(images.subarray(b * length, (b + 1) * length), (x) =>
        Math.round(255 * Math.min(1, Math.max(0, x || 0))),
      );
      const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
        .png()
        .toBuffer();
      writeFileAtomically(join(folder, `sample${b}-${name}.png`), [png]);
    }
  }
}

/**
 * Writes `failed-step-N/` into the run folder: step.json (reason, terms, intrinsics, poses, ranges of every array), the images as
 * PNG, the batch's exact numbers and the state before the step as safetensors.
 *
 * @returns the folder, a new one every time
 */
export async function writeFailedStep(
  run: string,
  failed: FailedStep,
  { batch, dataSet }: StepBatch,
  network: TrainedNetwork,
  adam: FlatAdam,
  position: RunPosition,
): Promise<string> {
  const name = `failed-step-${position.step}`;
  let folder = join(run, name);
  for (let again = 2; existsSync(folder); again++) folder = join(run, `${name}-${again}`);
  mkdirSync(folder, { recursive: true });
  const { size, height, width, intrinsics, truth } = batch;
  const arrays = arraysOf(batch);
  const report = {
    step: position.step,
    stage: failed.stage.name,
    data_set: dataSet,
    reason: failed.reason,
    loss: failed.loss,
    gradient_norm: failed.gradientNorm,
    terms: failed.scalars,
    weights: failed.weights,
    batch: { size, height, width },
    intrinsics,
    poses: { ...estimatedPoses(network, batch, failed.stage), truth: truth?.pose && rows(truth.pose, 6) },
    arrays: Object.fromEntries(arrays.map(([key, values]) => [key, summary(values)])),
  };
  writeFileAtomically(join(folder, 'step.json'), [Buffer.from(`${JSON.stringify(report, spelled, 2)}\n`)]);
  await writePictures(folder, batch);
  const tensors = new Map<string, NamedTensor>(arrays.map(([key, data]) => [key, { shape: [data.length], data }]));
  writeSafetensors(join(folder, 'batch.safetensors'), tensors, { format: 'depthgrad-batch/1' });
  writeCheckpoint(join(folder, 'checkpoint.safetensors'), adam, network.namedStatistics(), position);
  return folder;
}
