/**
 * The photometric loss on the fused depth: warp, SSIM + L1, per-pixel minimum over the sources, auto-mask. The arithmetic is in
 * photometricKernel.ts; here it meets tensors, through one tf.customGrad.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { scaleIntrinsics } from '../../geometry/camera';
import { inverse, fromVector6, rightJacobian, type Se3 } from '../../geometry/se3';
import type { LossResult, LossTerm, TrainingBatch } from './loss';
import { backwardThroughWarp, photometricErrorInto, PhotometricWorkspace, warpIntoTarget } from './photometricKernel';

/** Breaks ties of the auto-mask where nothing moves and both errors are equal (Monodepth2: random noise of this size). */
const TIE_BREAK = 1e-5;

/** A fixed pattern in [0, 1) in place of random numbers, so that a resumed run repeats an uninterrupted one. */
function tieNoise(pixel: number): number {
  return (Math.imul(pixel + 1, 0x9e3779b1) >>> 0) / 4294967296;
}

/** Photometric error per pixel, [h,w]; 0.85 (1 - SSIM) / 2 + 0.15 L1 over rgb images [h,w,3] in 0..1. The outer ring is 0. */
export function photometricError(
  target: Float32Array,
  warped: Float32Array,
  height: number,
  width: number,
): Float32Array {
  const out = new Float32Array(height * width);
  photometricErrorInto(target, warped, height, width, out);
  return out;
}

/** One source image of a target, and how the pose head's answer becomes the transform from target to source. */
export interface PhotometricSource {
  /** rgb [b,h,w,3] in 0..1 */
  images: Float32Array;
  /** The pose given is of the later in the earlier camera: used as it is for an earlier source, inverted for a later one. */
  later: boolean;
}

/** Value, gradients and pictures of the loss for a whole batch. */
export interface PhotometricOutcome {
  value: number;
  gradLogDisparity: Float32Array;
  /** Per source, [b,6]. */
  gradPoses: Float32Array[];
  /** Mean error of the best warped source over valid pixels, without the auto-mask. */
  warpedError: number;
  /** Mean error of the best un-warped source over the same pixels. */
  unwarpedError: number;
  /** Share of pixels the auto-mask leaves in. */
  keptShare: number;
  /** Error of the best warped source of the first sample. */
  errorMap: Float32Array;
}

const workspaces = new Map<string, PhotometricWorkspace[]>();

/** `count` workspaces of this size, kept for the next call of the same size. */
export function workspacesFor(height: number, width: number, count: number): PhotometricWorkspace[] {
  const key = `${height}x${width}`;
  const list = workspaces.get(key) ?? [];
  while (list.length < count) list.push(new PhotometricWorkspace(height, width));
  workspaces.set(key, list);
  return list.slice(0, count);
}

/** The `index`-th part of `length` numbers, not copied. */
export function sample(all: Float32Array, index: number, length: number): Float32Array {
  return all.subarray(index * length, (index + 1) * length);
}

/**
 * @param logDisparity ln(1/Z) of the target [b,h,w]
 * @param poses per source, [b,6]: the later camera's pose in the earlier camera's frame
 */
export function evaluatePhotometric(
  batch: Pick<TrainingBatch, 'size' | 'height' | 'width' | 'intrinsics' | 'target'>,
  sources: PhotometricSource[],
  logDisparity: Float32Array,
  poses: Float32Array[],
): PhotometricOutcome {
  const { size, height, width } = batch;
  const pixels = height * width;
  const interior = (height - 2) * (width - 2) * size;
  const works = workspacesFor(height, width, sources.length);
  /** The least error of the sources as they are. */
  const unwarped = new Float32Array(pixels);
  const outcome: PhotometricOutcome = {
    value: 0,
    gradLogDisparity: new Float32Array(size * pixels),
    gradPoses: sources.map(() => new Float32Array(size * 6)),
    warpedError: 0,
    unwarpedError: 0,
    keptShare: 0,
    errorMap: new Float32Array(pixels),
  };
  let kept = 0;
  let counted = 0;
  for (let b = 0; b < size; b++) {
    const target = sample(batch.target, b, 3 * pixels);
    const u = sample(logDisparity, b, pixels);
    const gradU = sample(outcome.gradLogDisparity, b, pixels);
    const k = batch.intrinsics[b];
    unwarped.fill(Infinity);
    const transforms = sources.map((source, s) => {
      const image = sample(source.images, b, 3 * pixels);
      const transform = targetToSource(sample(poses[s], b, 6), source.later);
      const { warped, error, weight } = works[s];
      photometricErrorInto(image, target, height, width, error);
      for (let i = 0; i < pixels; i++) if (error[i] < unwarped[i]) unwarped[i] = error[i];
      warpIntoTarget(works[s], image, u, k, transform.rotation, transform.translation);
      photometricErrorInto(warped, target, height, width, error);
      weight.fill(0);
      return transform;
    });
    for (let v = 1; v < height - 1; v++) {
      for (let i = v * width + 1; i < v * width + width - 1; i++) {
        let best = Infinity;
        let chosen = -1;
        for (let s = 0; s < sources.length; s++) {
          if (works[s].valid[i] === 1 && works[s].error[i] < best) {
            best = works[s].error[i];
            chosen = s;
          }
        }
        if (chosen < 0) continue;
        counted++;
        outcome.warpedError += best;
        outcome.unwarpedError += unwarped[i];
        if (b === 0) outcome.errorMap[i] = best;
        if (best < unwarped[i] + TIE_BREAK * tieNoise(i)) {
          kept++;
          outcome.value += best;
          works[chosen].weight[i] = 1 / interior;
        }
      }
    }
    sources.forEach((source, s) => {
      const gradPose = new Float64Array(6);
      const { translation } = transforms[s];
      backwardThroughWarp(works[s], target, works[s].weight, k, translation, gradU, gradPose);
      const pose = sample(poses[s], b, 6);
      chainToVector6(pose, source.later, transforms[s], gradPose, sample(outcome.gradPoses[s], b, 6));
    });
  }
  outcome.value /= interior;
  outcome.warpedError /= Math.max(1, counted);
  outcome.unwarpedError /= Math.max(1, counted);
  outcome.keptShare = kept / interior;
  return outcome;
}

/** @param pose [6], the later camera in the earlier camera's frame; @param later whether the source is the later of the two */
export function targetToSource(pose: Float32Array, later: boolean): Se3 {
  const transform = fromVector6(pose);
  return later ? inverse(transform) : transform;
}

/** Chains d/dt and d/d(delta) (left perturbation exp(delta) R), six numbers, of the transform used on to those of the pose head. */
export function chainToVector6(
  pose: Float32Array,
  later: boolean,
  { rotation: r, translation: t }: Se3,
  gradPose: Float64Array,
  out: Float32Array,
): void {
  const [gx, gy, gz] = gradPose;
  let [, , , dx, dy, dz] = gradPose;
  const [x, y, z] = pose.subarray(3, 6);
  if (!later) {
    out.set([gx, gy, gz], 0);
    // The left Jacobian of w is the right Jacobian of -w.
    applyTransposed(rightJacobian(-x, -y, -z), dx, dy, dz, 1, out);
    return;
  }
  // The transform used is R = exp(-w), t = -R t_pose: t turns with R, and d/dt_pose = -R^T d/dt.
  out.set(
    [-(r[0] * gx + r[3] * gy + r[6] * gz), -(r[1] * gx + r[4] * gy + r[7] * gz), -(r[2] * gx + r[5] * gy + r[8] * gz)],
    0,
  );
  dx += t[1] * gz - t[2] * gy;
  dy += t[2] * gx - t[0] * gz;
  dz += t[0] * gy - t[1] * gx;
  applyTransposed(rightJacobian(x, y, z), dx, dy, dz, -1, out);
}

function applyTransposed(j: Float64Array, x: number, y: number, z: number, sign: number, out: Float32Array): void {
  for (let c = 0; c < 3; c++) out[3 + c] = sign * (j[c] * x + j[3 + c] * y + j[6 + c] * z);
}

/**
 * Takes the part out of each sample's gradient with respect to log-disparity that would scale its depth: what pulls nearer and what pulls
 * farther is weighted until both are equal. Where poses are aligned on the depth itself they scale with it, the warp stays the same, and
 * the loss has no slope along the scale; with the poses held constant it seems to have one, and by that little the scale drifts until all
 * depth lies at a limit. (Wang et al. 2018, who also align poses in training, divide disparity by its mean for the same reason.)
 * To subtract the mean instead would move pixels that the loss says nothing of, far ones above all, always the same way, to the limit.
 */
export function removeScalePart(gradient: Float32Array, samples: number): void {
  const pixels = gradient.length / samples;
  for (let b = 0; b < samples; b++) {
    const part = sample(gradient, b, pixels);
    let sum = 0;
    let total = 0;
    for (const g of part) {
      sum += g;
      total += Math.abs(g);
    }
    const excess = total > 0 ? sum / total : 0;
    for (let i = 0; i < pixels; i++) part[i] -= excess * Math.abs(part[i]);
  }
}

/**
 * The loss as a tensor: differentiable in the fused log-disparity [b,h,w,1] and in each source's pose [b,6].
 *
 * @param posesScale whether the poses were made from the depth itself and scale with it
 */
export function photometricLoss(
  batch: TrainingBatch,
  sources: PhotometricSource[],
  fused: tf.Tensor4D,
  poses: tf.Tensor2D[],
  posesScale = false,
): LossResult {
  let outcome: PhotometricOutcome | undefined;
  const operation = tf.customGrad((...inputs) => {
    const [u, ...p] = inputs as tf.Tensor[];
    const result = evaluatePhotometric(
      batch,
      sources,
      u.dataSync<'float32'>(),
      p.slice(0, sources.length).map((pose) => pose.dataSync<'float32'>()),
    );
    outcome = result;
    if (posesScale) removeScalePart(result.gradLogDisparity, batch.size);
    return {
      value: tf.scalar(result.value),
      gradFunc: (dy: tf.Tensor) => [
        tf.mul(tf.tensor(result.gradLogDisparity, fused.shape), dy),
        ...result.gradPoses.map((g, s) => tf.mul(tf.tensor(g, poses[s].shape), dy)),
      ],
    };
  });
  const value = operation(fused, ...poses) as tf.Scalar;
  if (!outcome) throw new Error('photometric loss: the operation did not run');
  const { warpedError, unwarpedError, keptShare, errorMap } = outcome;
  return {
    value,
    scalars: { warped_error: warpedError, unwarped_error: unwarpedError, kept_share: keptShare },
    maps: { photometric_error: errorMap },
  };
}

/** Mean of 2x2 pixels: [b,h,w,3] -> [b,h/2,w/2,3]. */
function halve(images: Float32Array, count: number, height: number, width: number): Float32Array {
  const [outHeight, outWidth] = [height >> 1, width >> 1];
  const out = new Float32Array(count * outHeight * outWidth * 3);
  let o = 0;
  for (let b = 0; b < count; b++) {
    for (let v = 0; v < outHeight; v++) {
      let i = 3 * (b * height * width + 2 * v * width);
      for (let u = 0; u < outWidth; u++, i += 6) {
        for (let c = 0; c < 3; c++) {
          const j = i + c + 3 * width;
          out[o++] = 0.25 * (images[i + c] + images[i + c + 3] + images[j] + images[j + 3]);
        }
      }
    }
  }
  return out;
}

/** The batch's images at half the size, with the intrinsics that go with it. */
function halfBatch(batch: TrainingBatch): TrainingBatch {
  const { size, height, width } = batch;
  const half = (images: Float32Array): Float32Array => halve(images, size, height, width);
  return {
    ...batch,
    height: height >> 1,
    width: width >> 1,
    intrinsics: batch.intrinsics.map((k) => scaleIntrinsics(k, width >> 1, height >> 1)),
    target: half(batch.target),
    previous: half(batch.previous),
    next: batch.next && half(batch.next),
  };
}

/**
 * The photometric term on images shrunk by 2^level. Bilinear sampling sees a pixel or two far; on shrunken images that is a longer
 * way, so that a pose that is still wrong is pulled right over the distances near ground moves between frames.
 */
function photometricAt(level: number, name: string): LossTerm {
  return {
    name,
    description:
      'min over previous and next of 0.85 (1 - SSIM) / 2 + 0.15 L1 with auto-mask, on the fused depth (Monodepth2)' +
      (level > 0 ? `, images shrunk by ${2 ** level}` : ''),
    needs: 'next',
    compute(outputs, batch) {
      let shrunk = batch;
      for (let i = 0; i < level; i++) shrunk = halfBatch(shrunk);
      const { previous, next } = shrunk;
      if (!next || !outputs.aligned) throw new Error(`${name} needs the previous and the next frame`);
      const sources = [
        { images: previous, later: false },
        { images: next, later: true },
      ];
      const side = 2 ** level;
      const fused = level > 0 ? tf.avgPool(outputs.fused, side, side, 'valid') : outputs.fused;
      const { poseFromPrevious, poseToNext, refined } = outputs.aligned;
      return photometricLoss(shrunk, sources, fused, [poseFromPrevious, poseToNext], refined);
    },
  };
}

export const photometric = photometricAt(0, 'photometric');
export const photometricHalf = photometricAt(1, 'photometric_half');
export const photometricQuarter = photometricAt(2, 'photometric_quarter');
