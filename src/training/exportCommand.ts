/** `depthgrad export RUN`: the averaged weights of a training run as the ONNX graph the nodes run. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { cropIntrinsics, scaleIntrinsics } from '../geometry/camera';
import { DepthNetwork } from '../model/network';
import { exportOnnx } from '../model/onnx/exportOnnx';
import { averagedWeights } from './checkpoint';
import { readRecipe } from './recipe';
import { readRunCamera } from './runCamera';
import { BEST_FILE, CHECKPOINT_FILE, RECIPE_FILE } from './runFolder';

interface ExportFlags {
  out: string;
  name?: string;
  modelVersion?: string;
  best?: boolean;
}

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
      const recipe = readRecipe(join(run, RECIPE_FILE));
      const { weights, position } = averagedWeights(join(run, flags.best ? BEST_FILE : CHECKPOINT_FILE));
      const { encoder, height, width, fusion_lambda: fusionLambda } = recipe.network;
      const network = DepthNetwork.create({ encoder, height, width, fusionLambda, seed: recipe.seed });
      network.setWeights(weights);
      const camera = await readRunCamera(recipe, run);
      const { width: cameraWidth, height: cameraHeight } = camera.intrinsics;
      const used = cropIntrinsics(camera.intrinsics, 0, 0, cameraWidth, camera.usableRows ?? cameraHeight);
      const { fx, fy, cx, cy } = scaleIntrinsics(used, width, height);
      const sha256 = exportOnnx(network, flags.out, {
        name: flags.name ?? `${recipe.name}-${encoder}-${height}x${width}`,
        version: flags.modelVersion ?? `step${position.step}`,
        intrinsics: { fx, fy, cx, cy },
      });
      console.log(`${flags.out}: step ${position.step}, ${encoder} ${height}x${width}, sha256 ${sha256}`);
    });
}
