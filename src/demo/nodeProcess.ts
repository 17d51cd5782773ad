import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const TAIL_LINES = 15;
/** The nodes end within 2 s of a signal; what does not is killed. */
const KILL_AFTER_MS = 3000;

export type ParameterValue = string | number | boolean;

export interface NodeProcessOptions {
  /** Name of the ROS node. */
  readonly name: string;
  /** Program and its first arguments, e.g. nodeCommand('depthNode'). */
  readonly command: readonly string[];
  readonly remap?: Readonly<Record<string, string>>;
  readonly parameterFile?: string;
  readonly parameters?: Readonly<Record<string, ParameterValue>>;
  /** Warnings and errors the node logs, line by line. */
  readonly onWarning?: (line: string) => void;
  /** Everything it writes, line by line. */
  readonly onLine?: (line: string) => void;
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
    const [program, ...first] = options.command;
    const ownParameters = writeParameters(options);
    this.#child = spawn(program, [...first, '--ros-args', ...rosArguments(options, ownParameters)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const killAtExit = (): void => {
      this.#child.kill('SIGKILL');
      rmSync(dirname(ownParameters), { recursive: true, force: true });
    };
    process.on('exit', killAtExit);
    running.add(this);
    this.ended = new Promise((resolve) => {
      const finish = (end: ProcessEnd): void => {
        process.off('exit', killAtExit);
        running.delete(this);
        rmSync(dirname(ownParameters), { recursive: true, force: true });
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
    for (const stream of [this.#child.stdout, this.#child.stderr]) this.#readLines(stream!, options);
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

  #readLines(stream: NodeJS.ReadableStream, { onWarning, onLine }: NodeProcessOptions): void {
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
        onLine?.(line);
      }
    });
    stream.on('end', () => {
      if (rest.trim() !== '') this.#tail.push(rest);
    });
  }
}

/** Runs a node of this package as compiled: nodeCommand('depthNode'). */
export function nodeCommand(script: string): readonly string[] {
  return [process.execPath, join(__dirname, '..', 'nodes', `${script}.js`)];
}

function rosArguments({ remap = {}, parameterFile }: NodeProcessOptions, ownParameters: string): string[] {
  const files = [...(parameterFile ? [parameterFile] : []), ownParameters].flatMap((file) => ['--params-file', file]);
  const topics = Object.entries(remap).flatMap(([from, to]) => ['-r', `${from}:=${to}`]);
  return [...topics, ...files];
}

/**
 * A file for the parameters, under the node's full name: what is given as -p counts for all nodes, and a section of another
 * file for this node would win over it.
 */
function writeParameters({ name, remap = {}, parameters = {} }: NodeProcessOptions): string {
  const file = join(mkdtempSync(join(tmpdir(), 'depthgrad-')), 'parameters.yaml');
  // JSON is YAML too.
  writeFileSync(file, JSON.stringify({ [`${remap['__ns'] ?? ''}/${name}`]: { ros__parameters: parameters } }));
  return file;
}
