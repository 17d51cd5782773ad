/**
 * Centres and scales what EfficientNet-Lite0's stages hand on, without changing the function the encoder computes.
 *
 * With batch normalisation folded in, the stages' linear outputs deviate by 2 to 16 per channel (measured on the drives): fine for
 * the next block, which was trained on them, but too much for heads whose starting weights expect 1. A stage's output is read by
 * 1x1 convolutions only, so f' = (f - mean) / deviation can be undone exactly in their weights: project gets W / s and (b - m) / s,
 * expand gets W * s and b + W m.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { assign } from '../variables';
import { lite0Blocks } from './lite0';

/** Runs of blocks joined by residual additions: they share one scale. */
function stages(): number[][] {
  const runs: number[][] = [];
  lite0Blocks.forEach((block, i) => {
    const joins = block.stride === 1 && block.inputs === block.outputs;
    if (joins) runs[runs.length - 1].push(i);
    else runs.push([i]);
  });
  return runs;
}

/** Name of the layer that gives a block's output. */
function outputLayer(index: number): string {
  const block = lite0Blocks[index];
  return block.stride === 1 && block.inputs === block.outputs ? `${block.name}/add` : `${block.name}/project`;
}

/**
 * @param model of images, with the encoder's layers in it
 * @param variables the encoder's by name (`encoder/stem/kernel`), more are left alone
 * @param images rgb [b,h,w,3] in 0..1 to measure on; a few frames of any place will do
 */
export function standardiseLite0(
  model: tf.LayersModel,
  variables: ReadonlyMap<string, tf.Variable>,
  images: tf.Tensor4D,
): void {
  const runs = stages();
  const lasts = runs.map((run) => model.getLayer(outputLayer(run[run.length - 1])).output as tf.SymbolicTensor);
  const probe = tf.model({ inputs: model.inputs, outputs: lasts });
  const statistics = tf.tidy(() =>
    (probe.predict(images) as tf.Tensor4D[]).map((map) => {
      const { mean, variance } = tf.moments(map, [0, 1, 2]);
      return { mean: mean.dataSync().slice(), deviation: tf.sqrt(tf.add(variance, 1e-6)).dataSync().slice() };
    }),
  );
  const weights = new Map<string, Float32Array>();
  const get = (name: string): Float32Array => {
    const variable = variables.get(name);
    if (!variable) throw new Error(`standardiseLite0: the network has no "${name}"; is it a lite0?`);
    const values = weights.get(name) ?? variable.dataSync<'float32'>().slice();
    weights.set(name, values);
    return values;
  };
  runs.forEach((run, stage) => {
    const { mean, deviation } = statistics[stage];
    const channels = mean.length;
    run.forEach((index, position) => {
      const kernel = get(`${lite0Blocks[index].name}/project/kernel`); // [1,1,in,channels]
      for (let i = 0; i < kernel.length; i++) kernel[i] /= deviation[i % channels];
      const bias = get(`${lite0Blocks[index].name}/project/bias`);
      // Only the run's first block carries the shift: the residual additions hand it on.
      for (let c = 0; c < channels; c++) bias[c] = (bias[c] - (position === 0 ? mean[c] : 0)) / deviation[c];
      const reader = index + 1;
      if (reader >= lite0Blocks.length) return;
      const expand = get(`${lite0Blocks[reader].name}/expand/kernel`); // [1,1,channels,out]
      const expandBias = get(`${lite0Blocks[reader].name}/expand/bias`);
      const outputs = expandBias.length;
      for (let c = 0; c < channels; c++) {
        for (let o = 0; o < outputs; o++) {
          const w = expand[c * outputs + o];
          expandBias[o] += w * mean[c];
          expand[c * outputs + o] = w * deviation[c];
        }
      }
    });
  });
  for (const [name, values] of weights) assign(variables.get(name)!, values);
}
