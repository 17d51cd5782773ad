import * as tf from '@tensorflow/tfjs-node-gpu';
import { ConvolutionalNetwork } from '../../../src/model/networks/convolutional';
import type { DepthEstimator } from '../../../src/model/networks/estimator';
import { ResidualNetwork } from '../../../src/model/networks/residual';
import { Random } from '../../../src/training/random';

const height = 32;
const width = 64;
const make: Record<string, () => DepthEstimator> = {
  eigen_coarse: () => new ConvolutionalNetwork({ kind: 'eigen_coarse', height, width, seed: 1, widthFactor: 0.25 }),
  pure_cnn: () => new ConvolutionalNetwork({ kind: 'pure_cnn', height, width, seed: 1, widthFactor: 0.25 }),
  cnn_transpose: () => new ConvolutionalNetwork({ kind: 'cnn_transpose', height, width, seed: 1, widthFactor: 0.25 }),
  'cnn_residual, zeros': () =>
    new ResidualNetwork({ encoder: 'lite0', unpooling: 'zeros', seed: 1, decoderChannels: 32 }),
  'cnn_residual, average': () =>
    new ResidualNetwork({ encoder: 'dispnet', unpooling: 'average', seed: 1, decoderChannels: 32 }),
};
const images = tf.randomUniform([2, height, width, 3], 0, 1, 'float32', 5) as tf.Tensor4D;
/** Two walls of different depth, left and right. */
const truth = tf.concat(
  [tf.fill([2, height, width / 2, 1], -Math.log(2)), tf.fill([2, height, width / 2, 1], -Math.log(6))],
  2,
) as tf.Tensor4D;

describe.each(Object.keys(make))('%s', (name) => {
  const network = make[name]();
  const variables = [...network.namedVariables().values()];
  afterAll(() => network.dispose());

  test('starts near 3 m at the image’s size', () => {
    const depth = tf.exp(tf.neg(network.estimate(images)));
    expect(depth.shape).toEqual([2, height, width, 1]);
    expect(tf.min(depth).dataSync()[0]).toBeGreaterThan(1);
    expect(tf.max(depth).dataSync()[0]).toBeLessThan(9);
  });

  test('gradients reach every trained variable, and a few steps lower the error', () => {
    const random = new Random(1);
    const optimizer = tf.train.adam(2e-3);
    const errors: number[] = [];
    for (let step = 0; step < 25; step++) {
      const { value, grads } = tf.variableGrads(
        () => tf.mean(tf.abs(tf.sub(network.estimate(images, random), truth))) as tf.Scalar,
        variables,
      );
      errors.push(value.dataSync()[0]);
      if (step === 0) {
        const still = variables.filter((v) => !(tf.max(tf.abs(grads[v.name])).dataSync()[0] > 0));
        // A convolution's bias before batch normalisation is taken out again by it.
        const names = [...network.namedVariables()].filter(([, v]) => still.includes(v)).map(([n]) => n);
        expect(names.filter((n) => !n.endsWith('conv/bias'))).toEqual([]);
      }
      optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
      tf.dispose(grads);
    }
    expect(Math.min(...errors.slice(-3))).toBeLessThan(0.8 * errors[0]);
  });
});

test('dropout is drawn from the generator handed in, and not used outside training', () => {
  const network = make.eigen_coarse();
  const run = (seed?: number): Float32Array =>
    network.estimate(images, seed === undefined ? undefined : new Random(seed)).dataSync<'float32'>();
  expect(run(3)).toEqual(run(3));
  expect(run(3)).not.toEqual(run(4));
  const before = run();
  expect(run()).toEqual(before);
  expect([...network.namedStatistics().keys()]).toContain('conv1/norm/moving_mean');
});

test('the report’s sizes: convolutions hold thousands, fully connected layers millions of weights', () => {
  const network = new ConvolutionalNetwork({ kind: 'eigen_coarse', height: 224, width: 288, seed: 1 });
  const sizes = { conv: 0, fc: 0 };
  for (const [name, variable] of network.namedVariables())
    sizes[name.startsWith('fc') ? 'fc' : 'conv'] += variable.size;
  expect(sizes.conv).toBeGreaterThan(20e3);
  expect(sizes.conv).toBeLessThan(30e3);
  expect(sizes.fc).toBeGreaterThan(4e6);
  network.dispose();
});

test('a size that does not divide is an error', () => {
  expect(() => new ConvolutionalNetwork({ kind: 'pure_cnn', height: 30, width: 64, seed: 1 })).toThrow(/height.*32/);
});
