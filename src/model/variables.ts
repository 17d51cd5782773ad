/** The variables of a network under names that stay the same between processes. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { NetworkBuilder } from './layers';
import { startingValues } from './start';

/** All weights of the models by `layer/kind` (`encoder/stem/kernel`), in the layers' order. */
export function collectVariables(models: tf.LayersModel[]): Map<string, tf.Variable> {
  const variables = new Map<string, tf.Variable>();
  for (const model of models) {
    for (const layer of model.layers) {
      for (const weight of layer.weights) {
        const kind = weight.originalName.slice(weight.originalName.lastIndexOf('/') + 1);
        variables.set(`${layer.name}/${kind}`, weight.read() as tf.Variable);
      }
    }
  }
  return variables;
}

/** Gives every variable the start its layer asked the builder for. @throws Error on a variable the builder did not make */
export function startVariables(
  variables: ReadonlyMap<string, tf.Variable>,
  builder: NetworkBuilder,
  seed: number,
): void {
  for (const [name, variable] of variables) {
    const layer = name.slice(0, name.lastIndexOf('/'));
    if (builder.normalisations.has(layer)) continue;
    const start = builder.starts.get(layer);
    if (start === undefined) throw new Error(`variable '${name}' was not made by the network builder`);
    assign(variable, startingValues(name, variable.shape, start, seed));
  }
}

export function assign(variable: tf.Variable, values: Float32Array): void {
  tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
}
