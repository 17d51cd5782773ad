/** Where the studies and their results are. */
import { readdirSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { packageRoot } from '../../paths';

export const STUDIES_FOLDER = join('config', 'studies');
/** NAME.json per study NAME.yaml. */
export const RESULTS_FOLDER = join(STUDIES_FOLDER, 'results');

/** Names of the studies that come with the package. */
export function studyNames(root = packageRoot()): string[] {
  return readdirSync(join(root, STUDIES_FOLDER))
    .filter((file) => extname(file) === '.yaml')
    .map((file) => basename(file, '.yaml'))
    .sort();
}
