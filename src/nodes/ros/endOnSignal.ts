/**
 * Clean ends: SIGINT and SIGTERM stop the process with code 0, also while modules or a model are still being loaded.
 * Import this file before anything heavy: a signal that comes before a handler is there kills the process.
 */

const EXIT_LIMIT_MS = 1800;
const closers: (() => void | Promise<void>)[] = [];
let ending = false;

/** Has `close` called when the process ends by a signal or by `end`; the last one first. */
export function onEnd(close: () => void | Promise<void>): void {
  closers.push(close);
}

/** True once the process is ending: late results are then to be thrown away, late errors not to be reported. */
export function isEnding(): boolean {
  return ending;
}

/** Closes everything and exits with the given code, after EXIT_LIMIT_MS at the latest. */
export async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  setTimeout(() => process.exit(code), EXIT_LIMIT_MS);
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      process.stderr.write(`while ending: ${(error as Error).message}\n`);
    }
  }
  process.exit(code);
}

process.on('SIGINT', () => void end(0));
process.on('SIGTERM', () => void end(0));
