/** Where a step's batch comes from: the data sets, and which of them a step draws from, by the step's number alone. */
import { CorruptFrameError } from '../datasets/corruptFrame';
import type { TrainingBatch } from '../losses/loss';
import type { Random } from '../random';
import type { Recipe, Stage } from '../recipe';
import { stageAt } from '../schedule';

/** Gives batches of a data set in endless supply. */
export interface BatchSource {
  next(size: number, height: number, width: number): TrainingBatch;
}

export type DataSetName = keyof Stage['mix'];
export type DataSets = Partial<Record<DataSetName, BatchSource>>;

/** A step's batch, and the frames that could not be read while it was made. */
export interface StepBatch {
  dataSet: DataSetName;
  batch: TrainingBatch;
  corrupt: string[];
}

/** Batches by step number, for one reader that asks for the steps in order. */
export interface StepBatches {
  at(step: number): StepBatch | Promise<StepBatch>;
  close(): void;
}

/**
 * Random state of a step's draws. It depends on nothing but the seed and the step, so that a resumed run sees the batches of an
 * uninterrupted one, and batches can be made ahead.
 */
export function stepState(seed: number, step: number): number {
  let hash = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) ^ Math.imul(step + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return (hash ^ (hash >>> 13)) | 0;
}

/** Draws which data set a step uses, so that over time each gets its share. */
function chooseDataSet(mix: Stage['mix'], random: Random): DataSetName {
  const shares = Object.entries(mix) as [DataSetName, number][];
  let left = random.uniform() * shares.reduce((sum, [, share]) => sum + share, 0);
  const chosen = shares.find(([, share]) => (left -= share) < 0);
  return (chosen ?? shares[shares.length - 1])[0];
}

/** Draws a batch; a frame that cannot be read is named and other frames are drawn in its place, `attempts` times at most. */
export function drawBatch(
  source: BatchSource,
  size: { batch_size: number; height: number; width: number },
  attempts: number,
): Pick<StepBatch, 'batch' | 'corrupt'> {
  const corrupt: string[] = [];
  for (;;) {
    try {
      return { batch: source.next(size.batch_size, size.height, size.width), corrupt };
    } catch (error) {
      if (!(error instanceof CorruptFrameError)) throw error;
      corrupt.push(error.message);
      if (corrupt.length > attempts) throw new Error(tooManyCorrupt(corrupt, attempts), { cause: error });
    }
  }
}

/** The source with frames that cannot be read passed over, for whoever looks at pictures without counting a run's faults. */
export function skippingCorrupt(source: BatchSource, attempts: number): BatchSource {
  return {
    next: (batchSize, height, width) => drawBatch(source, { batch_size: batchSize, height, width }, attempts).batch,
  };
}

/** What a run says when it gives up on its data. */
export function tooManyCorrupt(frames: readonly string[], limit: number): string {
  const distinct = [...new Set(frames)];
  const named = distinct.slice(0, 5).join('; ');
  return (
    `${distinct.length} corrupt frame(s), drawn ${frames.length} times, are more than data.max_corrupt_frames (${limit}): ${named}` +
    `${distinct.length > 5 ? '; ...' : ''}. Prepare the data again, or raise the limit`
  );
}

/** Makes each batch when it is asked for. */
export class BatchesInTurn implements StepBatches {
  /** @param random the one the data sets draw from */
  constructor(
    private readonly recipe: Recipe,
    private readonly dataSets: DataSets,
    private readonly random: Random,
  ) {}

  /** @throws Error when the step is after the recipe's last, or its stage takes from a data set that is not open */
  at(step: number): StepBatch {
    const { recipe, dataSets, random } = this;
    const stage = stageAt(recipe, step)?.stage;
    if (!stage) throw new Error(`recipe "${recipe.name}" has no step ${step}`);
    random.state = stepState(recipe.seed, step);
    const dataSet = chooseDataSet(stage.mix, random);
    const source = dataSets[dataSet];
    if (!source) throw new Error(`stage "${stage.name}" needs the data set "${dataSet}", which was not opened`);
    return { dataSet, ...drawBatch(source, stage, recipe.data.max_corrupt_frames) };
  }

  close(): void {
    // The data sets belong to whoever opened them.
  }
}
