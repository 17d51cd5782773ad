import type { KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import { withoutHoles } from '../heap';
import {
  InferenceWorker,
  type Answer,
  type ExecutionProvider,
  type InferRequest,
  type SessionOptions,
} from './inferenceWorker';
import { readModelFile, type ModelDescription, type ModelFile } from './modelFile';
import { checkAnnouncement, checkSize, ModelUpdateError, short, type ModelUpdate } from './modelUpdate';
import type { PreparationReport, PreparationStart } from './preparationThread';
import { threadFile } from './threadFile';

export interface ModelHostOptions extends SessionOptions {
  /** The factory model. */
  readonly modelPath: string;
  /** Updates with as many bytes of data, or more, are refused. */
  readonly maxUpdateBytes: number;
  /** Ed25519. Where there is one, only signed updates are taken. */
  readonly publicKey?: KeyObject;
  /** A model taken before failed on a frame, and the previous one runs again. */
  readonly onGivenUp?: (outcome: UpdateOutcome) => void;
}

export interface UpdateOutcome {
  readonly accepted: boolean;
  /** Empty where accepted. */
  readonly reason: string;
  /** Of the update. */
  readonly version: number;
  readonly sha256: string;
  readonly runningVersion: number;
  readonly runningSha256: string;
  /** How long the swap kept frames waiting; 0 where there was none. */
  readonly swapMilliseconds: number;
}

/** Before each turn of an update: frames it keeps waiting come at 10 to 30 a second. */
const REST_MS = 100;
const CLOSE_AFTER_MS = 500;

interface Swapped {
  /** Settles when the new model knows the frame before: after how many ms. */
  readonly primed: Promise<number>;
}

interface HeldModel {
  readonly file: ModelFile;
  readonly version: number;
  readonly worker: InferenceWorker;
}

/**
 * The network of a node, which can be replaced while frames go through it. A new model is got ready in one thread and loaded in another, beside the one that
 * runs; it is warmed up on the most recent frame, and takes over, between two frames: the features of the last frame are handed on, so the next one is compared
 * with it. The model before stays loaded: going back to it is a hand-over without loading, and happens by itself where the new one
 * fails on a frame. An update that is refused changes nothing.
 *
 * ```ts
 * const host = await ModelHost.start({ modelPath: 'models/default.onnx', maxUpdateBytes: 2e8 });
 * const { maps } = await host.infer({ image, forgetPrevious: false, wantsMotion: true });
 * const { accepted, reason } = await host.update(packModelUpdate({ bytes, parent, version: 1 }));
 * await host.close();
 * ```
 */
export class ModelHost {
  readonly #options: ModelHostOptions;
  readonly #factory: ModelFile;
  #running: HeldModel;
  #previous: HeldModel | undefined;
  #lastVersion = 0;
  #swapMilliseconds = 0;
  /** The most recent frame, for warm-ups; undefined before the first. */
  #lastImage: Uint8Array | undefined;
  /** Replaced, and not closed yet. */
  readonly #leaving = new Set<InferenceWorker>();
  readonly #closing = new AbortController();
  #frameOrSwap: Promise<unknown> = Promise.resolve();
  #update: Promise<unknown> = Promise.resolve();

  private constructor(options: ModelHostOptions, factory: HeldModel) {
    this.#options = options;
    this.#factory = factory.file;
    this.#running = factory;
  }

  /** Loads the factory model; throws ModelFileError. */
  static async start(options: ModelHostOptions): Promise<ModelHost> {
    const file = await readModelFile(options.modelPath);
    const worker = await withoutHoles(() => InferenceWorker.startWith(file, options));
    return new ModelHost(options, { file, version: 0, worker });
  }

  /** The running model. Its sizes never change. */
  get model(): ModelDescription {
    return this.#running.file.description;
  }

  /** Version of the running model's update; 0: the factory model. */
  get version(): number {
    return this.#running.version;
  }

  get executionProvider(): ExecutionProvider {
    return this.#running.worker.executionProvider;
  }

  /** True once no later call of infer can succeed. */
  get hasEnded(): boolean {
    return this.#running.worker.hasEnded;
  }

  /** As InferenceWorker.infer; a frame that comes during a swap waits for it. */
  infer(request: InferRequest): Promise<Answer> {
    return this.#alone(() => this.#inferOrGoBack(request));
  }

  /** Takes an update or says why not; never rejects. One at a time, in their order. */
  update(update: ModelUpdate): Promise<UpdateOutcome> {
    return this.#inOrder(update, () => this.#take(update));
  }

  /**
   * As `update`, with the whole file read from a path of this machine; without a path a model that is held. Empty fields are filled in: the file's own
   * digest (or the previous model's), the version after the last one, the running model as parent.
   */
  async load(
    path: string,
    wanted: Pick<ModelUpdate, 'version' | 'sha256' | 'parentSha256' | 'keyId' | 'signature'>,
  ): Promise<UpdateOutcome> {
    let update: ModelUpdate = {
      ...wanted,
      kind: path ? 'whole' : 'held',
      version: wanted.version || this.#lastVersion + 1,
      sha256: wanted.sha256 || (path ? '' : (this.#previous?.file.description.sha256 ?? '')),
      parentSha256: wanted.parentSha256 || this.model.sha256,
      data: new Uint8Array(0),
    };
    if (path) {
      try {
        const found = await stat(path).catch(() => undefined); // the reader says what is wrong with the path
        checkSize(found?.size ?? 0, this.#options.maxUpdateBytes);
        const { bytes, description } = await readModelFile(path);
        update = { ...update, sha256: update.sha256 || description.sha256, data: bytes };
      } catch (error) {
        return this.#outcome(update, (error as Error).message);
      }
    } else if (!update.sha256) return this.#outcome(update, 'there is no previous model to go back to');
    return this.update(update);
  }

  /** Ends all threads, after the runs in work. */
  async close(): Promise<void> {
    this.#closing.abort();
    const closeHeld = (): Promise<unknown> =>
      Promise.all([this.#running.worker, this.#previous?.worker, ...this.#leaving].map((worker) => worker?.close()));
    await closeHeld();
    await this.#update;
    await closeHeld(); // a swap may have been at its end
  }

  async #inferOrGoBack(request: InferRequest): Promise<Answer> {
    this.#lastImage ??= new Uint8Array(request.image.length);
    this.#lastImage.set(request.image);
    const { worker, version, file } = this.#running;
    try {
      return await worker.infer(request);
    } catch (error) {
      const previous = this.#previous;
      if (!previous || this.#closing.signal.aborted) throw error;
      this.#running = previous;
      this.#previous = undefined;
      const reason = `failed on a frame, the model before runs again: ${(error as Error).message}`;
      this.#options.onGivenUp?.(this.#outcome({ version, sha256: file.description.sha256 }, reason));
      void worker.close();
      return previous.worker.infer({ ...request, image: this.#lastImage.slice(), forgetPrevious: true });
    }
  }

  async #take(update: ModelUpdate): Promise<void> {
    const { maxUpdateBytes: maxBytes, publicKey } = this.#options;
    const runningSha256 = this.model.sha256;
    if (update.version === this.version && update.sha256 === runningSha256) return; // came a second time
    const factorySha256 = this.#factory.description.sha256;
    checkAnnouncement(update, { runningSha256, factorySha256, lastVersion: this.#lastVersion, maxBytes, publicKey });
    const next = update.kind === 'held' ? await this.#held(update) : await this.#unpack(update);
    try {
      const { primed } = await this.#alone(() => this.#swap(next));
      this.#swapMilliseconds = await primed;
    } catch (error) {
      if (next.worker !== this.#previous?.worker) await next.worker.close();
      throw error;
    }
    this.#lastVersion = update.version;
  }

  /** A model this host still has, loaded again where only its file is left. */
  async #held({ version, sha256 }: ModelUpdate): Promise<HeldModel> {
    const previous = this.#previous;
    if (previous?.file.description.sha256 === sha256) return { ...previous, version };
    if (this.#factory.description.sha256 === sha256) return this.#prepare({ file: this.#factory }, version);
    throw new ModelUpdateError(
      `sha256 ${short(sha256)} is neither the previous nor the factory model: no other is held`,
    );
  }

  #unpack(update: ModelUpdate): Promise<HeldModel> {
    const parent = update.parentSha256 === this.model.sha256 ? this.#running.file : this.#factory;
    return this.#prepare({ update, parent: parent.bytes, running: this.model }, update.version);
  }

  #prepare(model: PreparationStart['model'], version: number): Promise<HeldModel> {
    return withoutHoles(() => this.#loadBeside(model, version));
  }

  async #loadBeside(model: PreparationStart['model'], version: number): Promise<HeldModel> {
    const start: PreparationStart = { executionProvider: this.executionProvider, model };
    const thread = new Worker(threadFile('preparationThread'), { workerData: start });
    const report = await new Promise<PreparationReport>((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
      thread.once('exit', () => reject(new Error('the thread that unpacks updates has ended')));
    });
    if ('refusal' in report) throw new ModelUpdateError(report.refusal);
    const { file, graphs } = report;
    const worker = await InferenceWorker.startWith(file, {
      ...this.#options,
      signal: this.#closing.signal,
      graphs,
      image: () => this.#lastImage,
      // Elsewhere a session may take seconds to open, and does not keep the CPU from the running one.
      ...(this.executionProvider === 'cpu' && { turn: (step) => this.#rested(step) }),
    });
    return { file, version, worker };
  }

  /** Between two frames. The frame before is known to the next model by its own features: computed anew where its encoder is another one. */
  async #swap(next: HeldModel): Promise<Swapped> {
    this.#closing.signal.throwIfAborted();
    const from = this.#running;
    let primed = Promise.resolve(0);
    if (next.worker !== from.worker) {
      // else it was gone back to meanwhile
      if (from.worker.featuresDigest === next.worker.featuresDigest) {
        const { port1, port2 } = new MessageChannel();
        from.worker.sendFeatures(port1);
        primed = next.worker.prime({ port: port2 }); // the next frame waits for it in the new model's thread
        primed.catch(() => undefined);
      } else primed = Promise.resolve(await next.worker.prime({ image: this.#lastImage }));
      this.#leaveLater(this.#previous?.worker, next.worker);
      this.#previous = from;
    }
    this.#running = next;
    return { primed };
  }

  /** Closing takes a turn of its own, not that of the first frame behind the swap. */
  #leaveLater(worker: InferenceWorker | undefined, next: InferenceWorker): void {
    if (!worker || worker === next) return;
    this.#leaving.add(worker);
    setTimeout(() => {
      void this.#alone(() => worker.close()).then(() => this.#leaving.delete(worker));
    }, CLOSE_AFTER_MS);
  }

  /** A turn between two frames, after those that the turn before kept waiting have been caught up with. */
  async #rested<T>(work: () => Promise<T>): Promise<T> {
    await sleep(REST_MS);
    return this.#alone(work);
  }

  /** Frames and swaps, one at a time. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#frameOrSwap.then(work);
    this.#frameOrSwap = result.catch(() => undefined);
    return result;
  }

  #inOrder(update: ModelUpdate, work: () => Promise<void>): Promise<UpdateOutcome> {
    const outcome = this.#update.then(work).then(
      () => this.#outcome(update, ''),
      (error: Error) => this.#outcome(update, error.message),
    );
    this.#update = outcome;
    return outcome;
  }

  #outcome({ version, sha256 }: Pick<ModelUpdate, 'version' | 'sha256'>, reason: string): UpdateOutcome {
    const running = { runningVersion: this.version, runningSha256: this.model.sha256 };
    const accepted = reason === '';
    return { accepted, reason, version, sha256, ...running, swapMilliseconds: accepted ? this.#swapMilliseconds : 0 };
  }
}
