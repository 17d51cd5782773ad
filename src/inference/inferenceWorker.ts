import { Worker } from 'node:worker_threads';
import type { Graphs } from './graphs';
import { ModelFileError, readModelFile, type ModelDescription, type ModelFile } from './modelFile';
import {
  CLOSE,
  type DepthMaps,
  type EgoMotion,
  type ExecutionProvider,
  type InferRequest,
  type PrimeRequest,
  type ThreadReport,
  type ThreadRequest,
  type ThreadStart,
} from './protocol';
import { threadFile } from './threadFile';

export type { DepthMaps, EgoMotion, ExecutionProvider, InferRequest } from './protocol';

export interface SessionOptions {
  /** Where it is not to be had: one call of onWarning, then the CPU. Default cpu. */
  readonly executionProvider?: ExecutionProvider;
  /** Threads of one run, at least 1. Default 2. */
  readonly threads?: number;
  readonly onWarning?: (text: string) => void;
  /** Gives the start up: it rejects as soon as the thread has ended. */
  readonly signal?: AbortSignal;
}

export interface InferenceWorkerOptions extends SessionOptions {
  readonly modelPath: string;
}

/**
 * The network in a worker thread, with the previous frame's features carried from call to call.
 *
 * One frame is in the network at a time, from the call to its depth; its ego-motion follows, before anything of the next frame. The
 * image buffer changes hands with the call and comes back with the depth, so two buffers are enough to shrink the next frame
 * while this one is computed.
 *
 * ```ts
 * const worker = await InferenceWorker.start({ modelPath: 'models/default.onnx' });
 * const { height, width } = worker.model;
 * const request = { image: new Uint8Array(height * width * 3), forgetPrevious: false, wantsMotion: true };
 * const { maps, image, egoMotion } = await worker.infer(request);
 * const motion = await egoMotion;                                   // undefined: no frame before
 * await worker.close();
 * ```
 */
export class InferenceWorker {
  readonly model: ModelDescription;
  /** The one in use, after any fall back to the CPU. */
  readonly executionProvider: ExecutionProvider;
  /** Models that agree in it understand each other's features. */
  readonly featuresDigest: string;
  readonly #thread: Worker;
  #depth: Waiting<Answer> | undefined;
  #motion: Waiting<EgoMotion | undefined> | undefined;
  #features: Waiting<Float32Array | undefined> | undefined;
  #primed: Waiting<void> | undefined;
  #ended: Error | undefined;
  #exited = false;

  private constructor(thread: Worker, model: ModelDescription, ready: Ready) {
    this.#thread = thread;
    this.model = model;
    this.executionProvider = ready.executionProvider;
    this.featuresDigest = ready.featuresDigest;
    thread.on('message', (message: ThreadReport) => this.#receive(message));
    thread.on('error', (error) => this.#end(error));
    thread.on('exit', (code) => {
      this.#exited = true;
      this.#end(new Error(`the inference thread has ended (exit code ${code})`));
    });
  }

  /** Reads and checks the model, starts the thread and waits until the first run is done. Throws ModelFileError. */
  static async start({ modelPath, ...options }: InferenceWorkerOptions): Promise<InferenceWorker> {
    return InferenceWorker.startWith(await readModelFile(modelPath), options);
  }

  /** As `start`, with a model that has been read and checked before. */
  static async startWith(file: ModelFile, options: SessionOptions = {}): Promise<InferenceWorker> {
    const worker = await InferenceWorker.load(file, undefined, options);
    try {
      await worker.warmUp();
      options.signal?.throwIfAborted();
      return worker;
    } catch (error) {
      await worker.close();
      throw error;
    }
  }

  /** As `startWith`, without a first run: that is `warmUp`. Graphs that were made of the file before are handed over. */
  static async load(
    file: ModelFile,
    graphs: Graphs | undefined,
    options: SessionOptions = {},
  ): Promise<InferenceWorker> {
    const { executionProvider = 'cpu', threads = 2, onWarning = () => undefined, signal } = options;
    signal?.throwIfAborted();
    const stop = new SharedArrayBuffer(4);
    const start: ThreadStart = {
      modelPath: file.path,
      model: graphs ?? file.bytes,
      description: file.description,
      executionProvider,
      threads,
      stop,
    };
    const thread = new Worker(threadFile('inferenceThread'), {
      workerData: start,
      // the graphs are for this thread only, and a copy of them would hold a frame up
      transferList: [graphs?.depth, graphs?.motion].flatMap((bytes) => (bytes ? [bytes.buffer as ArrayBuffer] : [])),
    });
    const giveUp = (): void => void Atomics.store(new Int32Array(stop), 0, 1);
    signal?.addEventListener('abort', giveUp);
    const ready = await new Promise<Ready>((resolve, reject) => {
      thread.on('message', (message: ThreadReport) => {
        if (message.kind === 'warning') onWarning(message.text);
        else if (message.kind === 'ready') resolve(message);
        else if (message.kind === 'failed') reject(new ModelFileError(message.text));
      });
      thread.once('error', reject);
      thread.once('exit', (code) =>
        reject(new Error(`the inference thread ended while loading ${file.path} (exit code ${code})`)),
      );
    })
      .catch(async (error: Error) => {
        await thread.terminate();
        throw error;
      })
      .finally(() => signal?.removeEventListener('abort', giveUp));
    return new InferenceWorker(thread, file.description, ready);
  }

  /** True once the thread is closed or gone: no later call of infer can succeed. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Runs the network on one frame. `image` must own its buffer and belongs to the worker until the answer brings it
   * back. Throws when a frame is still in the network or the thread has ended.
   */
  infer(request: InferRequest): Promise<Answer> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#depth) return Promise.reject(new Error('infer: the frame before is still in the network'));
    return new Promise((resolve, reject) => {
      this.#depth = { resolve, reject };
      this.#post({ kind: 'infer', ...request }, [request.image.buffer as ArrayBuffer]);
    });
  }

  /** A copy of the features that the next frame would be compared with, float32 [h/8][w/8][C]; undefined where it would be with none. */
  features(): Promise<Float32Array | undefined> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#features = { resolve, reject };
      this.#post({ kind: 'features' });
    });
  }

  /**
   * Sets what the next frame is compared with: the features of a model that agrees in `featuresDigest`, or those computed here of an image of the
   * network's size, or nothing. Rejects where the network's answer for the image is not finite.
   */
  prime(what: Omit<PrimeRequest, 'kind'>): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#primed = { resolve, reject };
      this.#post({ kind: 'prime', ...what });
    });
  }

  /** A run for nobody, on an image of the network's size where there is one. Rejects where the network's answer for it is not finite. */
  warmUp(image?: Uint8Array): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#primed = { resolve, reject };
      this.#post({ kind: 'warm up', image });
    });
  }

  #post(request: ThreadRequest, transfer: ArrayBuffer[] = []): void {
    this.#thread.postMessage(request, transfer);
  }

  /** Ends the thread, after the run in work; an answer not yet given is given up: its promise rejects. */
  async close(): Promise<void> {
    if (this.#exited) return;
    this.#end(new Error('the inference worker was closed'));
    const exited = new Promise((resolve) => this.#thread.once('exit', resolve));
    this.#thread.postMessage(CLOSE);
    await exited;
  }

  #receive(message: ThreadReport): void {
    const [depth, motion] = [this.#depth, this.#motion];
    if (message.kind === 'depth') {
      this.#depth = undefined;
      const egoMotion = new Promise<EgoMotion | undefined>((resolve, reject) => (this.#motion = { resolve, reject }));
      egoMotion.catch(() => undefined); // its reader may be gone
      depth?.resolve({ maps: message.maps, image: message.image, egoMotion });
    } else if (message.kind === 'depth failed') {
      this.#depth = undefined;
      depth?.reject(new Error(message.text));
    } else if (message.kind === 'motion') {
      motion?.resolve(message.motion);
    } else if (message.kind === 'motion failed') {
      motion?.reject(new Error(message.text));
    } else if (message.kind === 'features') {
      this.#features?.resolve(message.features);
    } else if (message.kind === 'primed') {
      this.#primed?.resolve();
    } else if (message.kind === 'prime failed') {
      this.#primed?.reject(new Error(message.text));
    }
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#depth?.reject(this.#ended);
    this.#motion?.reject(this.#ended);
    this.#features?.reject(this.#ended);
    this.#primed?.reject(this.#ended);
    this.#depth = undefined;
  }
}

interface Waiting<T> {
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

type Ready = Extract<ThreadReport, { kind: 'ready' }>;

export interface Answer {
  readonly maps: DepthMaps;
  /** The request's buffer, to be used again. */
  readonly image: Uint8Array;
  /** Undefined where it was not wanted or there was no frame before. Rejects where that run failed or the worker was closed. */
  readonly egoMotion: Promise<EgoMotion | undefined>;
}
