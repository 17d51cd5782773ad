import { clearLine, cursorTo } from 'node:readline';

/** Seconds between the plain lines where none can be written over. */
const PLAIN_PERIOD_MS = 5000;

/** One line that is written over while the drive goes on; plain lines now and then where the output is no terminal. */
export class StatusLine {
  readonly #live: boolean;
  #shown = '';
  #lastPlainMs = -Infinity;

  constructor(headless: boolean) {
    this.#live = !headless && process.stdout.isTTY === true;
  }

  show(text: string): void {
    if (this.#live) {
      this.#erase();
      // A line that wraps could not be erased.
      this.#shown = text.slice(0, Math.max(20, (process.stdout.columns || 80) - 1));
      process.stdout.write(this.#shown);
    } else if (performance.now() - this.#lastPlainMs >= PLAIN_PERIOD_MS) {
      this.#lastPlainMs = performance.now();
      process.stdout.write(`${text}\n`);
    }
  }

  /** A line that stays, above the live one. */
  print(text: string): void {
    const shown = this.#shown;
    this.#erase();
    process.stdout.write(`${text}\n`);
    if (shown) this.show(shown);
  }

  /** Leaves the last status where it is. */
  end(): void {
    if (this.#shown) process.stdout.write('\n');
    this.#shown = '';
  }

  #erase(): void {
    if (!this.#shown) return;
    clearLine(process.stdout, 0);
    cursorTo(process.stdout, 0);
    this.#shown = '';
  }
}
