import * as tf from '@tensorflow/tfjs-node-gpu';
import { displacements, MatchFlow, matchReach, matchSharpness, normEpsilon } from '../../src/model/matchFlow';
import { expectGradients, noiseTensor } from '../support/gradientCheck';

const [size, height, width, channels] = [2, 4, 5, 3];
const layer = new MatchFlow('match');
const previous = noiseTensor(1, [size, height, width, channels], -1, 1) as tf.Tensor4D;
const current = noiseTensor(2, [size, height, width, channels], -1, 1) as tf.Tensor4D;
const match = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => layer.apply([a, b]) as tf.Tensor;

test('the expected displacement and the best similarity are those of sums over all displacements', () => {
  const [a, b] = [previous.arraySync(), current.arraySync()];
  const normalised = (x: number[]): number[] => {
    const rms = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / channels + normEpsilon);
    return x.map((v) => v / rms);
  };
  const answer = match(previous, current).arraySync() as number[][][][];
  for (let s = 0; s < size; s++)
    for (let v = 0; v < height; v++)
      for (let u = 0; u < width; u++) {
        const now = normalised(b[s][v][u]);
        const similarities = displacements().map(([column, row]) => {
          const before = a[s][v + row]?.[u + column];
          return before ? normalised(before).reduce((sum, x, c) => sum + x * now[c], 0) / channels : 0;
        });
        const weights = similarities.map((x) => Math.exp(matchSharpness * x));
        const total = weights.reduce((sum, w) => sum + w);
        const mean = (axis: 0 | 1): number =>
          displacements().reduce((sum, d, i) => sum + (d[axis] * weights[i]) / total, 0);
        [mean(0), mean(1), Math.max(...similarities)].forEach((x, c) => expect(answer[s][v][u][c]).toBeCloseTo(x, 4));
      }
  expect(displacements()).toHaveLength((2 * matchReach.columns + 1) * (2 * matchReach.rows + 1));
});

test('its gradient agrees with finite differences', () => {
  const flow = (a: tf.Tensor, b: tf.Tensor): tf.Scalar =>
    tf.mean(tf.square(tf.slice(match(a, b), [0, 0, 0, 0], [size, height, width, 2]))) as tf.Scalar;
  expectGradients(flow, [previous, current], { step: 2e-3 });
});
