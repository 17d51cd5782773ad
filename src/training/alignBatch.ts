/**
 * Direct alignment inside the training step: the pose head's answers refined on the step's own depth. The photometric losses use the
 * refined poses, so that depth learns from geometry that fits, and the pose head learns to answer what the refinement found.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import {
  ALIGNMENT_SHRINK,
  alignmentCost,
  alignmentLevels,
  alignPose,
  blockMeans,
  type PinholeParameters,
} from '../geometry/alignment';
import { fromVector6, inverse, toVector6 } from '../geometry/se3';
import type { TrainingBatch, TrainingOutputs } from './losses/loss';

/** A neighbour of the batch's targets, and the head's answer for it. */
export interface Neighbour {
  /** [b,h,w,3] */
  images: Float32Array;
  /** [b,6], the later camera's pose in the earlier camera's frame. */
  poses: Float32Array;
  /** Whether `images` are the later frames (then the target is the earlier one). */
  later: boolean;
}

/**
 * The refinement of the head's answer, or what the images say without it where that explains them no better than no motion at all.
 * Otherwise a bad answer, refined to a worse one, would be what the head is taught next: it runs away, and takes all pixels out of the
 * picture and every loss with it (hand-held cameras did so within a hundred steps).
 */
function bestMotion(
  initial: ArrayLike<number>,
  maps: Parameters<typeof alignmentLevels>[0],
  intrinsics: PinholeParameters,
): ArrayLike<number> {
  const levels = alignmentLevels(maps, intrinsics);
  const judged = (motion: ArrayLike<number>): { motion: ArrayLike<number>; cost: number } => ({
    motion,
    cost: alignmentCost(motion, levels[levels.length - 1]),
  });
  const best = (...all: ReturnType<typeof judged>[]): ReturnType<typeof judged> =>
    all.reduce((a, b) => (b.cost < a.cost ? b : a));
  const rest = judged(new Float64Array(6));
  const found = best(judged(initial), judged(alignPose(initial, levels)));
  if (found.cost < rest.cost) return found.motion;
  return best(rest, judged(alignPose(rest.motion, alignmentLevels(maps, intrinsics, true)))).motion;
}

/**
 * @param logDisparity of the targets [b,h,w]
 * @returns refined poses per neighbour
 */
export function alignBatch(
  batch: TrainingBatch,
  logDisparity: Float32Array,
  neighbours: readonly Neighbour[],
): Float32Array[] {
  const { size, height, width } = batch;
  const pixels = height * width;
  const refined = neighbours.map(({ poses }) => Float32Array.from(poses));
  for (let b = 0; b < size; b++) {
    const grey = (all: Float32Array): Float32Array =>
      blockMeans(all.subarray(3 * b * pixels, 3 * (b + 1) * pixels), height, width, 3, ALIGNMENT_SHRINK);
    const halves = {
      height: height / ALIGNMENT_SHRINK,
      width: width / ALIGNMENT_SHRINK,
      target: grey(batch.target),
      logDisparity: blockMeans(logDisparity.subarray(b * pixels, (b + 1) * pixels), height, width, 1, ALIGNMENT_SHRINK),
    };
    neighbours.forEach(({ images, poses, later }, k) => {
      const answer = poses.subarray(6 * b, 6 * b + 6);
      const initial = later ? toVector6(inverse(fromVector6(answer))) : answer;
      const found = bestMotion(initial, { ...halves, source: grey(images) }, batch.intrinsics[b]);
      refined[k].set(later ? toVector6(inverse(fromVector6(found))) : found, 6 * b);
    });
  }
  return refined;
}

/**
 * The pose outputs of a network whose pose head looks at two frames.
 *
 * @param fused log-disparity of the targets [b,h,w,1]
 * @param poses [b,6] from the previous frame, then [b,6] to the next one where the batch has it
 * @param align refine them for the photometric losses, or let those see the answers themselves
 */
export function photometricPoses(
  batch: TrainingBatch,
  fused: tf.Tensor4D,
  poses: tf.Tensor2D,
  align: boolean,
): Pick<TrainingOutputs, 'poseFromPrevious' | 'poseToNext' | 'aligned'> {
  const { size, previous, next } = batch;
  const poseFromPrevious = tf.slice(poses, [0, 0], [size, 6]);
  if (!next) return { poseFromPrevious };
  const poseToNext = tf.slice(poses, [size, 0], [size, 6]);
  const answers = { poseFromPrevious, poseToNext };
  if (!align) return { ...answers, aligned: { ...answers, refined: false } };
  const [fromPrevious, toNext] = alignBatch(batch, fused.dataSync<'float32'>(), [
    { images: previous, poses: poseFromPrevious.dataSync<'float32'>(), later: false },
    { images: next, poses: poseToNext.dataSync<'float32'>(), later: true },
  ]).map((refined) => tf.tensor2d(refined, [size, 6]));
  return { ...answers, aligned: { poseFromPrevious: fromPrevious, poseToNext: toNext, refined: true } };
}
