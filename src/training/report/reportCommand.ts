/** `depthgrad report RUN`: the report of a run, also of one that is still going on or was interrupted. */
import type { Command } from 'commander';

export function registerReport(program: Command): void {
  program
    .command('report')
    .description('write RUN/report.html: curves, depth maps, figures, recipe and versions in one self-contained file')
    .argument('<run>', 'run folder of depthgrad train')
    .action(async (run: string) => {
      const { writeReport } = await import('./report.js');
      console.log(writeReport(run));
    });
}
