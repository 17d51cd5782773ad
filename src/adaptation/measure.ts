/** How well a network explains a triplet: the figures the guard and the offline twin judge by. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { upperMedian } from '../geometry/statistics';
import type { TrainingBatch, TrainingOutputs } from '../training/losses/loss';
import { forwardDifferences } from '../model/differences';
import { tidied } from '../model/tidied';
import { sample, targetToSource, workspacesFor } from '../training/losses/photometric';
import { photometricErrorInto, warpIntoTarget } from '../training/losses/photometricKernel';
import type { TrainedNetwork } from '../training/networks/trainedNetwork';
import { batchOf } from './adaptedNetwork';
import { missingScale, type ReferenceAnswer } from './anchors';
import type { Triplet } from './frame';

/** Of one triplet, or means over several. */
export interface Figures {
  /** Unmasked photometric error, see `unmaskedError`. */
  error: number;
  /** The same of the neighbours as they are. */
  unwarped: number;
  /** Median of ln(reference's depth / this depth). */
  scale: number;
  /** ln(aligned way / driven way), where the speed is known: 0 is metric. */
  metricScale?: number;
  /** Mean |grad u0 - G| over both axes: how far depth and gradient head disagree. */
  inconsistency: number;
}

/**
 * Photometric error 0.85 (1 - SSIM) / 2 + 0.15 L1, mean over every pixel but the outer ring; of the two neighbours the better one counts, warped
 * by depth and pose. No pixel is masked: one that both warped neighbours leave counts as if nothing had moved, so that a depth is not good for
 * having nothing to compare.
 *
 * @param batch of one sample  @param logDisparity fused [h,w]
 * @param poses [6] from the previous and to the next frame
 */
export function unmaskedError(
  batch: TrainingBatch,
  logDisparity: Float32Array,
  poses: readonly [Float32Array, Float32Array],
): { error: number; unwarped: number } {
  const { height, width, target, previous, next, intrinsics } = batch;
  const pixels = height * width;
  const sources = [previous, next!].map((images) => sample(images, 0, 3 * pixels));
  const works = workspacesFor(height, width, 2);
  const maps = sources.map((image, s) => {
    const { rotation, translation } = targetToSource(poses[s], s === 1);
    warpIntoTarget(works[s], image, logDisparity, intrinsics[0], rotation, translation);
    const [warped, still] = [new Float32Array(pixels), new Float32Array(pixels)];
    photometricErrorInto(works[s].warped, target, height, width, warped);
    photometricErrorInto(image, target, height, width, still);
    return { warped, still, valid: works[s].valid };
  });
  const [a, b] = maps;
  let [error, unwarped] = [0, 0];
  for (let v = 1; v < height - 1; v++) {
    for (let i = v * width + 1; i < v * width + width - 1; i++) {
      const still = Math.min(a.still[i], b.still[i]);
      const best = Math.min(a.valid[i] ? a.warped[i] : Infinity, b.valid[i] ? b.warped[i] : Infinity);
      error += best === Infinity ? still : best;
      unwarped += still;
    }
  }
  const count = (height - 2) * (width - 2);
  return { error: error / count, unwarped: unwarped / count };
}

/** @returns the network's fused log-disparity [h,w] of the triplet's target besides; the figures may be NaN */
export function measureTriplet(
  network: TrainedNetwork,
  triplet: Triplet,
  reference?: ReferenceAnswer,
): { figures: Figures; logDisparity: Float32Array } {
  const batch = batchOf([triplet]);
  return tidied(() => {
    const outputs = network.forward(batch, { alignPoses: true });
    const logDisparity = outputs.fused.dataSync<'float32'>().slice();
    const { poseFromPrevious, poseToNext } = outputs.aligned!;
    const poses = [poseFromPrevious, poseToNext].map((pose) => pose.dataSync<'float32'>());
    const way = Math.hypot(...poses[0].subarray(0, 3));
    const { motion } = triplet;
    const figures: Figures = {
      ...unmaskedError(batch, logDisparity, [poses[0], poses[1]]),
      scale: reference ? upperMedian(logDisparity.map((u, i) => u - reference.logDisparity[i])) : 0,
      metricScale: motion && missingScale(way, motion.speed * motion.sincePrevious),
      inconsistency: inconsistencyOf(outputs),
    };
    return { figures, logDisparity };
  });
}

function inconsistencyOf({ logDisparity, gradient }: TrainingOutputs): number {
  return gradient ? tf.mean(tf.abs(tf.sub(forwardDifferences(logDisparity), gradient))).dataSync()[0] : 0;
}

/** Means over triplets; of the metric scale over those that have one that is finite (a standing car has none). */
export function meanFigures(all: readonly Figures[]): Figures {
  const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
  const metric = all.flatMap(({ metricScale }) => (Number.isFinite(metricScale) ? metricScale! : []));
  return {
    error: mean(all.map(({ error }) => error)),
    unwarped: mean(all.map(({ unwarped }) => unwarped)),
    scale: mean(all.map(({ scale }) => scale)),
    metricScale: metric.length > 0 ? mean(metric) : undefined,
    inconsistency: mean(all.map(({ inconsistency }) => inconsistency)),
  };
}
