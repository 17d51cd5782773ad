import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { resolveFile } from '../paths';
import { computeThreads } from './computeThreads';

interface Sizes {
  threads?: number;
  stages: { height: number; width: number; batch_size: number }[];
}

/**
 * Gives TensorFlow (and the compiled kernels) the recipe's number of threads, or what suits its largest batch. Both take it from the
 * environment when they are loaded, so this comes before, and reads no more of the recipe than that; what is wrong with it is said by whoever
 * reads it in full.
 */
export function takeRecipeThreads(recipePath: string): void {
  try {
    const { threads, stages } = parse(readFileSync(resolveFile(recipePath), 'utf8')) as Sizes;
    const pixels = Math.max(...stages.map(({ height, width, batch_size: size }) => height * width * size));
    const count = threads ?? computeThreads(pixels);
    if (Number.isInteger(count)) process.env.TF_NUM_INTRAOP_THREADS ??= String(count);
  } catch {
    // no such file, no YAML, or no recipe
  }
}
