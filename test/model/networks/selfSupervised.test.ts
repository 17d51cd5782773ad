import * as tf from '@tensorflow/tfjs-node-gpu';
import { DepthNetwork } from '../../../src/model/network';
import { SfmLearnerNetwork } from '../../../src/model/networks/sfmlearner';
import { TwoStreamNetwork } from '../../../src/model/networks/twoStream';
import { lossTerms } from '../../../src/training/losses';
import type { TrainingOutputs } from '../../../src/training/losses/loss';
import { plainBatch } from '../../support/lossFixture';

const [height, width] = [64, 96];

function image(seed: number): tf.Tensor4D {
  return tf.randomUniform([1, height, width, 3], 0, 1, 'float32', seed);
}

function untouched(variables: ReadonlyMap<string, tf.Variable>, grads: tf.NamedTensorMap): string[] {
  return [...variables].filter(([, v]) => !(tf.max(tf.abs(grads[v.name])).dataSync()[0] > 0)).map(([name]) => name);
}

describe('SfMLearner', () => {
  const network = new SfmLearnerNetwork({ seed: 1, widthFactor: 0.25 });

  test.each([
    [64, 96],
    [128, 416],
    [72, 40],
  ])('has four scales of disparity and mask, finest first, at %d x %d', (h, w) => {
    const frame = tf.zeros([2, h, w, 3]) as tf.Tensor4D;
    const { disparities, explainability, poseFromPrevious, poseToNext } = network.estimate(frame, frame, frame);
    expect(disparities.map((d) => d.shape)).toEqual([0, 1, 2, 3].map((s) => [2, h >> s, w >> s, 1]));
    expect(explainability.map((d) => d.shape)).toEqual([0, 1, 2, 3].map((s) => [2, h >> s, w >> s, 2]));
    expect([poseFromPrevious.shape, poseToNext.shape]).toEqual([
      [2, 6],
      [2, 6],
    ]);
  });

  test('starts with open range, half-open masks and almost no motion', () => {
    const { disparities, explainability, poseFromPrevious } = network.estimate(image(1), image(2), image(3));
    for (const d of disparities) {
      expect(tf.min(d).dataSync()[0]).toBeGreaterThan(3);
      expect(tf.max(d).dataSync()[0]).toBeLessThan(7);
    }
    for (const e of explainability) expect(tf.max(tf.abs(e)).dataSync()[0]).toBeLessThan(1);
    expect(tf.max(tf.abs(poseFromPrevious)).dataSync()[0]).toBeLessThan(0.01);
  });

  test('its own losses reach every variable', () => {
    const frames = [image(1), image(2), image(3)];
    const [target, previous, next] = frames.map((f) => f.dataSync<'float32'>());
    const batch = plainBatch(1, height, width, { target, previous, next });
    const variables = network.namedVariables();
    const { grads, value } = tf.variableGrads(() => {
      const own = network.estimate(frames[0], frames[1], frames[2]);
      const logDisparity = tf.log(own.disparities[0]) as tf.Tensor4D;
      const outputs: TrainingOutputs = { ...own, logDisparity, fused: logDisparity };
      const names = ['explained_photometric', 'mask_regulariser', 'second_order_smoothness'];
      return tf.addN(names.map((name) => lossTerms.get(name)!.compute(outputs, batch).value)) as tf.Scalar;
    }, [...variables.values()]);
    expect(Number.isFinite(value.dataSync()[0])).toBe(true);
    expect(untouched(variables, grads)).toEqual([]);
  });

  test('CH-001’s gradient decoder is beside it on the same encoder, and its own loss reaches it', () => {
    const multiTask = new SfmLearnerNetwork({ seed: 1, widthFactor: 0.25, gradientDecoder: true });
    const own = multiTask.namedVariables();
    const added = [...own].filter(([name]) => !network.namedVariables().has(name));
    expect(added.every(([name]) => name.startsWith('gradient/'))).toBe(true);
    const { grads } = tf.variableGrads(() => {
      const { disparities, gradient } = multiTask.estimateDepth(image(1));
      expect(gradient!.shape).toEqual([1, height, width, 2]);
      const logDisparity = tf.log(disparities[0]) as tf.Tensor4D;
      const outputs: TrainingOutputs = { logDisparity, fused: logDisparity, gradient };
      return lossTerms.get('ch001_gradient')!.compute(outputs, plainBatch(1, height, width)).value;
    }, [...own.values()]);
    const reached = [...own].filter(([name]) => /^(encoder|gradient)\//.test(name));
    expect(untouched(new Map(reached), grads)).toEqual([]);
    multiTask.dispose();
  });

  test('the paper’s size: a little over 30 million numbers in the disparity network', () => {
    const paper = new SfmLearnerNetwork({ seed: 1 });
    let count = 0;
    for (const [name, v] of paper.namedVariables()) if (/^(encoder|disparity)\//.test(name)) count += v.size;
    expect(count).toBeGreaterThan(30e6);
    expect(count).toBeLessThan(34e6);
    paper.dispose();
  });
});

describe('two streams', () => {
  const network = new TwoStreamNetwork({ encoder: 'lite0', seed: 1 });

  test('has depth, gradient and fused depth of the image’s size, the fused one near the depth stream’s at first', () => {
    const { logDisparity, gradient, fused } = network.estimate(image(1));
    expect([logDisparity.shape, gradient.shape, fused.shape]).toEqual([
      [1, height, width, 1],
      [1, height, width, 2],
      [1, height, width, 1],
    ]);
    expect(tf.max(tf.abs(tf.sub(fused, logDisparity))).dataSync()[0]).toBeLessThan(0.7);
  });

  test('shares nothing: the gradient’s loss trains the gradient stream alone, and a loss of the fused depth everything', () => {
    const streams = [...network.namedVariables()].filter(([name]) => !name.startsWith('pose/'));
    const variables = new Map(streams);
    const { grads } = tf.variableGrads(() => tf.sum(tf.square(network.estimate(image(2)).gradient)) as tf.Scalar);
    const named = [...variables].filter(([, v]) => v.name in grads && tf.max(tf.abs(grads[v.name])).dataSync()[0] > 0);
    expect(named.length).toBeGreaterThan(20);
    expect(named.every(([name]) => name.startsWith('gradient_stream/'))).toBe(true);
    const all = tf.variableGrads(
      () => tf.sum(tf.square(network.estimate(image(2)).fused)) as tf.Scalar,
      [...variables.values()],
    );
    expect(untouched(variables, all.grads)).toEqual([]);
  });

  test('has more parameters than depthgrad with the same encoder, its pose head left out', () => {
    const depthgrad = DepthNetwork.create({ encoder: 'lite0', height, width, seed: 1 });
    const count = (variables: Iterable<tf.Variable>): number => [...variables].reduce((sum, v) => sum + v.size, 0);
    const shared = count(depthgrad.trainableVariables(['encoder', 'depth', 'gradient']));
    const streams = [...network.namedVariables()].filter(([name]) => !name.startsWith('pose/'));
    expect(count(streams.map(([, v]) => v))).toBeGreaterThan(1.5 * shared);
    depthgrad.dispose();
  });
});
