/** Runs a recipe: stages of steps, validations, checkpoints, resume, progress bar, TensorBoard. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { Presets, SingleBar } from 'cli-progress';
import { writeContactSheet } from '../media/pictureFiles';
import { assign } from '../model/variables';
import { Averages } from './averages';
import { stepState, tooManyCorrupt, type StepBatch, type StepBatches } from './batches/batchSource';
import { readCheckpoint, startOf, writeCheckpoint, type RunPosition } from './checkpoint';
import { writeFailedStep, type FailedStep } from './failedStep';
import { LossGuard } from './lossGuard';
import type { TrainedNetwork } from './networks/trainedNetwork';
import { defaultAdam, FlatAdam } from './optimizer';
import { depthPreview } from './preview';
import { Random } from './random';
import type { Recipe } from './recipe';
import { BEST_FILE, CHECKPOINT_FILE, removeUnfinished, RunLog, SAMPLES_FOLDER, VERSIONS_FILE } from './runFolder';
import {
  isScheduled,
  learningRate,
  lossWeights,
  rateFactor,
  stageAt,
  totalSteps,
  trainedVariables,
  type StageStep,
} from './schedule';
import { computeStep } from './step';
import { TensorBoard } from './tensorboard';
import { PICTURE_TITLES, type Validation, type Validator } from './validation';
import { versions } from './versions';

export interface TrainOptions {
  /** Run folder: checkpoints, log.jsonl, TensorBoard events, samples. */
  out: string;
  /** Chooses the best checkpoint; without it there is only the last. */
  validator?: Validator;
  /** Stop after this many seconds in this process, with a checkpoint. */
  maxSeconds?: number;
  quiet?: boolean;
}

/**
 * Trains, or goes on from `out/checkpoint.safetensors` to the same losses as a run without interruption.
 *
 * @throws Error when a loss or gradient is no number or has exploded (the step is written to `out/failed-step-N`), when more frames
 *   than data.max_corrupt_frames cannot be read, or a file cannot be written; the last checkpoint stays as it was
 */
export async function train(
  recipe: Recipe,
  network: TrainedNetwork,
  batches: StepBatches,
  options: TrainOptions,
): Promise<RunPosition> {
  let run: TrainingRun | undefined;
  try {
    run = new TrainingRun(recipe, network, options);
    await run.steps(batches);
    return run.position;
  } finally {
    batches.close();
    run?.close();
  }
}

const MEBIBYTE = 2 ** 20;
/** Sets a step's dropout apart from its batch, which is drawn from the seed itself. */
const DROPOUT_SEED = 7919;

class TrainingRun {
  position: RunPosition;
  readonly #adam: FlatAdam;
  readonly #log: RunLog;
  readonly #board: TensorBoard;
  readonly #bar: SingleBar;
  readonly #averages: Averages;
  readonly #guard: LossGuard;
  readonly #started = performance.now();
  readonly #secondsBefore: number;
  /** Milliseconds of this process that went into validations. */
  #validating = 0;

  constructor(
    private readonly recipe: Recipe,
    private readonly network: TrainedNetwork,
    private readonly options: TrainOptions,
  ) {
    const { out, quiet } = options;
    mkdirSync(join(out, SAMPLES_FOLDER), { recursive: true });
    for (const file of [CHECKPOINT_FILE, BEST_FILE]) removeUnfinished(join(out, file));
    const {
      clip_norm: clipNorm,
      ema_decay: emaDecay,
      weight_decay: weightDecay,
      explosion_factor: explosionFactor,
    } = recipe.optimizer;
    this.#adam = new FlatAdam(network.namedVariables(), { ...defaultAdam, clipNorm, emaDecay, weightDecay });
    this.position = existsSync(this.#checkpointPath)
      ? readCheckpoint(this.#checkpointPath, this.#adam, network.namedStatistics())
      : startOf(recipe.name);
    const { step, seconds, averages, lossLevels } = this.position;
    if (step > 0 && !quiet) console.log(`going on from step ${step} of ${this.#checkpointPath}`);
    this.#secondsBefore = seconds;
    this.#averages = new Averages(averages);
    this.#guard = new LossGuard(explosionFactor, lossLevels);
    this.#log = new RunLog(out, step);
    writeFileSync(join(out, VERSIONS_FILE), `${JSON.stringify(versions(), null, 2)}\n`);
    this.#board = new TensorBoard(join(out, 'tensorboard'));
    this.#bar = new SingleBar(
      {
        format: '{stage} [{bar}] {value}/{total} loss {loss} {ms} ms/step, {eta_formatted} left',
        hideCursor: true,
        noTTYOutput: false,
      },
      Presets.shades_classic,
    );
    if (!quiet) this.#bar.start(totalSteps(recipe), step, { stage: '', loss: '', ms: '' });
  }

  get #checkpointPath(): string {
    return join(this.options.out, CHECKPOINT_FILE);
  }

  get #elapsedSeconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  async steps(batches: StepBatches): Promise<void> {
    const { recipe, options } = this;
    const last = totalSteps(recipe);
    for (let at = stageAt(recipe, this.position.step); at; at = stageAt(recipe, this.position.step)) {
      const asked = performance.now();
      const stepBatch = await batches.at(this.position.step);
      const waited = performance.now() - asked;
      this.#noteCorrupt(stepBatch.corrupt);
      await this.#step(at, stepBatch, asked, waited);
      const { step } = this.position;
      const { every } = recipe.validation;
      if (options.validator && every > 0 && (step % every === 0 || step === last))
        await this.#validate(options.validator);
      if (step % recipe.checkpoint_every === 0) this.#save();
      if (options.maxSeconds !== undefined && this.#elapsedSeconds > options.maxSeconds) break;
      // Lets signals and timers through: batches that are there already leave the loop synchronous.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#save();
  }

  close(): void {
    this.#board.flush();
    this.#bar.stop();
  }

  async #step(at: StageStep, stepBatch: StepBatch, asked: number, waited: number): Promise<void> {
    const { recipe, network } = this;
    const { stage, stepInStage } = at;
    const rate = learningRate(stage, stepInStage);
    const weights = lossWeights(stage, stepInStage);
    const { dataSet, batch } = stepBatch;
    const variables = trainedVariables(network, stage);
    const random = new Random(stepState(recipe.seed + DROPOUT_SEED, this.position.step));
    const statistics = [...network.namedStatistics().values()].map((variable) => ({
      variable,
      values: variable.dataSync<'float32'>().slice(),
    }));
    const settings = { ...stage, losses: weights };
    const { loss, scalars, gradients } = computeStep(network, variables, batch, settings, random);
    const bad = this.#guard.check(stage.name, dataSet, loss);
    // What the failed step's forward pass has made of them is no state to repeat the step from.
    const restore = (): void => statistics.forEach(({ variable, values }) => assign(variable, values));
    if (bad) {
      tf.dispose(gradients);
      restore();
      return this.#fail({ reason: bad, stage, loss, scalars, weights }, stepBatch);
    }
    const norm = this.#adam.apply(gradients, (name) => rate * rateFactor(stage, name));
    tf.dispose(gradients);
    if (!Number.isFinite(norm)) {
      restore();
      const reason = `the gradient's norm is ${norm}`;
      return this.#fail({ reason, stage, loss, scalars, weights, gradientNorm: norm }, stepBatch);
    }
    this.position.step++;
    const milliseconds = performance.now() - asked;
    this.#averages.add({
      [`${dataSet}/loss`]: loss,
      [`${dataSet}/gradient_norm`]: norm,
      'time/step_ms': milliseconds,
      'time/data_share': waited / milliseconds,
    });
    this.#averages.add(Object.fromEntries(Object.entries(scalars).map(([key, value]) => [`${dataSet}/${key}`, value])));
    const { step } = this.position;
    if (step % recipe.log_every === 0) this.#logMeans(at, loss);
    if (step % recipe.images_every === 0) {
      const { rgb, height, width } = depthPreview(network, batch);
      await this.#board.image(`${dataSet}/depth`, rgb, height, width, step);
      this.#board.flush();
    }
  }

  /** Means since the last line of the log; learning rate and scheduled weights are those of the step itself. */
  #logMeans({ stage, stepInStage }: StageStep, loss: number): void {
    const { step } = this.position;
    const weights = Object.entries(lossWeights(stage, stepInStage)).filter(([name]) => isScheduled(stage.losses[name]));
    const means: Record<string, number> = {
      ...this.#averages.take(),
      learning_rate: learningRate(stage, stepInStage),
      ...Object.fromEntries(weights.map(([name, weight]) => [`weight/${name}`, weight])),
      'memory/rss_mib': process.memoryUsage.rss() / MEBIBYTE,
    };
    for (const [tag, value] of Object.entries(means)) this.#board.scalar(tag, value, step);
    this.#log.append({ step, stage: stage.name, ...means });
    this.#bar.update(step, { stage: stage.name, loss: loss.toFixed(4), ms: Math.round(means['time/step_ms']) });
  }

  async #validate(validator: Validator): Promise<void> {
    const started = performance.now();
    const { step } = this.position;
    const validation = validator.run(this.network, this.#adam);
    await this.#writeSamples(step, validation);
    const { figures, name, value } = validation;
    const { best } = this.position;
    if (best === undefined || best.figure !== name || value < best.value) {
      this.position.best = { step, figure: name, value };
      this.#write(BEST_FILE);
    }
    this.#validating += performance.now() - started;
    const entry: Record<string, number> = Object.fromEntries(
      Object.entries(figures).map(([key, figure]) => [`validation/${key}`, figure]),
    );
    entry['time/validation_share'] = this.#validating / 1000 / this.#elapsedSeconds;
    for (const [tag, figure] of Object.entries(entry)) this.#board.scalar(tag, figure, step);
    this.#log.append({ step, stage: stageAt(this.recipe, step - 1)?.stage.name ?? '', ...entry });
  }

  async #writeSamples(step: number, { pictures }: Validation): Promise<void> {
    const [[{ width, height }]] = pictures;
    const path = join(this.options.out, SAMPLES_FOLDER, `${String(step).padStart(6, '0')}.png`);
    await writeContactSheet(path, pictures, width, height, PICTURE_TITLES);
  }

  #noteCorrupt(corrupt: readonly string[]): void {
    const { corruptFrames } = this.position;
    const limit = this.recipe.data.max_corrupt_frames;
    for (const frame of corrupt) {
      if (corruptFrames.includes(frame)) continue;
      corruptFrames.push(frame);
      console.error(`${frame}; another is used (${corruptFrames.length} of at most ${limit} such frames)`);
    }
    if (corruptFrames.length > limit) throw new Error(tooManyCorrupt(corruptFrames, limit));
  }

  async #fail(failed: FailedStep, batch: StepBatch): Promise<never> {
    const terms = Object.entries(failed.scalars).map(([name, value]) => `${name}=${value}`);
    const what = `step ${this.position.step} (stage "${failed.stage.name}", data ${batch.dataSet}): ${failed.reason}; ${terms.join(', ')}`;
    let where: string;
    try {
      where = `The batch and the terms are in ${await writeFailedStep(this.options.out, failed, batch, this.network, this.#adam, this.#current())}`;
    } catch (error) {
      where = `The batch could not be written: ${(error as Error).message}`;
    }
    throw new Error(
      `${what}. ${where}. The last checkpoint ${this.#checkpointPath} was left as it is; lower learning_rate or optimizer.clip_norm and start again to go on from it`,
    );
  }

  #current(): RunPosition {
    return {
      ...this.position,
      adamStep: this.#adam.step,
      seconds: this.#secondsBefore + this.#elapsedSeconds,
      averages: this.#averages.state,
      lossLevels: this.#guard.levels,
    };
  }

  #save(): void {
    this.#write(CHECKPOINT_FILE);
  }

  #write(file: string): void {
    this.position = this.#current();
    const path = join(this.options.out, file);
    writeCheckpoint(path, this.#adam, this.network.namedStatistics(), this.position);
  }
}
