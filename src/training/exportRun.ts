/** The averaged weights of a training run as the ONNX graph the nodes run. */
import { exportOnnx } from '../model/onnx/exportOnnx';
import { readRunView } from './runCamera';
import { openRun } from './trainedRun';

export interface ExportFlags {
  out: string;
  name?: string;
  modelVersion?: string;
  best?: boolean;
}

/** @param flags of `depthgrad export` */
export async function exportRun(run: string, flags: ExportFlags): Promise<void> {
  const { recipe, network, position } = openRun(run, flags.best);
  const { kind, height, width } = recipe.network;
  if (!network.graph)
    throw new Error(
      `${run} trained a network "${kind}", which has no ONNX form: its adapter in src/training/networks has no graph. ` +
        `For its figures: npx depthgrad evaluate --run ${run} --dataset DIR`,
    );
  const encoder = 'encoder' in recipe.network ? recipe.network.encoder : undefined;
  const form = [encoder, `${height}x${width}`].filter((part) => part !== undefined);
  const { fx, fy, cx, cy } = await readRunView(recipe, run, width, height);
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
}
