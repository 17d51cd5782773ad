/**
 * Surface normal and semantic heads on the features of depthgrad's network. They are there to train those features (JRN, Jafari et al.
 * 2017; GeoNet, Qi et al. 2018) and are no part of the deployed network: an export leaves them out.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { z } from 'zod';
import { UNLABELLED } from '../../media/labelImage';
import { buildNormalHead, buildSemanticHead } from '../../model/heads/auxiliary';
import { gradientInputs } from '../../model/heads/gradient';
import { NetworkBuilder } from '../../model/layers';
import type { DepthNetwork } from '../../model/network';
import { collectVariables, startVariables } from '../../model/variables';
import type { TrainingBatch, TrainingOutputs } from '../losses/loss';

export const auxiliarySchema = z
  .strictObject({
    /** A surface normal head, for the loss normal_truth. */
    normals: z.boolean().default(false),
    /** Classes of a semantic head, for the loss semantic_cross_entropy; label images name them 0 .. semantic_classes - 1. */
    semantic_classes: z.int().min(2).max(UNLABELLED).optional(),
  })
  .prefault({});

export class AuxiliaryHeads {
  /** As `normals/..` and `semantic/..`. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  readonly #normals?: tf.LayersModel;
  readonly #semantic?: tf.LayersModel;

  constructor(network: DepthNetwork, settings: z.infer<typeof auxiliarySchema>, seed: number) {
    const builder = new NetworkBuilder();
    const channels = network.encoder.outputs.map(({ shape }) => shape[3]!);
    const { normals, semantic_classes: classes } = settings;
    if (normals) this.#normals = buildNormalHead(builder, channels);
    if (classes !== undefined) this.#semantic = buildSemanticHead(builder, channels, classes);
    this.variables = collectVariables(this.#models);
    startVariables(this.variables, builder, seed);
  }

  /**
   * Runs the heads that the batch has truth for: no loss looks at the others.
   *
   * @param features the encoder's maps  @param context the depth decoder's map at stride 8
   */
  apply(
    batch: TrainingBatch,
    features: tf.Tensor4D[],
    context: tf.Tensor4D,
  ): Pick<TrainingOutputs, 'normals' | 'semanticLogits'> {
    const run = (head: tf.LayersModel | undefined, truth: unknown): tf.Tensor4D | undefined =>
      head && truth !== undefined
        ? (head.apply(gradientInputs(features, context), { training: true }) as tf.Tensor4D)
        : undefined;
    return { normals: run(this.#normals, batch.normals), semanticLogits: run(this.#semantic, batch.labels) };
  }

  dispose(): void {
    for (const model of this.#models) model.dispose();
  }

  get #models(): tf.LayersModel[] {
    return [this.#normals, this.#semantic].filter((model) => model !== undefined);
  }
}
