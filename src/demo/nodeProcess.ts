import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const TAIL_LINES = 15;
/** The nodes end within 2 s of a signal; what does not is killed. */
const KILL_AFTER_MS = 3000;

export type ParameterValue = string | number | boolean;

export interface NodeProcessOptions {
  /** Name of the ROS node. */
  readonly name: string;
  /** Script in dist/src/nodes. */
  readonly script: string;
  readonly remap?: Readonly<Record<string, string>>;
  readonly parameterFile?: string;
  readonly parameters?: Readonly<Record<string, ParameterValue>>;
  /** Warnings and errors the node logs, line by line. */
  readonly onWarning?: (line: string) => void;
}

const running = new Set<NodeProcess>();

/** Ends every process started here. */
export async function stopAllNodes(): Promise<void> {
  await Promise.all([...running].map((process) => process.stop()));
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One ROS 2 node of this package in an operating-system process of its own. It never outlives this process's normal end. */
export class NodeProcess {
  readonly name: string;
  /** Settles when the process has ended. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #tail: string[] = [];
  #end: ProcessEnd | undefined;

  constructor(options: NodeProcessOptions) {
    this.name = options.name;
    this.#child = spawn(process.execPath, [options.script, '--ros-args', ...rosArguments(options)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const killAtExit = (): void => void this.#child.kill('SIGKILL');
    process.on('exit', killAtExit);
    running.add(this);
    this.ended = new Promise((resolve) => {
      const finish = (end: ProcessEnd): void => {
        process.off('exit', killAtExit);
        running.delete(this);
        this.#end = end;
        resolve(end);
      };
      this.#child.on('error', (error) => {
        this.#tail.push(error.message);
        finish({ code: 127, signal: null });
      });
      // 'close', not 'exit': the last lines have been read by then.
      this.#child.on('close', (code, signal) => finish({ code, signal }));
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) this.#readLines(stream!, options.onWarning);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How it ended; undefined while it runs. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  /** Why the node is not running any more, with the last lines it wrote. */
  describeEnd(): string {
    const { code, signal } = this.#end ?? { code: null, signal: null };
    const how = signal ? `was ended by ${signal}` : `ended with code ${code}`;
    const lines = this.#tail.map((line) => `\n  ${line}`).join('');
    return `${this.name} ${how}${lines ? `; its last lines:${lines}` : ' without a word'}`;
  }

  /** Ends the process by SIGINT, and by SIGKILL if that is not enough. */
  async stop(): Promise<ProcessEnd> {
    if (this.#end) return this.#end;
    this.#child.kill('SIGINT');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), KILL_AFTER_MS);
    const end = await this.ended;
    clearTimeout(kill);
    return end;
  }

  #readLines(stream: NodeJS.ReadableStream, onWarning?: (line: string) => void): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.trim() === '') continue;
        this.#tail.push(line);
        if (this.#tail.length > TAIL_LINES) this.#tail.shift();
        if (/\[(WARN|ERROR|FATAL)\]/.test(line)) onWarning?.(line);
      }
    });
    stream.on('end', () => {
      if (rest.trim() !== '') this.#tail.push(rest);
    });
  }
}

/** Script of a node of this package as compiled, e.g. nodeScript('depthNode'). */
export function nodeScript(name: string): string {
  return join(__dirname, '..', 'nodes', `${name}.js`);
}

function rosArguments({ name, remap = {}, parameterFile, parameters = {} }: NodeProcessOptions): string[] {
  const file = parameterFile ? ['--params-file', parameterFile] : [];
  const topics = Object.entries(remap).flatMap(([from, to]) => ['-r', `${from}:=${to}`]);
  // With the node's name: a file's section of that name would win over a parameter for all nodes. JSON is YAML too.
  const values = Object.entries(parameters).flatMap(([key, value]) => ['-p', `${name}:${key}:=${yaml(value)}`]);
  return [...topics, ...file, ...values];
}

function yaml(value: ParameterValue): string {
  return typeof value === 'number' ? `${value}` : JSON.stringify(value);
}
