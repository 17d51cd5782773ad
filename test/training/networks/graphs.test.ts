/** The exported graph of every network a recipe can name: onnxruntime against tfjs, cut in two, through onnx's own checker. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { onnx } from 'onnx-proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { alignmentLevels, alignPose, blockMeans } from '../../../src/geometry/alignment';
import { forwardDifferences } from '../../../src/geometry/poisson';
import { InferenceWorker } from '../../../src/inference/inferenceWorker';
import { splitModel } from '../../../src/inference/splitModel';
import { confidence } from '../../../src/model/confidence';
import { TwoStreamNetwork } from '../../../src/model/networks/twoStream';
import { buildOnnx } from '../../../src/model/onnx/exportOnnx';
import { loadNetworkFromOnnx } from '../../../src/model/onnx/loadOnnx';
import { uniformGenerator } from '../../../src/model/start';
import { assign } from '../../../src/model/variables';
import { createNetwork, networkSchema } from '../../../src/training/networks';
import type { TrainedNetwork } from '../../../src/training/networks/trainedNetwork';

const [height, width] = [64, 96];
const pixels = height * width;
const intrinsics = { fx: 101.5, fy: 102.25, cx: 47.75, cy: 31.5 };
const [channels, blocks] = [3, 16];

/** By the name of the test; gains of the last layers that make a depth which varies, and not a hundredfold from pixel to pixel. */
const networks: Record<string, { settings: object; headGain: number }> = {
  depthgrad: { settings: { encoder: 'resnet18', pretrained: false }, headGain: 4 },
  two_stream: { settings: { kind: 'two_stream', encoder: 'dispnet', pretrained: false }, headGain: 4 },
  sfmlearner: { settings: { kind: 'sfmlearner', width_factor: 0.25 }, headGain: 1 },
  'sfmlearner with CH-001’s decoder': {
    settings: { kind: 'sfmlearner', width_factor: 0.25, gradient_decoder: true },
    headGain: 1,
  },
  'sfmlearner with a decoder of log-disparity’s gradient': {
    settings: { kind: 'sfmlearner', width_factor: 0.25, gradient_decoder: true, gradient_of: 'log_disparity' },
    headGain: 1,
  },
  eigen_coarse: { settings: { kind: 'eigen_coarse', width_factor: 0.25 }, headGain: 4 },
  pure_cnn: { settings: { kind: 'pure_cnn', width_factor: 0.25 }, headGain: 4 },
  cnn_transpose: { settings: { kind: 'cnn_transpose', width_factor: 0.25 }, headGain: 4 },
  monodepth: {
    settings: { kind: 'monodepth', encoder: 'resnet18', pretrained: false, decoder_factor: 0.25 },
    headGain: 4,
  },
  'cnn_residual, zeros': {
    settings: { kind: 'cnn_residual', encoder: 'resnet50', decoder_channels: 64 },
    headGain: 4,
  },
  'cnn_residual, average': {
    settings: { kind: 'cnn_residual', encoder: 'lite0', unpooling: 'average', decoder_channels: 32 },
    headGain: 4,
  },
};

/** A network whose every weight and running statistic differs from its start. */
function livelyNetwork(name: string): { network: TrainedNetwork; bytes: Uint8Array } {
  const { settings, headGain } = networks[name];
  const parsed = networkSchema.parse({ ...settings, height, width });
  const network = createNetwork(parsed, { seed: 11 });
  const uniform = uniformGenerator(7);
  for (const [variable, weights] of [...network.namedVariables(), ...network.namedStatistics()]) {
    const isLast = /(head\d*(_[xy])?|fc2|conv8|transpose8)\/kernel$/.test(variable);
    const gain = isLast ? headGain : 1;
    const shift = /\/(bias|beta|moving_mean)$/.test(variable) ? 0.2 : 0;
    const values = weights.dataSync<'float32'>().slice();
    assign(
      weights,
      values.map((value) => value * gain * (1 + 0.3 * uniform()) + shift * (uniform() - 0.5)),
    );
  }
  const encoder = 'encoder' in parsed ? parsed.encoder : undefined;
  const kind = parsed.kind === 'depthgrad' ? undefined : parsed.kind;
  const bytes = buildOnnx(network.graph!, { name, version: '1', network: kind, encoder, height, width, intrinsics });
  return { network, bytes };
}

/** Waves whose size goes with the picture's, moved to the left: the alignment of two such pictures has one answer. */
function waves(moved: number): Uint8Array {
  return Uint8Array.from({ length: 3 * pixels }, (_, i) => {
    const [v, u] = [Math.floor(i / 3 / width) / height, ((Math.floor(i / 3) % width) + moved) / width];
    return 125 + 45 * Math.sin(17 * u + 5 * v) + 35 * Math.sin(13 * v - 6 * u) + 25 * Math.sin(21 * u * v + (i % 3));
  });
}

const [previous, current] = [waves(1.5), waves(0)];
const rgb = (image: Uint8Array): tf.Tensor4D =>
  tf.tensor4d(
    Float32Array.from(image, (level) => level / 255),
    [1, height, width, channels],
  );

type Maps = Record<'depth' | 'log_disparity_gradient' | 'confidence' | 'ego_motion', Float32Array>;

/** What the graph must answer to `current` after `previous`, by the training's own forward pass and geometry/alignment.ts. */
function expected(name: string, network: TrainedNetwork): Maps {
  return tf.tidy(() => {
    const { fused, logDisparity, gradient } = network.estimate(rgb(current));
    const u = fused.dataSync<'float32'>();
    const ofDepth = name.endsWith('CH-001’s decoder');
    const own = ofDepth ? tf.mul(gradient!, tf.div(tf.exp(fused), -2)) : gradient;
    const grey = (image: Uint8Array): Float32Array =>
      blockMeans(Float32Array.from(image), height, width, channels, 2).map((level) => level / 255);
    const half = { height: height / 2, width: width / 2, logDisparity: blockMeans(u, height, width, 1, 2) };
    const { graph } = network;
    const proposed =
      graph instanceof TwoStreamNetwork
        ? graph.estimatePose(graph.encodeForPose(rgb(previous)), graph.encodeForPose(rgb(current))).dataSync()
        : undefined;
    const fine = { ...half, target: grey(current), source: grey(previous) };
    const levels = alignmentLevels(fine, intrinsics, proposed === undefined);
    return {
      depth: u.map((value) => Math.exp(-value)),
      log_disparity_gradient: own?.dataSync<'float32'>() ?? forwardDifferences(u, height, width),
      confidence: own
        ? confidence(logDisparity, own as tf.Tensor4D).dataSync<'float32'>()
        : new Float32Array(pixels).fill(1),
      ego_motion: Float32Array.from(alignPose(proposed ?? new Float64Array(6), levels)),
    };
  });
}

/** Largest error against the reference's size: a motion's six numbers are one vector, a map's numbers have their mean. */
function worstError(actual: Float32Array, reference: Float32Array, vector: boolean): number {
  const sizes = reference.map(Math.abs);
  const floor = vector ? Math.max(...sizes) : sizes.reduce((sum, value) => sum + value, 0) / sizes.length;
  return reference.reduce(
    (worst, value, i) => Math.max(worst, Math.abs(actual[i] - value) / Math.max(Math.abs(value), floor)),
    0,
  );
}

function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) / Math.abs(mean);
}

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-graphs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const open = (bytes: Uint8Array): Promise<InferenceSession> => InferenceSession.create(bytes, { intraOpNumThreads: 1 });
const frame = (image: Uint8Array): Tensor => new Tensor('uint8', image, [1, height, width, channels]);

test.each(Object.keys(networks).filter((name) => name !== 'depthgrad'))(
  '%s: onnxruntime agrees with tfjs to 1e-4, whole and in two halves',
  async (name) => {
    const { network, bytes } = livelyNetwork(name);
    const reference = expected(name, network);
    expect(deviation(reference.depth)).toBeGreaterThan(0.02);
    expect(Math.hypot(...reference.ego_motion)).toBeGreaterThan(1e-3);
    const whole = await open(bytes);
    const input = whole.inputMetadata.find((metadata) => metadata.name === 'previous_features');
    const shape = (input?.isTensor ? input.shape : []) as number[];
    const before = new Tensor('float32', new Float32Array(shape.reduce((product, side) => product * side, 1)), shape);
    const { features } = await whole.run({ image: frame(previous), previous_features: before });
    const inputs = { image: frame(current), previous_features: features };
    const answers = await whole.run(inputs);
    for (const key of Object.keys(reference) as (keyof Maps)[]) {
      const error = worstError(answers[key].data as Float32Array, reference[key], key === 'ego_motion');
      if (!(error < 1e-4)) throw new Error(`${key} differs by ${error} of its size`);
    }

    const parts = splitModel(onnx.ModelProto.decode(bytes))!;
    const [depthPart, motionPart] = [await open(parts.depth), await open(parts.motion)];
    const maps = await depthPart.run(inputs);
    const motion = await motionPart.run({ depth: maps.depth, features: maps.features, previous_features: features });
    for (const [key, { data }] of Object.entries({ ...maps, ...motion })) {
      const error = worstError(data as Float32Array, answers[key].data as Float32Array, key === 'ego_motion');
      expect([key, error < 1e-6]).toEqual([key, true]);
    }
    network.dispose();
  },
  120_000,
);

test('what a network without a gradient and a pose head hands on is the grey image and the intrinsics', async () => {
  const { network, bytes } = livelyNetwork('pure_cnn');
  const session = await open(bytes);
  const shape = [1, height / 8, width / 8, blocks + 4];
  const before = new Tensor('float32', new Float32Array(shape[1] * shape[2] * shape[3]), shape);
  (before.data as Float32Array).set([60, 61, 40, 30], blocks);
  const { features } = await session.run({ image: frame(current), previous_features: before });
  expect(features.dims).toEqual(shape);
  const cell = (features.data as Float32Array).subarray(0, blocks + 4);
  expect([...cell.subarray(blocks)]).toEqual([60, 61, 40, 30]);
  const grey = blockMeans(Float32Array.from(current), height, width, channels, 2);
  const block = Array.from({ length: blocks }, (_, i) => grey[Math.floor(i / 4) * (width / 2) + (i % 4)] / 255);
  block.forEach((level, i) => expect(cell[i]).toBeCloseTo(level, 5));
  network.dispose();
});

test('an inference worker runs it in two halves, and it cannot be read back as depthgrad’s own', async () => {
  const name = 'eigen_coarse';
  const { network, bytes } = livelyNetwork(name);
  const modelPath = join(folder, 'eigen.onnx');
  writeFileSync(modelPath, bytes);
  expect(() => loadNetworkFromOnnx(modelPath)).toThrow(/eigen\.onnx .*holds a network 'eigen_coarse'/);
  const worker = await InferenceWorker.start({ modelPath, threads: 1 });
  try {
    const { fx, fy, cx, cy } = intrinsics;
    const ask = (image: Uint8Array) =>
      worker.infer({ image: image.slice(), forgetPrevious: false, wantsMotion: true, intrinsics: [fx, fy, cx, cy] });
    const first = await ask(previous);
    expect(await first.egoMotion).toBeUndefined();
    const { maps, egoMotion } = await ask(current);
    const reference = expected(name, network);
    expect(worstError(maps.depth, reference.depth, false)).toBeLessThan(1e-4);
    expect(worstError(maps.gradient, reference.log_disparity_gradient, false)).toBeLessThan(1e-4);
    expect(new Set(maps.confidence)).toEqual(new Set([1]));
    const motion = await egoMotion;
    expect(worstError(motion!.vector, reference.ego_motion, true)).toBeLessThan(1e-4);
    expect(motion!.runMilliseconds).toBeGreaterThan(0);
  } finally {
    await worker.close();
  }
  network.dispose();
});

const python = process.env.DEPTHGRAD_ONNX_PYTHON ?? process.env.DEPTHGRAD_PYTHON ?? 'python3';
const hasChecker = spawnSync(python, ['-c', 'import onnx']).status === 0;
if (!hasChecker)
  console.log(`not checked by onnx.checker: ${python} has no package onnx (DEPTHGRAD_ONNX_PYTHON names one)`);

(hasChecker ? test : test.skip)(
  'onnx’s checker passes every graph, types and shapes included',
  () => {
    const paths = Object.keys(networks).map((name, i) => {
      const { network, bytes } = livelyNetwork(name);
      network.dispose();
      const path = join(folder, `${i}.onnx`);
      writeFileSync(path, bytes);
      return path;
    });
    const check = 'import sys, onnx\nfor path in sys.argv[1:]: onnx.checker.check_model(path, full_check=True)';
    expect(spawnSync(python, ['-c', check, ...paths], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  },
  120_000,
);
