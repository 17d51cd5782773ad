import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ModelFileError, readModelFile, type ModelDescription } from './modelFile';
import {
  CLOSE,
  type ExecutionProvider,
  type Inference,
  type InferRequest,
  type ThreadReport,
  type ThreadStart,
} from './protocol';

export type { ExecutionProvider, Inference } from './protocol';

export interface InferenceWorkerOptions {
  readonly modelPath: string;
  /** Where it is not to be had: one call of onWarning, then the CPU. Default cpu. */
  readonly executionProvider?: ExecutionProvider;
  /** Threads of one run, at least 1. Default 2. */
  readonly threads?: number;
  readonly onWarning?: (text: string) => void;
  /** Gives the start up: it rejects as soon as the thread has ended. */
  readonly signal?: AbortSignal;
}

/**
 * An onnxruntime session in a worker thread, with the previous frame's features carried from call to call.
 *
 * One frame is in the network at a time; its image buffer changes hands with the call and comes back with the answer, so
 * two buffers are enough to shrink the next frame while this one is computed.
 *
 * ```ts
 * const worker = await InferenceWorker.start({ modelPath: 'models/default.onnx' });
 * const { height, width } = worker.model;
 * const { inference, image } = await worker.infer({ image: new Uint8Array(height * width * 3), forgetPrevious: true });
 * await worker.close();
 * ```
 */
export class InferenceWorker {
  readonly model: ModelDescription;
  /** The one in use, after any fall back to the CPU. */
  readonly executionProvider: ExecutionProvider;
  readonly #thread: Worker;
  #pending: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  #ended: Error | undefined;
  #exited = false;

  private constructor(thread: Worker, model: ModelDescription, executionProvider: ExecutionProvider) {
    this.#thread = thread;
    this.model = model;
    this.executionProvider = executionProvider;
    thread.on('message', (message: ThreadReport) => this.#receive(message));
    thread.on('error', (error) => this.#end(error));
    thread.on('exit', (code) => {
      this.#exited = true;
      this.#end(new Error(`the inference thread has ended (exit code ${code})`));
    });
  }

  /** Reads and checks the model, starts the thread and waits until the first run is done. Throws ModelFileError. */
  static async start(options: InferenceWorkerOptions): Promise<InferenceWorker> {
    const { modelPath, executionProvider = 'cpu', threads = 2, onWarning = () => undefined, signal } = options;
    const file = await readModelFile(modelPath);
    signal?.throwIfAborted();
    const stop = new SharedArrayBuffer(4);
    const start: ThreadStart = {
      modelPath,
      modelBytes: file.bytes,
      description: file.description,
      executionProvider,
      threads,
      stop,
    };
    const thread = new Worker(threadFile(), { workerData: start });
    signal?.addEventListener('abort', () => Atomics.store(new Int32Array(stop), 0, 1));
    const provider = await new Promise<ExecutionProvider>((resolve, reject) => {
      thread.on('message', (message: ThreadReport) => {
        if (message.kind === 'warning') onWarning(message.text);
        else if (message.kind === 'ready') resolve(message.executionProvider);
        else if (message.kind === 'failed') reject(new ModelFileError(message.text));
      });
      thread.once('error', reject);
      thread.once('exit', (code) =>
        reject(new Error(`the inference thread ended while loading ${modelPath} (exit code ${code})`)),
      );
    }).catch(async (error: Error) => {
      await thread.terminate();
      throw error;
    });
    return new InferenceWorker(thread, file.description, provider);
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
    if (this.#pending) return Promise.reject(new Error('infer: the frame before is still in the network'));
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#thread.postMessage(request, [request.image.buffer as ArrayBuffer]);
    });
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
    const pending = this.#pending;
    if (!pending || (message.kind !== 'answer' && message.kind !== 'error')) return;
    this.#pending = undefined;
    if (message.kind === 'answer') pending.resolve({ inference: message.inference, image: message.image });
    else pending.reject(new Error(message.text));
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#pending?.reject(this.#ended);
    this.#pending = undefined;
  }
}

export interface Answer {
  readonly inference: Inference;
  /** The request's buffer, to be used again. */
  readonly image: Uint8Array;
}

/** The compiled thread: beside this file in dist/, or, when this file is run from source by a test, its place in dist/. */
function threadFile(): string {
  const beside = join(__dirname, 'inferenceThread.js');
  if (existsSync(beside)) return beside;
  const root = join(__dirname, '..', '..');
  return join(root, 'dist', relative(root, __dirname), 'inferenceThread.js');
}
