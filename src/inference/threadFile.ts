import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';

/** A compiled thread: beside this file in dist/, or, when this file is run from source by a test, its place in dist/. */
export function threadFile(name: string): string {
  const beside = join(__dirname, `${name}.js`);
  if (existsSync(beside)) return beside;
  const root = join(__dirname, '..', '..');
  return join(root, 'dist', relative(root, __dirname), `${name}.js`);
}
