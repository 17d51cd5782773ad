/** Compiled programs of the package as processes, for tests of what a user runs. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, rosEnvironment } from './ros';

const MARK = 'DEPTHGRAD_TEST_MARK';

export interface ProgramEnd {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** A program under dist/, started in a ROS domain of its own where it is given none. */
export class Program {
  readonly ended: Promise<ProgramEnd>;
  /** stdout so far. */
  output = '';
  /** stderr so far. */
  errors = '';
  readonly #mark = randomUUID();
  readonly #signal: (signal: NodeJS.Signals) => void;
  readonly #stopReading: () => void;

  constructor(
    script: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = rosEnvironment(),
    /** A command that takes the program as its arguments. */
    wrapper: readonly string[] = [],
  ) {
    const file = join(ROOT, 'dist', script);
    if (!existsSync(file)) throw new Error(`${file} is not there; run npm run build first`);
    const [command, ...rest] = [...wrapper, process.execPath, file, ...args];
    const child = spawn(command, rest, {
      cwd: ROOT,
      env: { ...env, [MARK]: this.#mark },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (text: Buffer) => (this.output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (this.errors += text.toString()));
    this.#signal = (signal) => void child.kill(signal);
    this.#stopReading = () => {
      child.stdout.destroy();
      child.stderr.destroy();
    };
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => resolve({ code, output: this.output, errors: this.errors }));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#signal(signal);
  }

  /** Closes the other end of stdout and stderr, as a terminal or a `tee` that has gone. */
  stopReading(): void {
    this.#stopReading();
  }

  /** Command lines of the processes it started, and of itself, that are still there. */
  processes(): string[] {
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .flatMap((pid) => {
        try {
          const own = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${MARK}=${this.#mark}`);
          return own ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')] : [];
        } catch {
          return []; // ended meanwhile
        }
      });
  }
}
