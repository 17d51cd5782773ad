/** `depthgrad export RUN`. */
import type { Command } from 'commander';
import type { ExportFlags } from './exportRun';

export function registerExport(program: Command): void {
  program
    .command('export')
    .description('write a training run’s averaged weights as one ONNX file with pre- and post-processing')
    .argument('<run>', 'run folder of depthgrad train')
    .requiredOption('--out <file>', 'ONNX file to write; an existing one is replaced in one step')
    .option('--name <name>', 'model name in the metadata (default: the recipe’s name)')
    .option('--model-version <text>', 'model version in the metadata (default: the step count)')
    .option('--best', 'the checkpoint with the lowest validation figure (default: the last one)')
    .action(async (run: string, flags: ExportFlags) => {
      const { exportRun } = await import('./exportRun.js');
      await exportRun(run, flags);
    });
}
