/**
 * Gives TensorFlow (and the compiled kernels) the recipe's number of threads. Both take it from the environment when they are loaded, so
 * this is imported before anything else, and reads no more of the recipe than that line; what is wrong with it is said by whoever reads it
 * in full.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { resolveFile } from '../paths';

const [command, ...rest] = process.argv.slice(2);
const recipe = command === 'train' ? rest.find((argument) => /\.ya?ml$/.test(argument)) : undefined;
if (recipe !== undefined) {
  try {
    const { threads } = parse(readFileSync(resolveFile(recipe), 'utf8')) as { threads?: unknown };
    if (typeof threads === 'number') process.env.TF_NUM_INTRAOP_THREADS = String(threads);
  } catch {
    // no such file, or no YAML
  }
}
