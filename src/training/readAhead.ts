/** Batches made ahead in a worker thread, while the step before them is computed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DataSetName, StepBatch, StepBatches } from './batches/batchSource';
import type { TrainingBatch } from './losses/loss';
import type { Recipe } from './recipe';

/** Steps whose batches are asked for before the first of them is used. */
const AHEAD = 2;

export interface BatchWorkerData {
  recipe: Recipe;
}

/** To the worker: make a step's batch, or end. */
export type BatchRequest = { step: number } | { end: true };
/** From the worker. */
export type BatchAnswer =
  { step: number; dataSet: DataSetName; batch: TrainingBatch; corrupt: string[] } | { step: number; error: string };

interface Pending {
  resolve(batch: StepBatch): void;
  reject(error: Error): void;
  promise: Promise<StepBatch>;
}

/**
 * Opens the recipe's data sets in a worker thread, which must have been prepared. What a step's batch is does not depend on who
 * makes it (batches/batchSource.ts).
 */
export class ReadAhead implements StepBatches {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #failure: Error | undefined;

  /** @returns undefined where the compiled worker is not there (run from TypeScript): a thread could not load its source */
  static start(recipe: Recipe): ReadAhead | undefined {
    const script = join(__dirname, 'batchWorker.js');
    return existsSync(script) ? new ReadAhead(script, recipe) : undefined;
  }

  private constructor(
    script: string,
    private readonly recipe: Recipe,
  ) {
    this.#worker = new Worker(script, { workerData: { recipe } satisfies BatchWorkerData });
    this.#worker.on('message', (answer: BatchAnswer) => this.#take(answer));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`the thread that makes batches ended with code ${code}`)));
  }

  async at(step: number): Promise<StepBatch> {
    const total = this.recipe.stages.reduce((sum, stage) => sum + stage.steps, 0);
    for (let ahead = step; ahead < Math.min(total, step + AHEAD); ahead++) this.#ask(ahead);
    const pending = this.#pending.get(step);
    if (!pending) throw new Error(`recipe "${this.recipe.name}" has no step ${step}`);
    const batch = await pending.promise;
    this.#pending.delete(step);
    if (step + AHEAD < total) this.#ask(step + AHEAD);
    return batch;
  }

  /** The thread ends after the batch it is making. */
  close(): void {
    this.#worker.postMessage({ end: true } satisfies BatchRequest);
    this.#worker.unref();
  }

  #ask(step: number): void {
    if (this.#pending.has(step)) return;
    let [resolve, reject]: [Pending['resolve'] | undefined, Pending['reject'] | undefined] = [undefined, undefined];
    const promise = new Promise<StepBatch>((yes, no) => ([resolve, reject] = [yes, no]));
    // Whoever asks for the step hears of it; a batch made ahead that nobody asks for is no unhandled rejection.
    promise.catch(() => undefined);
    this.#pending.set(step, { promise, resolve: resolve!, reject: reject! });
    if (this.#failure) reject!(this.#failure);
    else this.#worker.postMessage({ step } satisfies BatchRequest);
  }

  #take(answer: BatchAnswer): void {
    const pending = this.#pending.get(answer.step);
    if ('error' in answer) pending?.reject(new Error(answer.error));
    else pending?.resolve(answer);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
  }
}
