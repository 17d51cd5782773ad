/**
 * Clean ends: SIGINT, SIGTERM and SIGHUP (the terminal is gone) stop the process with code 0, also while modules or a model are still being loaded.
 * Import this file before anything heavy: a signal that comes before a handler is there kills the process.
 */

const EXIT_LIMIT_MS = 1800;
/** A disk that is busy with what it took before can take nothing for many seconds. */
const STALL_LIMIT_MS = 30_000;
const POLL_MS = 50;

/** Work that closing has to finish and that may take longer than EXIT_LIMIT_MS, such as a queue for a slow disk. */
export interface Backlog {
  /** What is still to be done, in any unit; the process does not end while it changes. 0: nothing. */
  left(): number;
  /** The same for whoever waits: "90 MB wait for the disk". */
  describe(): string;
  /** It has not moved for STALL_LIMIT_MS, or somebody does not want to wait: what has not begun is to be left out, and said to be. */
  abandon(): void;
}

const closers: (() => void | Promise<void>)[] = [];
const backlogs: Backlog[] = [];
let ending = false;
let exitCode = 0;
/** Set once the process ends later than usual. */
let endAtOnce: (() => void) | undefined;

/** Has `close` called when the process ends by a signal or by `end`; the last one first. */
export function onEnd(close: () => void | Promise<void>, backlog?: Backlog): void {
  closers.push(close);
  if (backlog) backlogs.push(backlog);
}

/** True once the process is ending: late results are then to be thrown away, late errors not to be reported. */
export function isEnding(): boolean {
  return ending;
}

/**
 * Closes everything and exits with the given code: EXIT_LIMIT_MS after the last of a backlog at the latest. Of a process that is ending already a code
 * above 0 becomes the exit code.
 */
export async function end(code: number): Promise<void> {
  exitCode ||= code;
  if (ending) return;
  ending = true;
  watch();
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      process.stderr.write(`while ending: ${(error as Error).message}\n`);
    }
  }
  process.exit(exitCode);
}

/** Ends the process where its closers do not. */
function watch(): void {
  const started = performance.now();
  const leftNow = (): number => backlogs.reduce((sum, backlog) => sum + backlog.left(), 0);
  let [left, movedMs, abandoned] = [leftNow(), started, false];
  const abandon = (): void => {
    const unfinished = backlogs.filter((backlog) => backlog.left() > 0);
    if (abandoned || unfinished.length === 0) return; // the end is near, and another Ctrl-C must not put it off
    exitCode ||= 1;
    abandoned = true;
    movedMs = performance.now();
    for (const backlog of unfinished) backlog.abandon();
  };
  setInterval(() => {
    const [before, now] = [left, performance.now()];
    left = leftNow();
    if (left !== before && !abandoned) movedMs = now;
    const quietMs = now - movedMs;
    if (left === 0 || abandoned) {
      if (quietMs > EXIT_LIMIT_MS) process.exit(exitCode);
    } else if (quietMs > STALL_LIMIT_MS) {
      process.stderr.write(`while ending: nothing has moved for ${STALL_LIMIT_MS / 1000} s\n`);
      abandon();
    } else if (!endAtOnce && now - started > EXIT_LIMIT_MS) {
      const what = backlogs.filter((backlog) => backlog.left() > 0).map((backlog) => backlog.describe());
      process.stderr.write(`ending: ${what.join(', ')}; Ctrl-C leaves that out\n`);
      endAtOnce = abandon;
    }
  }, POLL_MS);
}

process.on('SIGINT', () => {
  // npm passes on the Ctrl-C that the terminal has sent to its children already: one counts as a second when the end has been said to take longer.
  endAtOnce?.();
  void end(0);
});
process.on('SIGTERM', () => void end(0));
process.on('SIGHUP', () => void end(0));
// Who reads may go first: a terminal, or `tee` by the Ctrl-C that ends both. What is said is lost then; without a listener the process would be, too.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
