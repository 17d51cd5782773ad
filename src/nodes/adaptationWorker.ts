import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Triplet } from '../adaptation/frame';
import type { ModelUpdate } from '../adaptation/learnerTypes';
import type { AdaptationOptions } from '../adaptation/options';
import type {
  AdaptationReport,
  AdaptationRequest,
  AdaptationThreadData,
  Control,
  ThreadStatus,
} from './adaptationProtocol';

export interface ControlAnswer {
  readonly success: boolean;
  readonly message: string;
}

interface AdaptationWorkerEvents {
  /** Buffer and state are read; `published`: what an earlier process published last, undefined where that is the factory model. */
  ready: [published: ModelUpdate | undefined];
  /** undefined: the factory model. */
  publish: [update: ModelUpdate | undefined, reason: string];
  note: ['info' | 'warn', string];
  /** The thread has ended, or never began. */
  failed: [string];
}

/**
 * The learner's thread as the node sees it. Of the triplets offered, the newest goes over when the learner can use it; the others are left behind without being
 * copied.
 */
export class AdaptationWorker extends EventEmitter<AdaptationWorkerEvents> {
  status?: ThreadStatus;
  readonly #thread: Worker;
  readonly #answers = new Map<number, (answer: ControlAnswer) => void>();
  readonly #ended: Promise<void>;
  #controls = 0;
  #wanted = false;
  #newest?: Triplet;
  #fault?: string;
  #closing = false;

  constructor(data: AdaptationThreadData) {
    super();
    this.#thread = new Worker(join(__dirname, 'adaptationThread.js'), { workerData: data });
    this.#thread.on('message', (report: AdaptationReport) => this.#take(report));
    this.#thread.on('error', (error) => this.#fail(error.message));
    this.#ended = new Promise((resolve) =>
      this.#thread.once('exit', () => {
        if (!this.#closing) this.#fail('the thread has ended');
        resolve();
      }),
    );
  }

  /** Why nothing is learned any more. */
  get fault(): string | undefined {
    return this.#fault;
  }

  offer(triplet: Triplet): void {
    this.#newest = triplet;
    this.#send();
  }

  set(options: AdaptationOptions, savePeriod: number): void {
    this.#say({ kind: 'settings', options, savePeriod });
  }

  withdraw(reason: string): void {
    this.#say({ kind: 'withdraw', reason });
  }

  /** Answered between two pieces of work: within about a second. */
  async control(control: Control): Promise<ControlAnswer> {
    if (this.#fault) return { success: false, message: `the learner has ended: ${this.#fault}` };
    const id = this.#controls++;
    this.#say({ kind: 'control', id, control });
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  /** Lets the thread write its state and end. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#say({ kind: 'close' });
    await this.#ended;
  }

  #say(request: AdaptationRequest): void {
    this.#thread.postMessage(request);
  }

  #send(): void {
    if (!this.#wanted || !this.#newest) return;
    this.#say({ kind: 'triplet', triplet: this.#newest });
    this.#newest = undefined;
    this.#wanted = false;
  }

  #take(report: AdaptationReport): void {
    switch (report.kind) {
      case 'ready':
        this.emit('ready', report.published);
        break;
      case 'wants triplet':
        this.#wanted = true;
        this.#send();
        break;
      case 'status':
        this.status = report.status;
        break;
      case 'publish':
        this.emit('publish', report.update, report.reason);
        break;
      case 'note':
        this.emit('note', report.level, report.text);
        break;
      case 'answer':
        this.#answers.get(report.id)?.({ success: !report.fault, message: report.fault ?? report.text });
        this.#answers.delete(report.id);
        break;
      case 'failed':
        this.#fail(report.text);
        break;
    }
  }

  #fail(text: string): void {
    if (this.#closing || this.#fault) return;
    this.#fault = text;
    for (const answer of this.#answers.values()) answer({ success: false, message: `the learner has ended: ${text}` });
    this.#answers.clear();
    this.emit('failed', text);
  }
}
