/** `depthgrad export RUN`: the averaged weights of a training run as the ONNX graph the nodes run. */
import type { Command } from 'commander';
import { cropIntrinsics, scaleIntrinsics } from '../geometry/camera';
import { exportOnnx } from '../model/onnx/exportOnnx';
import { readRunCamera } from './runCamera';
import { openRun } from './trainedRun';

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
      const { recipe, network, position } = openRun(run, flags.best);
      const { kind, height, width } = recipe.network;
      if (!network.graph)
        throw new Error(
          `${run} trained a network "${kind}", which has no ONNX form: its adapter in src/training/networks has no graph. ` +
            `For its figures: npx depthgrad evaluate --run ${run} --dataset DIR`,
        );
      const encoder = 'encoder' in recipe.network ? recipe.network.encoder : undefined;
      const form = [encoder, `${height}x${width}`].filter((part) => part !== undefined);
      const camera = await readRunCamera(recipe, run);
      const { width: cameraWidth, height: cameraHeight } = camera.intrinsics;
      const used = cropIntrinsics(camera.intrinsics, 0, 0, cameraWidth, camera.usableRows ?? cameraHeight);
      const { fx, fy, cx, cy } = scaleIntrinsics(used, width, height);
      const sha256 = exportOnnx(network.graph, flags.out, {
        name: flags.name ?? [recipe.name, ...form].join('-'),
        version: flags.modelVersion ?? `step${position.step}`,
        network: kind === 'depthgrad' ? undefined : kind,
        encoder,
        height,
        width,
        intrinsics: { fx, fy, cx, cy },
      });
      console.log(`${flags.out}: step ${position.step}, ${form.join(' ')}, sha256 ${sha256}`);
    });
}
