/** Runs a recipe: stages of steps, checkpoints, resume, progress bar, TensorBoard. */
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { Presets, SingleBar } from 'cli-progress';
import { DepthNetwork } from '../model/network';
import { readCheckpoint, writeCheckpoint, type RunPosition } from './checkpoint';
import type { TrainingBatch } from './losses/loss';
import { defaultAdam, FlatAdam } from './optimizer';
import { depthPreview } from './preview';
import { Random } from './random';
import type { Recipe, Stage } from './recipe';
import { computeStep } from './step';
import { TensorBoard } from './tensorboard';

/** Gives batches of a data set in endless supply. */
export interface BatchSource {
  next(size: number, height: number, width: number): TrainingBatch;
}

/** Files of a run folder. */
export const CHECKPOINT_FILE = 'checkpoint.safetensors';
export const RECIPE_FILE = 'recipe.yaml';

export interface TrainOptions {
  /** Run folder: checkpoint, log.jsonl and TensorBoard events. */
  out: string;
  /** Stop after this many seconds in this process, with a checkpoint. */
  maxSeconds?: number;
  quiet?: boolean;
}

/** Consecutive steps with a NaN or infinite loss after which the run is given up. */
const MAX_BAD_STEPS = 10;

export type DataSetName = keyof Stage['mix'];

/** Draws which data set a step uses, so that over time each gets its share. */
function chooseSource(mix: Stage['mix'], random: Random): DataSetName {
  return random.uniform() * (mix.drives + mix.synthetic) < mix.drives ? 'drives' : 'synthetic';
}

/** Learning rate along a half cosine from the stage's first to its last step. */
function learningRate(stage: Stage, stepInStage: number): number {
  const last = stage.final_learning_rate ?? stage.learning_rate;
  const progress = stepInStage / stage.steps;
  return last + 0.5 * (stage.learning_rate - last) * (1 + Math.cos(Math.PI * progress));
}

function stageAt(recipe: Recipe, step: number): { stage: Stage; stepInStage: number } | undefined {
  let first = 0;
  for (const stage of recipe.stages) {
    if (step < first + stage.steps) return { stage, stepInStage: step - first };
    first += stage.steps;
  }
  return undefined;
}

/** The variables a stage trains: all but those under a frozen prefix. Backpropagation stops where nothing below it is trained. */
function trainedVariables(network: DepthNetwork, stage: Stage): tf.Variable[] {
  const named = [...network.namedVariables()];
  return named
    .filter(([name]) => !stage.frozen.some((prefix) => name.startsWith(prefix)))
    .map(([, variable]) => variable);
}

/** Running means of the logged figures since the last log line. */
class Averages {
  #sums = new Map<string, { sum: number; count: number }>();

  add(scalars: Record<string, number>): void {
    for (const [name, value] of Object.entries(scalars)) {
      const entry = this.#sums.get(name) ?? { sum: 0, count: 0 };
      entry.sum += value;
      entry.count++;
      this.#sums.set(name, entry);
    }
  }

  take(): Record<string, number> {
    const means = Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
    this.#sums.clear();
    return means;
  }
}

/**
 * Trains, or goes on from `out/checkpoint.safetensors`.
 *
 * @throws Error when the loss is not finite for MAX_BAD_STEPS steps in a row; the last checkpoint stays as it was
 */
export async function train(
  recipe: Recipe,
  network: DepthNetwork,
  sources: Partial<Record<DataSetName, BatchSource>>,
  random: Random,
  options: TrainOptions,
): Promise<RunPosition> {
  mkdirSync(options.out, { recursive: true });
  const checkpointPath = join(options.out, CHECKPOINT_FILE);
  const adam = new FlatAdam(network.namedVariables(), {
    ...defaultAdam,
    clipNorm: recipe.optimizer.clip_norm,
    emaDecay: recipe.optimizer.ema_decay,
  });
  let position: RunPosition = {
    recipe: recipe.name,
    encoder: network.config.encoder,
    step: 0,
    adamStep: 0,
    randomState: random.state,
    seconds: 0,
  };
  if (existsSync(checkpointPath)) {
    position = readCheckpoint(checkpointPath, adam);
    random.state = position.randomState;
    if (!options.quiet) console.log(`going on from step ${position.step} of ${checkpointPath}`);
  }
  const board = new TensorBoard(join(options.out, 'tensorboard'));
  const total = recipe.stages.reduce((sum, stage) => sum + stage.steps, 0);
  const bar = new SingleBar(
    {
      format: '{stage} [{bar}] {value}/{total} loss {loss} {ms} ms/step, {eta_formatted} left',
      hideCursor: true,
      noTTYOutput: false,
    },
    Presets.shades_classic,
  );
  if (!options.quiet) bar.start(total, position.step, { stage: '', loss: '', ms: '' });
  const averages = new Averages();
  const started = Date.now();
  const secondsBefore = position.seconds;
  const save = (): void => {
    position = {
      ...position,
      adamStep: adam.step,
      randomState: random.state,
      seconds: secondsBefore + (Date.now() - started) / 1000,
    };
    writeCheckpoint(checkpointPath, adam, position);
  };
  let badSteps = 0;
  try {
    for (let at = stageAt(recipe, position.step); at; at = stageAt(recipe, position.step)) {
      const { stage, stepInStage } = at;
      const name = chooseSource(stage.mix, random);
      const source = sources[name];
      if (!source) throw new Error(`stage "${stage.name}" needs the data set "${name}", which was not opened`);
      const t0 = performance.now();
      const batch = source.next(stage.batch_size, stage.height, stage.width);
      const t1 = performance.now();
      const rate = learningRate(stage, stepInStage);
      const variables = trainedVariables(network, stage);
      const { loss, scalars, gradients } = computeStep(network, variables, batch, stage.losses);
      const norm = Number.isFinite(loss)
        ? adam.apply(gradients, (variable) => (variable.startsWith('encoder/') ? rate * stage.encoder_rate : rate))
        : NaN;
      tf.dispose(gradients);
      const t2 = performance.now();
      badSteps = Number.isFinite(norm) ? 0 : badSteps + 1;
      if (badSteps >= MAX_BAD_STEPS)
        throw new Error(badLossMessage(position.step, stage, name, scalars, checkpointPath));
      position.step++;
      averages.add({
        [`${name}/loss`]: loss,
        [`${name}/gradient_norm`]: norm,
        'time/step_ms': t2 - t0,
        'time/data_share': (t1 - t0) / (t2 - t0),
      });
      averages.add(Object.fromEntries(Object.entries(scalars).map(([key, value]) => [`${name}/${key}`, value])));
      if (position.step % recipe.log_every === 0) {
        const means = averages.take();
        means.learning_rate = rate;
        for (const [tag, value] of Object.entries(means)) board.scalar(tag, value, position.step);
        appendFileSync(
          join(options.out, 'log.jsonl'),
          `${JSON.stringify({ step: position.step, stage: stage.name, ...means })}\n`,
        );
        bar.update(position.step, { stage: stage.name, loss: loss.toFixed(4), ms: Math.round(means['time/step_ms']) });
      }
      if (position.step % recipe.images_every === 0) {
        const { rgb, height, width } = depthPreview(network, batch);
        await board.image(`${name}/depth`, rgb, height, width, position.step);
        board.flush();
      }
      if (position.step % recipe.checkpoint_every === 0) save();
      if (options.maxSeconds !== undefined && (Date.now() - started) / 1000 > options.maxSeconds) break;
      // Lets signals and timers through: the loop is otherwise synchronous.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    save();
  } finally {
    board.flush();
    bar.stop();
  }
  return position;
}

function badLossMessage(
  step: number,
  stage: Stage,
  source: string,
  scalars: Record<string, number>,
  checkpoint: string,
): string {
  const terms = Object.entries(scalars).map(([name, value]) => `${name}=${value}`);
  return (
    `the loss or its gradient is not finite for ${MAX_BAD_STEPS} steps in a row at step ${step} (stage "${stage.name}", data ${source}: ${terms.join(', ')}). ` +
    `The last checkpoint ${checkpoint} was left as it is; lower learning_rate or optimizer.clip_norm and start again to go on from it`
  );
}
