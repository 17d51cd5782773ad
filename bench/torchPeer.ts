/** bench/peers/train_step.py as a process: the same training step in PyTorch. */
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import { packageRoot } from '../src/paths';

const PEERS = join(packageRoot(), 'bench', 'peers');

/** What both sides are given; the names are the peer's. */
export interface TrainCase {
  height: number;
  width: number;
  batch: number;
  channels_last: boolean;
  threads: number;
  /** Weights of the losses by name. */
  losses: Record<string, number>;
  /** Prefixes of the variables that are not trained. */
  frozen: string[];
  learning_rate: number;
  encoder_rate: number;
  clip_norm: number;
  ema_decay: number;
  fusion_lambda: number;
}

/** Of a step that updates nothing. */
export interface StepFigures {
  loss: number;
  /** Over all variables, before clipping. */
  gradient_norm: number;
  terms: Record<string, number>;
}

type Request = { op: 'load'; weights: string; batch: string; case: TrainCase } | { op: 'steps'; count: number };

export class TorchPeer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;
  #errors = '';

  /** Installs PyTorch into the cache on first use. @throws Error with what the installation said */
  static async start(): Promise<TorchPeer> {
    const { stdout } = await promisify(execFile)('bash', [join(PEERS, 'torch.sh')]);
    return new TorchPeer(stdout.trim());
  }

  private constructor(python: string) {
    // The private ROS 2 environment's libraries and packages are none of the peer's.
    const env = { ...process.env, LD_LIBRARY_PATH: undefined, PYTHONPATH: undefined };
    this.#child = spawn(python, [join(PEERS, 'train_step.py')], { env });
    this.#child.stderr.on('data', (text: Buffer) => (this.#errors += text.toString()));
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** @param weights,batch safetensors files @returns figures of a step that updates nothing, and PyTorch's version */
  async load(weights: string, batch: string, trainCase: TrainCase): Promise<StepFigures & { version: string }> {
    return this.#ask<StepFigures & { version: string }>({ op: 'load', weights, batch, case: trainCase });
  }

  /** @returns milliseconds of each step */
  async steps(count: number): Promise<number[]> {
    return (await this.#ask<{ ms: number[] }>({ op: 'steps', count })).ms;
  }

  close(): void {
    this.#lines.close();
    this.#child.stdin.end();
  }

  async #ask<Answer>(request: Request): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the PyTorch peer ended without an answer:\n${this.#errors}`);
    return JSON.parse(value as string) as Answer;
  }
}
