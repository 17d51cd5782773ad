import * as tf from '@tensorflow/tfjs-node-gpu';
import { buildNormalHead, buildSemanticHead } from '../../../src/model/heads/auxiliary';
import { gradientInputs } from '../../../src/model/heads/gradient';
import { NetworkBuilder } from '../../../src/model/layers';
import { DepthNetwork } from '../../../src/model/network';
import { collectVariables, startVariables } from '../../../src/model/variables';
import { lossTerms } from '../../../src/training/losses';
import { UNLABELLED } from '../../../src/media/labelImage';
import type { TrainingOutputs } from '../../../src/training/losses/loss';
import { normalsFromDepth } from '../../../src/training/losses/normals';
import { plainBatch } from '../../support/lossFixture';

const [height, width, classes] = [32, 48, 4];

/** A ground plane below the camera under a wall, and what there is to say of it. */
const depth = Float32Array.from({ length: height * width }, (_, i) => {
  const v = Math.floor(i / width);
  return Math.min(6, (1.2 * width) / Math.max(1e-6, v - height / 2 + 0.5));
});
const plain = plainBatch(1, height, width);
const normals = normalsFromDepth(tf.tensor4d(depth, [1, height, width, 1]), plain.intrinsics).dataSync<'float32'>();
const labels = Uint8Array.from(depth, (z, i) => (i % 7 === 0 ? UNLABELLED : z < 6 ? 2 : 1));
const batch = { ...plain, normals, labels };

test.each(['normal_truth', 'semantic_cross_entropy'])('a head learns %s from the features of the network', (name) => {
  const network = DepthNetwork.create({ encoder: 'lite0', height, width, seed: 1 });
  const builder = new NetworkBuilder();
  const channels = network.encoder.outputs.map((output) => output.shape[3]!);
  const head =
    name === 'normal_truth' ? buildNormalHead(builder, channels) : buildSemanticHead(builder, channels, classes);
  const variables = collectVariables([head]);
  startVariables(variables, builder, 1);
  const image = tf.tensor4d(
    Float32Array.from({ length: height * width * 3 }, (_, i) => (depth[Math.floor(i / 3)] < 6 ? 0.3 : 0.8)),
    [1, height, width, 3],
  );
  const features = network.encode(image);
  const [logDisparity, context] = network.depthHead.apply(features) as tf.Tensor4D[];
  const optimizer = tf.train.adam(5e-3);
  const errors: number[] = [];
  for (let step = 0; step < 60; step++) {
    const { value, grads } = tf.variableGrads(() => {
      const map = head.apply(gradientInputs(features, context)) as tf.Tensor4D;
      const own: Partial<TrainingOutputs> = name === 'normal_truth' ? { normals: map } : { semanticLogits: map };
      return lossTerms.get(name)!.compute({ logDisparity, fused: logDisparity, ...own }, batch).value;
    }, [...variables.values()]);
    errors.push(value.dataSync()[0]);
    if (step === 0) {
      const reached = [...variables.values()].filter((v) => tf.max(tf.abs(grads[v.name])).dataSync()[0] > 0);
      expect(reached).toHaveLength(variables.size);
      if (name === 'semantic_cross_entropy') expect(errors[0]).toBeCloseTo(Math.log(classes), 0);
    }
    optimizer.applyGradients(Object.entries(grads).map(([key, tensor]) => ({ name: key, tensor })));
    tf.dispose(grads);
  }
  expect(errors[59]).toBeLessThan(0.25 * errors[0]);
  network.dispose();
});
