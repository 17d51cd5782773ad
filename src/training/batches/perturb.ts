/**
 * What makes a student learn more than its teacher knows (Depth Anything, Yang et al. 2024): strong colour jitter, Gaussian blur and
 * CutMix on the student's images, while the teacher's labels were made from the clean ones. Without them self-training gains nothing.
 */
import type { TrainingBatch } from '../losses/loss';
import type { Random } from '../random';
import { applyJitter, type ColourJitter } from './augment';

/** Chances and strengths; the defaults are the paper's code's. */
export interface Perturbation {
  jitterChance: number;
  blurChance: number;
  /** Standard deviation in pixels, drawn evenly. */
  blurSigma: readonly [number, number];
  cutMixChance: number;
}

export const strongPerturbation: Perturbation = {
  jitterChance: 0.8,
  blurChance: 0.5,
  blurSigma: [0.1, 2],
  cutMixChance: 0.5,
};

/** The pasted rectangle's share of the image and its height by its width (CutMix as UniMatch and Depth Anything draw it). */
const PASTED_AREA = [0.02, 0.4] as const;
const PASTED_ASPECT = [0.3, 1 / 0.3] as const;

export interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}

function strongJitter(random: Random): ColourJitter {
  return {
    brightness: random.between(0.5, 1.5),
    contrast: random.between(0.5, 1.5),
    saturation: random.chance(0.2) ? 0 : random.between(0.5, 1.5),
    cast: [random.between(0.75, 1.25), random.between(0.75, 1.25), random.between(0.75, 1.25)],
    gamma: 1,
  };
}

/** Gaussian blur of rgb `image` [h,w,3] into `out`; the border pixel is repeated outside. @param sigma pixels, above 0 */
export function gaussianBlur(
  image: Float32Array,
  height: number,
  width: number,
  sigma: number,
  out: Float32Array,
): void {
  const reach = Math.ceil(3 * sigma);
  const kernel = Float32Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)),
  );
  const sum = kernel.reduce((a, b) => a + b, 0);
  const rows = new Float32Array(image.length);
  const pass = (from: Float32Array, to: Float32Array, along: 'columns' | 'rows'): void => {
    for (let v = 0; v < height; v++) {
      for (let u = 0; u < width; u++) {
        let [r, g, b] = [0, 0, 0];
        for (let k = -reach; k <= reach; k++) {
          const x = along === 'columns' ? Math.min(width - 1, Math.max(0, u + k)) : u;
          const y = along === 'rows' ? Math.min(height - 1, Math.max(0, v + k)) : v;
          const i = 3 * (y * width + x);
          const weight = kernel[k + reach] / sum;
          r += weight * from[i];
          g += weight * from[i + 1];
          b += weight * from[i + 2];
        }
        const o = 3 * (v * width + u);
        to[o] = r;
        to[o + 1] = g;
        to[o + 2] = b;
      }
    }
  };
  pass(image, rows, 'columns');
  pass(rows, out, 'rows');
}

/** A rectangle inside an image of this size, of a random area and aspect. */
export function randomRectangle(random: Random, height: number, width: number): Rectangle {
  const area = random.between(...PASTED_AREA) * height * width;
  const aspect = Math.exp(random.between(Math.log(PASTED_ASPECT[0]), Math.log(PASTED_ASPECT[1])));
  const h = Math.min(height, Math.max(1, Math.round(Math.sqrt(area * aspect))));
  const w = Math.min(width, Math.max(1, Math.round(Math.sqrt(area / aspect))));
  return { width: w, height: h, left: random.integer(width - w + 1), top: random.integer(height - h + 1) };
}

/** Copies the rectangle of `from` into `to`, both [h,w,channels]. */
export function paste(from: Float32Array, to: Float32Array, width: number, channels: number, at: Rectangle): void {
  for (let v = at.top; v < at.top + at.height; v++) {
    const first = (v * width + at.left) * channels;
    to.set(from.subarray(first, first + at.width * channels), first);
  }
}

/**
 * A student's view of a batch that carries a teacher's answers for the clean images: its target is jittered, blurred and, with CutMix,
 * shows a rectangle of the next sample, whose labels go with it. The camera's own images `target`, `previous`
 * and `next` stay as they are, so a photometric loss on such a batch would compare different scenes.
 *
 * @returns a new batch; the arrays that change are copies
 * @throws Error when the batch has no teacher's labels
 */
export function perturbForStudent(
  batch: TrainingBatch,
  random: Random,
  how: Perturbation = strongPerturbation,
): TrainingBatch {
  const { size, height, width, teacher } = batch;
  if (!teacher) throw new Error('perturbForStudent: the batch has no teacher labels; run the teacher on it first');
  const perImage = height * width * 3;
  const networkImages = batch.networkImages.slice();
  const target = networkImages.subarray(size * perImage, 2 * size * perImage); // previous, target, next
  const imageOf = (all: Float32Array, b: number): Float32Array => all.subarray(b * perImage, (b + 1) * perImage);
  for (let b = 0; b < size; b++) {
    const image = imageOf(target, b);
    if (random.chance(how.jitterChance)) applyJitter(image.slice(), strongJitter(random), image);
    if (random.chance(how.blurChance))
      gaussianBlur(image.slice(), height, width, random.between(...how.blurSigma), image);
  }
  const clean = { images: target.slice(), disparity: teacher.disparity };
  const disparity = teacher.disparity.slice();
  const pasted = new Uint8Array(size * height * width);
  for (let b = 0; b < size && size > 1; b++) {
    if (!random.chance(how.cutMixChance)) continue;
    const other = (b + 1) % size;
    const at = randomRectangle(random, height, width);
    const pixels = height * width;
    paste(imageOf(clean.images, other), imageOf(target, b), width, 3, at);
    const labelsOf = (all: Float32Array, i: number): Float32Array => all.subarray(i * pixels, (i + 1) * pixels);
    paste(labelsOf(clean.disparity, other), labelsOf(disparity, b), width, 1, at);
    for (let v = at.top; v < at.top + at.height; v++) {
      const first = b * pixels + v * width + at.left;
      pasted.fill(1, first, first + at.width);
    }
  }
  return { ...batch, networkImages, teacher: { disparity, pasted } };
}
