import { Worker, type MessagePort } from 'node:worker_threads';
import type { Graphs } from './graphs';
import { ModelFileError, readModelFile, type ModelDescription, type ModelFile } from './modelFile';
import {
  buffersOf,
  CLOSE,
  PREPARATION,
  type DepthMaps,
  type EgoMotion,
  type ExecutionProvider,
  type InferRequest,
  type PrepareRequest,
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

export interface StartOptions extends SessionOptions {
  /** What has been made of the file before; handed over. */
  readonly graphs?: Graphs;
  /** Most recent image of the network's size: the first run is on it, and its answer must be finite. Default a black one. */
  readonly image?: () => Uint8Array | undefined;
  /** Called with every step of the start, to let each wait for its turn. */
  readonly turn?: <T>(step: () => Promise<T>) => Promise<T>;
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
  #primed: Waiting<number> | undefined;
  #ended: Error | undefined;
  #exited = false;

  private constructor(thread: Worker, model: ModelDescription, prepared: Prepared) {
    this.#thread = thread;
    this.model = model;
    this.executionProvider = prepared.executionProvider;
    this.featuresDigest = prepared.featuresDigest;
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
  static async startWith(file: ModelFile, options: StartOptions = {}): Promise<InferenceWorker> {
    const { executionProvider = 'cpu', threads = 2, onWarning = () => undefined, signal } = options;
    const { graphs, image, turn = (step) => step() } = options;
    signal?.throwIfAborted();
    const workerData: ThreadStart = {
      modelPath: file.path,
      model: graphs ?? file.bytes,
      description: file.description,
      executionProvider,
      threads,
    };
    const thread = new Worker(threadFile('inferenceThread'), { workerData, transferList: buffersOf(graphs) });
    const starting = new Starting(thread, onWarning);
    try {
      let prepared: Prepared | undefined;
      for (const step of PREPARATION) {
        prepared = await turn(() =>
          starting.prepare({ kind: 'prepare', step, image: step === 'depth run' ? image?.() : undefined }),
        );
        signal?.throwIfAborted();
      }
      starting.end();
      return new InferenceWorker(thread, file.description, prepared!);
    } catch (error) {
      await starting.giveUp();
      throw error;
    }
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

  /** Sends a copy of the features that the next frame would be compared with, after the run in work, to the port of `prime` of another worker. */
  sendFeatures(port: MessagePort): void {
    this.#post({ kind: 'features', port }, [port]);
  }

  /**
   * Sets what the next frame is compared with: the features that come from the port, of a model that agrees in `featuresDigest`; or those computed here
   * of an image of the network's size; or nothing. A frame may be given at once, it waits. Rejects where the network's answer for the image is not finite.
   *
   * @returns how long it took, ms
   */
  prime({ port, image }: Omit<PrimeRequest, 'kind'>): Promise<number> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#primed = { resolve, reject };
      this.#post({ kind: 'prime', port, image }, port ? [port] : []);
    });
  }

  #post(request: ThreadRequest, transfer: (ArrayBuffer | MessagePort)[] = []): void {
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
    } else if (message.kind === 'primed') {
      this.#primed?.resolve(message.milliseconds);
    } else if (message.kind === 'prime failed') {
      this.#primed?.reject(new Error(message.text));
    }
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#depth?.reject(this.#ended);
    this.#motion?.reject(this.#ended);
    this.#primed?.reject(this.#ended);
    this.#depth = undefined;
  }
}

interface Waiting<T> {
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

type Prepared = Extract<ThreadReport, { kind: 'prepared' }>;

/** A thread before its first frame. */
class Starting {
  readonly #thread: Worker;
  readonly #exited: Promise<void>;
  readonly #onWarning: (text: string) => void;
  #step: Waiting<Prepared> | undefined;

  constructor(thread: Worker, onWarning: (text: string) => void) {
    this.#thread = thread;
    this.#onWarning = onWarning;
    this.#exited = new Promise((resolve) => thread.once('exit', () => resolve()));
    thread.on('message', this.#receive);
    thread.on('error', this.#fail);
    thread.on('exit', this.#exit);
  }

  prepare(request: PrepareRequest): Promise<Prepared> {
    return new Promise((resolve, reject) => {
      this.#step = { resolve, reject };
      this.#thread.postMessage(request);
    });
  }

  async giveUp(): Promise<void> {
    this.#thread.postMessage(CLOSE);
    await this.#exited;
  }

  /** The thread is listened to by somebody else from now on. */
  end(): void {
    this.#thread.off('message', this.#receive).off('error', this.#fail).off('exit', this.#exit);
  }

  readonly #receive = (message: ThreadReport): void => {
    if (message.kind === 'warning') this.#onWarning(message.text);
    else if (message.kind === 'prepared') this.#step?.resolve(message);
    else if (message.kind === 'prepare failed') this.#step?.reject(new ModelFileError(message.text));
  };

  readonly #fail = (error: Error): void => this.#step?.reject(error);

  readonly #exit = (code: number): void =>
    this.#step?.reject(new Error(`the inference thread ended while it began (exit code ${code})`));
}

export interface Answer {
  readonly maps: DepthMaps;
  /** The request's buffer, to be used again. */
  readonly image: Uint8Array;
  /** Undefined where it was not wanted or there was no frame before. Rejects where that run failed or the worker was closed. */
  readonly egoMotion: Promise<EgoMotion | undefined>;
}
