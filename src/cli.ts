#!/usr/bin/env node
/**
 * The depthgrad command. Only what a command's own action imports is heavy (TensorFlow is 300 MB), so that each loads what it needs, and --help nothing.
 */
import { Command } from 'commander';
import { registerAdapt } from './adaptation/adaptCommand';
import { registerRecord } from './nodes/recordCommand';
import { registerExport } from './training/exportCommand';
import { registerEvaluate } from './training/evaluation/command';
import { registerPrepare } from './training/prepareCommand';
import { registerRecipes } from './training/recipesCommand';
import { registerReport } from './training/report/reportCommand';
import { registerStudy, registerTable } from './training/studies/studyCommand';
import { registerTrain } from './training/trainCommand';

const program = new Command('depthgrad').description('Depth, depth gradient and ego-motion from one moving camera');
registerTrain(program);
registerReport(program);
registerRecipes(program);
registerExport(program);
registerEvaluate(program);
registerPrepare(program);
registerAdapt(program);
registerRecord(program);
registerStudy(program);
registerTable(program);
program.parseAsync().catch((error: unknown) => {
  console.error(`depthgrad: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
