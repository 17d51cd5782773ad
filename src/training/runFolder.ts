/** The files of a run folder, and its log. */
import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { writeFailure, writeFileAtomically } from '../model/safetensors';

/** The last state of the run, from which it goes on. */
export const CHECKPOINT_FILE = 'checkpoint.safetensors';
/** The state with the lowest validation figure. */
export const BEST_FILE = 'best.safetensors';
export const RECIPE_FILE = 'recipe.yaml';
export const LOG_FILE = 'log.jsonl';
export const VERSIONS_FILE = 'versions.json';
/** A contact sheet of depth maps per validation, named by step. */
export const SAMPLES_FOLDER = 'samples';
export const REPORT_FILE = 'report.html';

/** The recipe of a run. @throws Error naming the folder when no run has written there */
export function runRecipe(folder: string): string {
  const path = join(folder, RECIPE_FILE);
  if (existsSync(path)) return path;
  throw new Error(`${folder} is no run folder: it has no ${RECIPE_FILE}. Name the --out folder of depthgrad train`);
}

/** @throws Error naming the folder when it cannot be made */
export function makeRunFolder(folder: string): void {
  try {
    // Asked first: of a read-only file system mkdir says that the folder is not there.
    accessSync(nearestFolder(resolve(folder)), constants.W_OK);
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new Error(`cannot make the run folder ${folder}: ${writeFailure(error)}; name another with --out`, {
      cause: error,
    });
  }
}

function nearestFolder(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestFolder(dirname(path));
}

/** A line of the log: means since the line before, or a validation's figures under "validation/". */
export interface LogEntry {
  step: number;
  stage: string;
  [figure: string]: number | string | null;
}

/** @returns the log's whole lines; a last line that a kill cut off is left out */
export function readLog(path: string): LogEntry[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as LogEntry];
      } catch {
        return [];
      }
    });
}

/** log.jsonl of a run that may be going on from a checkpoint: what was logged after it will be logged again. */
export class RunLog {
  readonly #path: string;

  constructor(folder: string, fromStep: number) {
    this.#path = join(folder, LOG_FILE);
    if (!existsSync(this.#path)) return;
    const kept = readLog(this.#path).filter(({ step }) => step <= fromStep);
    const text = kept.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    if (text !== readFileSync(this.#path, 'utf8')) writeFileAtomically(this.#path, [Buffer.from(text)]);
  }

  /** @throws Error naming the file when it cannot be written */
  append(entry: LogEntry): void {
    try {
      appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
    } catch (error) {
      throw new Error(`cannot write ${this.#path}: ${writeFailure(error)}; the last checkpoint is untouched`, {
        cause: error,
      });
    }
  }
}

/** Removes what processes that were killed while writing `path` left beside it. Only one process may train into a folder. */
export function removeUnfinished(path: string): void {
  const name = basename(path);
  for (const entry of readdirSync(dirname(path))) {
    if (entry.startsWith(`${name}.`) && entry.endsWith('.tmp')) rmSync(join(dirname(path), entry), { force: true });
  }
}
