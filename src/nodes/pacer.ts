import { setTimeout as sleep } from 'node:timers/promises';

/** Later than this behind its time a recording does not catch up by a burst: it goes on from now. */
const LATE_SECONDS = 0.5;
/** A longer one, of the recording's time, is no pause but a clock that was set: a computer without a battery records 1970 until it has the time. */
const LONGEST_PAUSE_SECONDS = 3600;
/** Timers of Node.js take no more: a longer wait would be none. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** Keeps a recording's pace: every moment is due by the recording's own clock, so that delays do not add up. */
export class Pacer {
  readonly #rate: number;
  readonly #onGap: (seconds: number) => void;
  /** When the recording's time 0 was due, in the milliseconds of performance.now. */
  #zeroMs: number | undefined;
  #firstDueMs = 0;
  /** The moment waited for: the recording's time is not beyond it. */
  #next: number;

  /**
   * `rate`: multiple of the recording's; 0 does not wait. `start`: where in the recording it is before the first moment, in seconds. `onGap` is told of the
   * recording's seconds that are not waited for, because they are more than LONGEST_PAUSE_SECONDS or would take longer than LONGEST_WAIT_MS.
   */
  constructor(rate: number, start = 0, onGap: (seconds: number) => void = () => undefined) {
    this.#rate = rate;
    this.#next = start;
    this.#onGap = onGap;
  }

  /**
   * Waits until `seconds` of the recording are due; the first moment is at once. An earlier one than before is due with it.
   * Returns the seconds played from the first moment to this one.
   */
  async until(seconds: number): Promise<number> {
    this.#next = this.#zeroMs === undefined ? seconds : Math.max(seconds, this.#next);
    // As fast as it goes still lets signals and the middleware have their turn.
    if (this.#rate === 0) {
      this.#zeroMs = 0;
      await nextTurn();
      return 0;
    }
    const playedMs = (this.#next / this.#rate) * 1000;
    if (this.#zeroMs === undefined) {
      this.#firstDueMs = performance.now();
      this.#zeroMs = this.#firstDueMs - playedMs;
    }
    let waitMs = this.#zeroMs + playedMs - performance.now();
    const pauseSeconds = (waitMs * this.#rate) / 1000;
    if (pauseSeconds > LONGEST_PAUSE_SECONDS || waitMs > LONGEST_WAIT_MS) {
      this.#zeroMs -= waitMs;
      this.#onGap(pauseSeconds);
      waitMs = 0;
    }
    if (waitMs > 0) await sleep(waitMs);
    else await nextTurn();
    if (waitMs < -LATE_SECONDS * 1000) this.#zeroMs -= waitMs;
    return (this.#zeroMs + playedMs - this.#firstDueMs) / 1000;
  }

  /** Where in the recording it is, in seconds; never beyond the moment that is waited for. */
  position(): number {
    if (this.#zeroMs === undefined || this.#rate === 0) return this.#next;
    return Math.min(((performance.now() - this.#zeroMs) * this.#rate) / 1000, this.#next);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
