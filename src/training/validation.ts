/** The averaged weights on data kept out of training: figures for the log, the choice of the best checkpoint, depth maps to look at. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { depthPicture, gradientPicture, type Picture } from '../media/pictures';
import { Averages } from './averages';
import { drawBatch, type BatchSource } from './batches/batchSource';
import { forwardDifferences } from '../model/differences';
import { tidied } from '../model/tidied';
import type { TrainingBatch } from './losses/loss';
import type { TrainedNetwork } from './networks/trainedNetwork';
import type { FlatAdam } from './optimizer';
import type { Random } from './random';
import type { Recipe } from './recipe';
import { finalLossWeights } from './schedule';
import { computeLosses } from './step';

/** Figures that decide over the best checkpoint, in order of preference; a recipe can name another. */
export const FIGURES = ['photometric/warped_error', 'depth_truth/log_error', 'loss'] as const;

/** Samples of which pictures are kept. */
const PICTURES = 4;
/** What the pictures of a sample show, from left to right. */
export const PICTURE_TITLES = ['camera', 'depth', 'gradient'] as const;

export interface Validation {
  /** Means over the samples of the last stage's losses ("loss" is their weighted sum), their terms and their figures. */
  figures: Record<string, number>;
  /** The figure that decides, lower is better. */
  name: string;
  value: number;
  /** PICTURE_TITLES of the first samples. */
  pictures: Picture[][];
}

export class Validator {
  /** @param random the one `source` draws from; it is set to the same state for every validation */
  constructor(
    private readonly recipe: Recipe,
    private readonly source: BatchSource,
    private readonly random: Random,
  ) {}

  /** @throws Error when the recipe's validation.figure is none of what the losses report */
  run(network: TrainedNetwork, adam: FlatAdam): Validation {
    const { recipe, random, source } = this;
    const stage = recipe.stages[recipe.stages.length - 1];
    // Not the step's own: figures of different steps are compared, and what the run is to end with decides which is best.
    const settings = { ...stage, losses: finalLossWeights(stage) };
    random.state = recipe.seed;
    const averages = new Averages();
    const pictures: Picture[][] = [];
    adam.withAverages(() => {
      for (let done = 0; done < recipe.validation.samples; done += stage.batch_size) {
        const { batch } = drawBatch(source, stage, recipe.data.max_corrupt_frames);
        const { loss, scalars } = computeLosses(network, batch, settings);
        averages.add({ loss, ...scalars });
        if (pictures.length < PICTURES) pictures.push(...samplePictures(network, batch, PICTURES - pictures.length));
      }
    });
    const figures = averages.take();
    const name = recipe.validation.figure ?? FIGURES.find((figure) => figure in figures) ?? 'loss';
    if (!(name in figures))
      throw new Error(
        `recipe "${recipe.name}": validation.figure "${name}" is none of ${Object.keys(figures).join(', ')}`,
      );
    return { figures, name, value: figures[name], pictures };
  }
}

/** Camera as the losses see it, depth and gradient (of a network without a gradient head, depth's own) of a batch's first samples. */
function samplePictures(network: TrainedNetwork, batch: TrainingBatch, most: number): Picture[][] {
  const { height, width } = batch;
  const count = Math.min(most, batch.size);
  const pixels = height * width;
  const images = batch.target.subarray(0, count * pixels * 3);
  const [depth, gradient] = tidied(() => {
    const { fused, gradient: head } = network.estimate(tf.tensor4d(images, [count, height, width, 3]));
    return [tf.exp(tf.neg(fused)), head ?? forwardDifferences(fused)].map((map) => map.dataSync<'float32'>());
  });
  return Array.from({ length: count }, (_, b) => [
    { height, width, data: Uint8Array.from(images.subarray(3 * b * pixels, 3 * (b + 1) * pixels), (x) => 255 * x) },
    depthPicture(depth.slice(b * pixels, (b + 1) * pixels), height, width),
    gradientPicture(gradient.subarray(2 * b * pixels, 2 * (b + 1) * pixels), height, width),
  ]);
}
