import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { convolve as convolveWithBias, type Activation } from '../../src/model/kernels/convolution';
import '../../src/model/kernels/rectifiers';
import { expectGradients, noiseTensor } from '../support/gradientCheck';

const squares = (x: tf.Tensor): tf.Scalar => tf.mean(tf.square(x)) as tf.Scalar;

test.each([
  ['relu', [0, 0, 0, 4, 5, -6]],
  ['relu6', [0, 0, 0, 4, 5, -0]],
] as const)("%s' gradient passes what lies between its ends and nothing at or beyond them", (name, expected) => {
  const x = tf.tensor([-2, -0, 0, 1e-6, 3, 7]);
  const dy = tf.tensor([1, 2, 3, 4, 5, -6]);
  expect([
    ...tf
      .grad((y) => tf[name](y))(x, dy)
      .dataSync(),
  ]).toEqual(expected);
});

/** By sums over taps, with TensorFlow's padding 'same'. */
function convolveByHand(x: tf.Tensor, kernel: tf.Tensor, stride: number, depthwise: boolean): number[] {
  const [size, height, width, channels] = x.shape;
  const [kh, kw, , last] = kernel.shape;
  const [outHeight, outWidth] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const before = (n: number, k: number, out: number): number => Math.max(0, (out - 1) * stride + k - n) >> 1;
  const [top, left] = [before(height, kh, outHeight), before(width, kw, outWidth)];
  const [values, taps] = [x.arraySync() as number[][][][], kernel.arraySync() as number[][][][]];
  const out: number[] = [];
  for (let b = 0; b < size; b++)
    for (let v = 0; v < outHeight; v++)
      for (let u = 0; u < outWidth; u++)
        for (let o = 0; o < (depthwise ? channels : last); o++) {
          let sum = 0;
          for (let i = 0; i < kh; i++)
            for (let j = 0; j < kw; j++)
              for (let c = 0; c < channels; c++) {
                if (depthwise && c !== o) continue;
                const value = values[b][v * stride + i - top]?.[u * stride + j - left]?.[c] ?? 0;
                sum += value * taps[i][j][c][depthwise ? 0 : o];
              }
          out.push(sum);
        }
  return out;
}

test.each([
  ['1x1', 1, 1, false],
  ['1x1 of stride 2', 1, 2, false],
  ['3x3', 3, 1, false],
  ['depthwise 3x3', 3, 1, true],
  ['depthwise 5x5 of stride 2', 5, 2, true],
])(
  'a convolution, %s, is the sum over its taps, and its gradients agree with finite differences',
  (_, side, stride, depthwise) => {
    const x = noiseTensor(3, [2, 5, 6, 4], -1, 1) as tf.Tensor4D;
    const kernel = noiseTensor(4, [side, side, 4, depthwise ? 1 : 3], -1, 1) as tf.Tensor4D;
    const convolve = depthwise ? tf.depthwiseConv2d : tf.conv2d;
    const made = convolve(x, kernel, stride, 'same').dataSync();
    const expected = convolveByHand(x, kernel, stride, depthwise);
    expect(made).toHaveLength(expected.length);
    expected.forEach((value, i) => expect(made[i]).toBeCloseTo(value, 4));
    expectGradients((a, k) => squares(convolve(a as tf.Tensor4D, k as tf.Tensor4D, stride, 'same')), [x, kernel]);
  },
);

test.each<[string, number, 1 | 2, boolean, Activation]>([
  ['1x1', 1, 1, false, 'relu6'],
  ['1x1 of stride 2', 1, 2, false, 'linear'],
  ['3x3', 3, 1, false, 'relu'],
  ['3x3 of stride 2', 3, 2, false, 'relu6'],
  ['depthwise 3x3', 3, 1, true, 'relu6'],
  ['depthwise 5x5 of stride 2', 5, 2, true, 'linear'],
])('with bias and activation as one kernel, %s, it is the same', (_, side, stride, depthwise, activation) => {
  const x = noiseTensor(5, [2, 5, 6, 4], -3, 3) as tf.Tensor4D;
  const kernel = noiseTensor(6, [side, side, 4, depthwise ? 1 : 3], -1, 1) as tf.Tensor4D;
  const bias = noiseTensor(7, [depthwise ? 4 : 3], -1, 1) as tf.Tensor1D;
  const how = { stride, activation, depthwise };
  const made = convolveWithBias(x, kernel, bias, how);
  const expected = convolveByHand(x, kernel, stride, depthwise).map((sum, i) => {
    const z = sum + bias.dataSync()[i % bias.size];
    return activation === 'linear' ? z : Math.min(activation === 'relu6' ? 6 : Infinity, Math.max(0, z));
  });
  expect(made.size).toBe(expected.length);
  made.dataSync().forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
  expectGradients(
    (a, k, b) => squares(convolveWithBias(a as tf.Tensor4D, k as tf.Tensor4D, b as tf.Tensor1D, how)),
    [x, kernel, bias],
    { step: 1e-3 },
  );
});

test('products of matrices leave no tensor behind, in tfjs or in TensorFlow', () => {
  const [x, kernel] = [tf.zeros([1, 4, 4, 8]), tf.zeros([1, 1, 8, 8])] as [tf.Tensor4D, tf.Tensor4D];
  const { binding } = tf.backend() as unknown as { binding: { getNumOfTensors(): number } };
  const convolve = (a: tf.Tensor, k: tf.Tensor): tf.Scalar =>
    squares(tf.conv2d(a as tf.Tensor4D, k as tf.Tensor4D, 1, 'same'));
  const held = [0, 1, 2].map(() => {
    tf.dispose(tf.grads(convolve)([x, kernel]));
    return [tf.memory().numTensors, binding.getNumOfTensors()];
  });
  expect(held[2]).toEqual(held[0]); // the first leaves the shapes it keeps
});

/** Forward and backward through 1x1 convolutions of EfficientNet-Lite0 for two seconds. */
const program = `
  const tf = require('@tensorflow/tfjs-node-gpu');
  const { convolve } = require('./dist/src/model/kernels/convolution');
  const how = { stride: 1, activation: 'relu6', depthwise: false };
  const layers = [[3, 32, 104, 16, 96], [3, 16, 52, 144, 24], [3, 8, 26, 40, 240], [3, 4, 13, 480, 80], [3, 2, 7, 192, 1152]];
  for (const end = Date.now() + 2000; Date.now() < end; )
    for (const [b, h, w, i, o] of layers)
      tf.tidy(() => tf.grads((x, k, c) => tf.mean(convolve(x, k, c, how)))([tf.ones([b, h, w, i]), tf.ones([1, 1, i, o]), tf.ones([o])]));
`;

test('a signal in the middle of a kernel does no harm, as one does in TensorFlow’s MatMul', () => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-signals-'));
  // V8's profiler samples by signals. With oneDNN switched off (TF_ENABLE_ONEDNN_OPTS=0) this fails, see docs/decisions.md.
  const sampled = ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', folder];
  const { status, stderr } = spawnSync(process.execPath, [...sampled, '-e', program], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(stderr).not.toMatch(/corrupted|Error/);
  expect(status).toBe(0);
});
