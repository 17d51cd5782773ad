/** What every bench does with its figures: measured or taken from a file, then written as JSON and as a table of the documentation. */
import { readFile, writeFile } from 'node:fs/promises';

export interface ReportFlags {
  readonly json?: string;
  /** Do not measure: take the figures from this file. */
  readonly from?: string;
  readonly table?: string;
}

export interface ReportWork<Report> {
  /** As it is called: npm run bench. */
  readonly command: string;
  readonly measure: () => Promise<Report>;
  readonly writeTable: (path: string, report: Report) => Promise<void>;
  readonly log: (text: string) => void;
}

/** @throws Error where nothing is to be written, or naming the file that has no figures */
export async function writeReport<Report>(
  { json, from, table }: ReportFlags,
  { command, measure, writeTable, log }: ReportWork<Report>,
): Promise<void> {
  if (!json && !table) throw new Error('give --json FILE, --table FILE or both: see --help');
  const report = from ? await readReport<Report>(from, command) : await measure();
  if (json) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  if (table) await writeTable(table, report);
  for (const file of [json, table]) if (file) log(`wrote ${file}`);
}

export async function readReport<Report>(path: string, command: string): Promise<Report> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Report;
  } catch (error) {
    throw new Error(`${path}: no figures of ${command} (${(error as Error).message})`);
  }
}
