import * as tf from '@tensorflow/tfjs-node-gpu';
import { largestDisparity, MonodepthNetwork } from '../../../src/model/networks/monodepth';

const images = tf.randomUniform([2, 32, 64, 3], 0, 1, 'float32', 5) as tf.Tensor4D;

test.each(['lite0', 'dispnet', 'resnet18'] as const)(
  '%s: disparities of both images at four scales, gradients everywhere',
  (encoder) => {
    const network = new MonodepthNetwork({ encoder, seed: 1, decoderFactor: 0.25 });
    const maps = network.estimate(images);
    expect(maps.map(({ shape }) => shape)).toEqual([0, 1, 2, 3].map((s) => [2, 32 >> s, 64 >> s, 2]));
    for (const map of maps) {
      expect(tf.min(map).dataSync()[0]).toBeGreaterThan(0);
      expect(tf.max(map).dataSync()[0]).toBeLessThan(largestDisparity);
      expect(tf.mean(map).dataSync()[0]).toBeGreaterThan(0.02);
      expect(tf.mean(map).dataSync()[0]).toBeLessThan(0.08);
    }
    const variables = [...network.namedVariables()];
    const { grads } = tf.variableGrads(
      () => tf.addN(network.estimate(images).map((map, s) => tf.mul(tf.sum(map), s + 1))) as tf.Scalar,
      variables.map(([, variable]) => variable),
    );
    const still = variables.filter(([, { name }]) => !(tf.max(tf.abs(grads[name])).dataSync()[0] > 0));
    expect(still.map(([name]) => name)).toEqual([]);
    network.dispose();
  },
);
