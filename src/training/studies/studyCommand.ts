/** `depthgrad study` runs the comparisons of config/studies; `depthgrad table` writes their results into the documentation. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { packageRoot } from '../../paths';
import { positiveInteger } from '../flags';
import { RESULTS_FOLDER, STUDIES_FOLDER, studyNames } from './studyFiles';

interface StudyFlags {
  data?: string;
  out: string;
  only?: string[];
  threads?: number;
}

/** Where this project's evaluation data lies beside its clone; see test/. */
function defaultData(): string | undefined {
  const places = [process.env.DEPTHGRAD_SHARED_DATA, join(packageRoot(), '..', 'shared', 'data')];
  return places.find((place) => place !== undefined && existsSync(place));
}

export function registerStudy(program: Command): void {
  program
    .command('study')
    .description('train and measure the variants of a study (config/studies); goes on where it was interrupted')
    .argument('<name>', `one of ${studyNames().join(', ')}`)
    .option('--data <dir>', 'folder of the recordings that the study names (default: DEPTHGRAD_SHARED_DATA)')
    .option('--out <dir>', 'folder of the runs', join('runs', 'studies'))
    .option('--only <variants...>', 'these variants alone; nothing is recorded then')
    .option('--threads <n>', 'of each training, in place of the recipe’s', positiveInteger)
    .action(async (name: string, { data = defaultData(), out, only, threads }: StudyFlags) => {
      const path = join(packageRoot(), STUDIES_FOLDER, `${name}.yaml`);
      if (!existsSync(path)) throw new Error(`no study ${path}; there are ${studyNames().join(', ')}`);
      const [{ readStudy }, { runStudy }, { resultSections }, { writeFileAtomically }] = await Promise.all([
        import('./study.js'),
        import('./runStudy.js'),
        import('./resultTable.js'),
        import('../../model/safetensors.js'),
      ]);
      const study = readStudy(path);
      const result = await runStudy(study, { out, data, only, threads });
      console.log(resultSections([result]));
      if (only) return;
      const file = join(packageRoot(), RESULTS_FOLDER, `${name}.json`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileAtomically(file, [Buffer.from(`${JSON.stringify(result, null, 2)}\n`)]);
      console.log(`${file}; npx depthgrad table writes it into docs/benchmarks.md`);
    });
}

export function registerTable(program: Command): void {
  program
    .command('table')
    .description('write the results of the studies that were run between the marks of a Markdown file')
    .option('--file <markdown>', 'file with the marks', join('docs', 'benchmarks.md'))
    .action(async ({ file }: { file: string }) => {
      const [{ readResults }, { resultSections, STUDY_MARKS }, { replaceBetween }] = await Promise.all([
        import('./study.js'),
        import('./resultTable.js'),
        import('../../markdown.js'),
      ]);
      await replaceBetween(file, STUDY_MARKS, resultSections(readResults()));
      console.log(file);
    });
}
