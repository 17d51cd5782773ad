import type { Logger } from './rclnodejs';

const PERIOD_MS = 5000;

/** Log lines that a camera's rate would repeat: each kind once at once, then at most every 5 s with a count. */
export class ThrottledLog {
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #kinds = new Map<string, { lastMs: number; suppressed: number }>();

  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /** `kind` says which messages are the same complaint; `text` names topic and field. */
  warn(kind: string, text: string): void {
    const now = this.#now();
    const seen = this.#kinds.get(kind);
    if (seen && now - seen.lastMs < PERIOD_MS) {
      seen.suppressed++;
      return;
    }
    const repeated = seen?.suppressed ? ` (and ${seen.suppressed} more like it)` : '';
    this.#kinds.set(kind, { lastMs: now, suppressed: 0 });
    this.#logger.warn(text + repeated);
  }

  /** Once per kind for the life of this log. */
  warnOnce(kind: string, text: string): void {
    if (this.#kinds.has(kind)) return;
    this.#kinds.set(kind, { lastMs: Infinity, suppressed: 0 });
    this.#logger.warn(text);
  }
}
