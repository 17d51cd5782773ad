import type { Logger } from './rclnodejs';

const PERIOD_MS = 5000;
const LONGEST = 600;
/** Kinds that name other nodes of the graph could go on for ever. */
const MOST_KINDS = 1000;

/** Log lines that a camera's rate would repeat: each kind once at once, then at most every 5 s with a count. */
export class ThrottledLog {
  /** Lines held back since the start, of all kinds. */
  suppressed = 0;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #kinds = new Map<string, { lastMs: number; suppressed: number }>();

  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /** `kind` says which messages are the same complaint; `text` names topic and field. */
  warn(kind: string, text: string): void {
    this.#say('warn', kind, text);
  }

  info(kind: string, text: string): void {
    this.#say('info', kind, text);
  }

  /** Once per kind for the life of this log. */
  warnOnce(kind: string, text: string): void {
    if (!this.#kinds.has(kind)) this.#say('warn', kind, text, Infinity);
  }

  #say(level: 'warn' | 'info', kind: string, text: string, periodMs = PERIOD_MS): void {
    const now = this.#now();
    const seen = this.#kinds.get(kind);
    if (seen && now - seen.lastMs < periodMs) {
      seen.suppressed++;
      this.suppressed++;
      return;
    }
    const repeated = seen?.suppressed ? ` (and ${seen.suppressed} more like it)` : '';
    if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
    this.#kinds.set(kind, { lastMs: now, suppressed: 0 });
    this.#logger[level](oneLine(text) + repeated);
  }
}

/** A message that cannot be used; what the fault begins with, a field or CDR, tells the classes of a topic apart. */
export function warnIgnored(log: ThrottledLog, topic: string, { message }: Error, what = 'message ignored'): void {
  log.warn(`${topic} ${message.split(' ', 1)[0]}`, `${topic}: ${what}: ${message}`);
}

/** Parts of the text come out of messages, whatever is in them: it stays one line, and a short one. */
export function oneLine(text: string): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}... (${line.length} characters)` : line;
}
