import * as tf from '@tensorflow/tfjs-node-gpu';
import { encoders, type EncoderName } from '../../src/model/encoders/index';
import { DepthNetwork, poseFeatureIndex, variableGroups } from '../../src/model/network';

const names = Object.keys(encoders) as EncoderName[];

function allOutputs(network: DepthNetwork, images: tf.Tensor4D): tf.Tensor[] {
  const features = network.encode(images);
  const stride8 = features[poseFeatureIndex];
  const { logDisparity, gradient } = network.decode(features);
  return [logDisparity, gradient, network.estimatePose(stride8.reverse(0), stride8)];
}

describe.each(names)('network with encoder %s', (encoder) => {
  const network = DepthNetwork.create({ encoder, height: 64, width: 96, seed: 3 });
  const images = tf.randomUniform([2, 64, 96, 3], 0, 1, 'float32', 5) as tf.Tensor4D;

  afterAll(() => network.dispose());

  test('has the contracted shapes at its own and at another size', () => {
    for (const [height, width] of [
      [64, 96],
      [72, 160],
    ]) {
      tf.tidy(() => {
        const features = network.encode(tf.ones([2, height, width, 3]));
        const expected = encoders[encoder].channels.map((c, i) => [
          2,
          Math.ceil(height / (2 << i)),
          Math.ceil(width / (2 << i)),
          c,
        ]);
        expect(features.map((map) => map.shape)).toEqual(expected);
        const { logDisparity, gradient } = network.decode(features);
        expect(logDisparity.shape).toEqual([2, height, width, 1]);
        expect(gradient.shape).toEqual([2, height, width, 2]);
        expect(network.estimatePose(features[2], features[2]).shape).toEqual([2, 6]);
      });
    }
  });

  test('starts near 10 m, flat and standing still, with features of ordinary size', () => {
    tf.tidy(() => {
      const [u, gradient, pose] = allOutputs(network, images);
      const depth = u.neg().exp();
      expect(depth.min().dataSync()[0]).toBeGreaterThan(5);
      expect(depth.max().dataSync()[0]).toBeLessThan(20);
      expect(gradient.abs().max().dataSync()[0]).toBeLessThan(0.1);
      expect(pose.abs().max().dataSync()[0]).toBeLessThan(0.1);
      for (const map of network.encode(images)) {
        const deviation = tf.moments(map).variance.sqrt().dataSync()[0];
        expect(deviation).toBeGreaterThan(0.05);
        expect(deviation).toBeLessThan(5);
      }
    });
  });

  test('gradients reach every variable', () => {
    const variables = network.trainableVariables();
    const { grads } = tf.variableGrads(
      () => tf.addN(allOutputs(network, images).map((output) => output.sub(0.5).square().mean())) as tf.Scalar,
      variables,
    );
    const names = [...network.namedVariables().keys()];
    variables.forEach((variable, i) => {
      const size = grads[variable.name].abs().max().dataSync()[0];
      if (!(size > 0)) throw new Error(`no gradient reaches ${names[i]}: ${size}`);
      grads[variable.name].dispose();
    });
    expect(Object.keys(grads)).toHaveLength(names.length);
  });

  test('weights move to another network by name', () => {
    const other = DepthNetwork.create({ encoder, height: 64, width: 96, seed: 4 });
    tf.tidy(() => {
      const before = allOutputs(other, images)[0];
      other.setWeights(network.getWeights());
      const expected = allOutputs(network, images);
      const actual = allOutputs(other, images);
      expect(before.sub(expected[0]).abs().max().dataSync()[0]).toBeGreaterThan(1e-4);
      actual.forEach((output, i) => expect(output.sub(expected[i]).abs().max().dataSync()[0]).toBe(0));
    });
    other.dispose();
  });
});

test('one seed always gives the same weights, and every group has its own variables', () => {
  const config = { encoder: 'lite0', height: 32, width: 32, seed: 9 } as const;
  const [a, b] = [DepthNetwork.create(config), DepthNetwork.create(config)];
  const expected = b.getWeights();
  for (const [name, values] of a.getWeights()) {
    if (!Buffer.from(values.buffer).equals(Buffer.from(expected.get(name)!.buffer))) throw new Error(`${name} differs`);
  }
  const counts = variableGroups.map((group) => a.trainableVariables([group]).length);
  expect(Math.min(...counts)).toBeGreaterThan(0);
  expect(counts.reduce((sum, n) => sum + n)).toBe(a.trainableVariables().length);
  a.dispose();
  b.dispose();
});

test('bad sizes, encoders and weights are named', () => {
  expect(() => DepthNetwork.create({ encoder: 'lite0', height: 100, width: 96, seed: 1 })).toThrow(/height.*8.*100/);
  expect(() => DepthNetwork.create({ encoder: 'vgg' as EncoderName, height: 64, width: 96, seed: 1 })).toThrow(
    /unknown encoder 'vgg'; known are lite0/,
  );
  const network = DepthNetwork.create({ encoder: 'lite0', height: 32, width: 32, seed: 1 });
  expect(() => network.setWeights(new Map([['pose/head/kernel', new Float32Array(3)]]))).toThrow(
    /pose\/head\/kernel.*3/,
  );
  expect(() => network.setWeights(new Map([['nose/kernel', new Float32Array(3)]]))).toThrow(/nose\/kernel/);
  network.dispose();
});
