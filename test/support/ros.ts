/** Real ROS processes for tests: the nodes under test from dist/, and an rclpy process as their other end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const ROOT = join(__dirname, '..', '..');
/** Factor on every limit of time, for a machine that is busy with other work: DEPTHGRAD_TEST_PATIENCE=10. */
export const PATIENCE = Number(process.env.DEPTHGRAD_TEST_PATIENCE || 1);
const TIMEOUT_MS = 20_000 * PATIENCE;

let domains = 0;

/** Environment with a ROS domain of its own, so that nothing else on the machine is heard. Domains 1..100 are safe. */
export function rosEnvironment(): NodeJS.ProcessEnv {
  if (!process.env.ROS_DISTRO || !process.env.DEPTHGRAD_PYTHON) {
    throw new Error('ROS 2 is not in this environment: npm test does it, or "source scripts/env.sh"');
  }
  const domain = 1 + ((process.pid + 37 * domains++) % 100);
  return { ...process.env, ROS_DOMAIN_ID: `${domain}`, ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST' };
}

/** Polls until `value` gives something; the condition and what was seen instead go into the error. */
async function until<T>(value: () => T | undefined, what: () => string, timeoutMs = TIMEOUT_MS): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = value();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A node of this package as a process. */
export class NodeProcess {
  /** Everything it wrote, log lines included. */
  output = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  #exited = false;

  constructor(
    program:
      | 'depthNode'
      | 'replayNode'
      | 'modelSenderNode'
      | 'adaptationNode'
      | 'dashboardNode'
      /** Compiled JavaScript, from the package's folder on. */
      | { readonly file: string },
    rosArguments: string[],
    env: NodeJS.ProcessEnv,
    /** A command that becomes the node by exec, as in `unshare --mount`. */
    wrapper: readonly string[] = [],
  ) {
    const file = join(ROOT, typeof program === 'string' ? `dist/src/nodes/${program}.js` : program.file);
    if (!existsSync(file)) throw new Error(`${file} is not there; run npm run build first`);
    const [command, ...rest] = [...wrapper, process.execPath, file, '--ros-args', ...rosArguments];
    this.#child = spawn(command, rest, { env });
    this.#child.stdout!.on('data', (text: Buffer) => (this.output += text.toString()));
    this.#child.stderr!.on('data', (text: Buffer) => (this.output += text.toString()));
    this.#exit = new Promise((resolve) =>
      this.#child.once('close', (code) => {
        this.#exited = true;
        resolve(code);
      }),
    );
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Waits for a line of its output. */
  async logged(pattern: RegExp, timeoutMs?: number): Promise<string> {
    return until(
      () => this.output.match(pattern)?.[0],
      () => `${pattern} in:\n${this.output}`,
      timeoutMs,
    );
  }

  count(pattern: RegExp): number {
    return this.output.match(new RegExp(pattern, 'g'))?.length ?? 0;
  }

  /** The exit code, null where a signal killed it; throws when it does not come in time. */
  async exitCode(timeoutMs = TIMEOUT_MS): Promise<number | null> {
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`still running after ${timeoutMs} ms:\n${this.output}`)), timeoutMs).unref();
    });
    return Promise.race([this.#exit, late]);
  }

  /** Sends the signal; returns the exit code and how long it took. */
  async end(signal: NodeJS.Signals): Promise<{ code: number | null; milliseconds: number }> {
    const started = performance.now();
    this.#child.kill(signal);
    const code = await this.exitCode();
    return { code, milliseconds: performance.now() - started };
  }

  async kill(): Promise<void> {
    if (this.#exited) return;
    this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

export interface ImageFields {
  stamp: [number, number];
  frameId: string;
  width: number;
  height: number;
  encoding: string;
  step: number;
  /** base64 */
  data: string;
}

export interface PeerMessage extends ImageFields {
  topic: string;
  // The peer writes the fields of the topic's type; a test reads those it knows to be there.
  [field: string]: unknown;
}

/** The rclpy process of test/ros/peer.py. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #messages: PeerMessage[] = [];
  readonly #answers = new Map<number, Record<string, unknown>>();
  readonly #closed: Promise<unknown>;
  #errors = '';
  #commands = 0;
  #killed = false;

  /** `topics`: "/name=Image:pub", "/name=EgoMotion:sub" */
  constructor(topics: string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(env.DEPTHGRAD_PYTHON!, [join(ROOT, 'test', 'ros', 'peer.py'), ...topics], { env });
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stderr!.on('data', (text: Buffer) => (this.#errors += text.toString()));
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const message = JSON.parse(line) as PeerMessage & { answer?: number };
      if (message.answer === undefined) this.#messages.push(message);
      else this.#answers.set(message.answer, message);
    });
  }

  async command(op: string, fields: object = {}): Promise<Record<string, unknown>> {
    const id = this.#commands++;
    this.#child.stdin!.write(JSON.stringify({ id, op, ...fields }) + '\n');
    return until(
      () => {
        if (this.#killed) throw new Error(`the peer was killed before it answered to ${op}`);
        return this.#answers.get(id);
      },
      () => `answer of the peer to ${op}; its errors:\n${this.#errors}`,
    );
  }

  /** Every topic has found its other end. */
  async matched(): Promise<void> {
    await this.command('wait_match');
  }

  /** The first message on a topic that fits; it is taken out. */
  async message(
    topic: string,
    fits: (message: PeerMessage) => boolean = () => true,
    timeoutMs?: number,
  ): Promise<PeerMessage> {
    const index = await until(
      () => {
        const found = this.#messages.findIndex((message) => message.topic === topic && fits(message));
        return found < 0 ? undefined : found;
      },
      () =>
        `message on ${topic}; there are ${this.#messages.map((m) => `${m.topic} ${m.stamp}`).join(', ') || 'none'}; peer: ${this.#errors}`,
      timeoutMs,
    );
    return this.#messages.splice(index, 1)[0];
  }

  /** Messages that have come on a topic and were not taken out. */
  received(topic: string): PeerMessage[] {
    return this.#messages.filter((message) => message.topic === topic);
  }

  /** Takes out what has come on a topic so far. */
  forget(topic: string): void {
    for (let i = this.#messages.length - 1; i >= 0; i--)
      if (this.#messages[i].topic === topic) this.#messages.splice(i, 1);
  }

  /** As by kill -9; commands not yet answered reject. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000);
    await this.#closed;
    clearTimeout(timer);
  }
}

/** Float32 values of a message's base64 data. */
export function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
