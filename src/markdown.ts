/** Tables in a Markdown document, between marks, so that no figure there is written by hand. */
import { readFile, writeFile } from 'node:fs/promises';

/** A pair of lines of the document; what is between them is the program's. */
export interface Marks {
  readonly begin: string;
  readonly end: string;
}

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replaceBetween(path: string, { begin, end }: Marks, content: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from)
    throw new Error(`${path}: has no table to replace; put these two lines in:\n${begin}\n${end}`);
  await writeFile(path, `${text.slice(0, from)}${begin}\n\n${content}\n${text.slice(to)}`);
}

/** Lines of a table with its columns aligned, as Prettier wants them. */
export function alignedTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((name, column) => Math.max(3, name.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
}
