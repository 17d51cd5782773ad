/**
 * A copy of a network's encoder as it started, which stays as it is: what a student's features keep to, so that learning depth does not
 * cost it the semantics of its start (Depth Anything, Yang et al. 2024, section 3.3).
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { encoderByName, encoderModel } from '../../model/encoders';
import { NetworkBuilder } from '../../model/layers';
import type { DepthNetwork } from '../../model/network';
import { assign, collectVariables } from '../../model/variables';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';

/** Index of the stride-16 map: cells about as large as the paper's patches of 14 pixels. */
const ALIGNED_FEATURES = 3;

export class FrozenEncoder {
  readonly #model: tf.LayersModel;

  constructor(network: DepthNetwork) {
    const whole = encoderModel(new NetworkBuilder(), encoderByName(network.config.encoder));
    this.#model = tf.model({ inputs: whole.inputs, outputs: whole.outputs[ALIGNED_FEATURES] });
    const weights = network.namedVariables(['encoder']);
    for (const [name, variable] of collectVariables([whole]))
      assign(variable, weights.get(name)!.dataSync<'float32'>());
  }

  /**
   * @param features the student's, of the images that it saw
   * @returns its map at stride 16, and this encoder's of the same images before they were perturbed: what was pasted into an image has the
   *   features that it had in its own
   */
  align(features: readonly tf.Tensor4D[], batch: TrainingBatch): Pick<TrainingOutputs, 'features' | 'frozenFeatures'> {
    const { size, height, width, target } = batch;
    const clean = this.#model.apply(tf.tensor4d(target, [size, height, width, 3])) as tf.Tensor4D;
    return { features: features[ALIGNED_FEATURES], frozenFeatures: withPasted(clean, batch) };
  }

  dispose(): void {
    this.#model.dispose();
  }
}

/** The maps [b,fh,fw,c], with the next sample's features in the cells whose middle CutMix pasted. */
function withPasted(maps: tf.Tensor4D, { size, height, width, teacher }: TrainingBatch): tf.Tensor4D {
  const pasted = teacher?.pasted;
  if (!pasted) return maps;
  const [, rows, columns, channels] = maps.shape;
  const cells = Uint8Array.from({ length: size * rows * columns }, (_, i) => {
    const u = Math.floor((((i % columns) + 0.5) * width) / columns);
    const v = Math.floor((((Math.floor(i / columns) % rows) + 0.5) * height) / rows);
    return pasted[(Math.floor(i / (rows * columns)) * height + v) * width + u];
  });
  const mask = tf.tile(tf.tensor4d(cells, [size, rows, columns, 1], 'bool'), [1, 1, 1, channels]);
  const next = tf.concat([tf.slice(maps, [1]), tf.slice(maps, [0], [1])]);
  return tf.where(mask, next, maps);
}
