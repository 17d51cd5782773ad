import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { onnx } from 'onnx-proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encoders, type EncoderName } from '../../src/model/encoders/index';
import { DepthNetwork } from '../../src/model/network';
import { buildOnnx, exportOnnx } from '../../src/model/onnx/exportOnnx';
import { loadModelFromOnnx, loadNetworkFromOnnx } from '../../src/model/onnx/loadOnnx';
import type { ModelDescription } from '../../src/model/onnx/metadata';
import { uniformGenerator } from '../../src/model/start';
import { inferReference, type InferenceOutputs, type RgbImage } from '../support/reference';

const description: Omit<ModelDescription, 'height' | 'width'> = {
  name: 'test',
  version: '1.2.3',
  intrinsics: { fx: 101.5, fy: 102.25, cx: 47.75, cy: 31.5 },
  parentSha256: 'ab'.repeat(32),
};
const graphNames: Record<keyof InferenceOutputs, string> = {
  depth: 'depth',
  logDisparityGradient: 'log_disparity_gradient',
  confidence: 'confidence',
  egoMotion: 'ego_motion',
  features: 'features',
};

/** A network whose every output varies: large last layers and biases that are not zero. */
function livelyNetwork(encoder: EncoderName, height: number, width: number): DepthNetwork {
  const network = DepthNetwork.create({ encoder, height, width, seed: 11, fusionLambda: 0.3 });
  const uniform = uniformGenerator(7);
  const weights = network.getWeights();
  for (const [name, values] of weights) {
    if (name.endsWith('/bias')) values.forEach((value, i) => (values[i] = value + 0.2 * (uniform() - 0.5)));
    // Not so lively a depth that neighbours differ by a hundredfold: aligning on such a map has no stable answer.
    const factor = name.startsWith('pose/') ? 20 : 4;
    if (/\/head(_[xy])?\/kernel$/.test(name)) values.forEach((value, i) => (values[i] = value * factor));
    // Phases of a depth-to-space output start equal, which would hide a wrong order.
    if (name.includes('/head')) values.forEach((value, i) => (values[i] = value * (1 + 0.5 * uniform())));
  }
  network.setWeights(weights);
  return network;
}

/** Waves whose size goes with the picture's, and a little noise: the alignment of two such pictures has one answer. */
function picture(height: number, width: number, seed: number): RgbImage {
  const uniform = uniformGenerator(seed);
  const data = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const [v, u] = [Math.floor(i / 3 / width) / height, (Math.floor(i / 3) % width) / width];
    const waves =
      45 * Math.sin(17 * u + 5 * v + seed) + 35 * Math.sin(13 * v - 6 * u) + 25 * Math.sin(21 * u * v + (i % 3));
    return 125 + waves + 6 * uniform();
  });
  return { data, height, width };
}

async function expectSame(network: DepthNetwork, image: RgbImage): Promise<void> {
  const session = await InferenceSession.create(buildOnnx(network, { ...description, ...network.config }), {
    intraOpNumThreads: 1,
  });
  const input = session.inputMetadata.find(({ name }) => name === 'previous_features');
  if (!input?.isTensor) throw new Error('the graph has no previous_features');
  const shape = input.shape as [number, number, number, number];
  // The frame before: the same view moved by three pixels, so that there is a motion to be found.
  const { data, ...size } = image;
  const moved = data.map((_, i) => data[Math.min(data.length - 1, i + 9)]);
  const { features: previous } = inferReference(network, { data: moved, ...size }, description.intrinsics);
  expect(previous.shape).toEqual(shape);
  const actual = await session.run({
    image: new Tensor('uint8', image.data, [1, image.height, image.width, 3]),
    previous_features: new Tensor('float32', previous.dataSync<'float32'>(), shape),
  });
  const expected = inferReference(network, image, description.intrinsics, previous);
  for (const key of Object.keys(graphNames) as (keyof InferenceOutputs)[]) {
    const output = actual[graphNames[key]];
    const numbers = output.data as Float32Array;
    const reference = expected[key].dataSync<'float32'>();
    expect([key, ...output.dims]).toEqual([key, ...expected[key].shape]);
    const meanSize = reference.reduce((sum, value) => sum + Math.abs(value), 0) / reference.length;
    // The six numbers of a motion are one vector: an error counts against its largest number.
    const floor = key === 'egoMotion' ? Math.max(...reference.map(Math.abs)) : meanSize;
    const { variance } = tf.moments(expected[key]);
    // An output that hardly varies would agree for no good reason.
    expect(Math.sqrt(variance.dataSync()[0]) / meanSize).toBeGreaterThan(0.01);
    let worst = 0;
    reference.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(numbers[i] - value) / Math.max(Math.abs(value), floor));
    });
    if (!(worst < 1e-4)) throw new Error(`${key} differs by ${worst} of its size`);
  }
  tf.dispose([previous, ...Object.values(expected)]);
  await session.release();
}

describe.each(Object.keys(encoders) as EncoderName[])('exported %s', (encoder) => {
  // 72 x 104 needs cropping after nearest-up at strides 8 and 16.
  test.each([
    [64, 96],
    [72, 104],
  ])('agrees with tfjs to 1e-4 at %i x %i, also on images that have to be resized', async (height, width) => {
    const network = livelyNetwork(encoder, height, width);
    for (const image of [picture(height, width, 1), picture(240, 320, 2), picture(50, 131, 3)]) {
      await expectSame(network, image);
    }
    network.dispose();
  });
});

describe('the model file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-onnx-'));
  const path = join(folder, 'model.onnx');
  const network = livelyNetwork('lite0', 64, 96);
  let sha256 = '';

  beforeAll(() => {
    sha256 = exportOnnx(network, path, { ...description, ...network.config });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('has the returned checksum and leaves no other file behind', () => {
    expect(sha256).toBe(createHash('sha256').update(readFileSync(path)).digest('hex'));
    expect(readdirSync(folder)).toEqual(['model.onnx']);
  });

  test('carries the metadata of the graph contract', () => {
    const model = onnx.ModelProto.decode(readFileSync(path));
    const metadata = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
    expect(metadata).toMatchObject({
      name: 'test',
      version: '1.2.3',
      encoder: 'lite0',
      height: '64',
      width: '96',
      feature_height: '8',
      feature_width: '12',
      feature_channels: '60',
      training_fx: '101.5',
      training_fy: '102.25',
      training_cx: '47.75',
      training_cy: '31.5',
      parent_sha256: 'ab'.repeat(32),
      producer: 'depthgrad',
      format: 'depthgrad-onnx/1',
      fusion_lambda: '0.3',
    });
    expect(Number(model.opsetImport[0].version)).toBe(18);
  });

  test('gives the same network back', () => {
    const { network: loaded, metadata } = loadModelFromOnnx(path);
    expect(loaded.config).toMatchObject({ encoder: 'lite0', height: 64, width: 96, fusionLambda: 0.3 });
    expect(metadata).toMatchObject(description);
    const expected = network.getWeights();
    const actual = loaded.getWeights();
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    for (const [name, values] of expected) {
      if (!Buffer.from(values.buffer).equals(Buffer.from(actual.get(name)!.buffer))) throw new Error(`${name} differs`);
    }
    loaded.dispose();
  });

  test.each([0, 1, 100, 0.3, 0.9, 0.9999])('is refused by name when cut off (%d)', (kept) => {
    const bytes = readFileSync(path);
    const cut = join(folder, 'cut.onnx');
    writeFileSync(cut, bytes.subarray(0, kept < 1 ? Math.floor(bytes.length * kept) : kept));
    expect(() => loadNetworkFromOnnx(cut)).toThrow(new RegExp(`${cut} is not a usable depthgrad model: .+`));
    rmSync(cut);
  });

  test('is refused by name when it is missing or made by somebody else', () => {
    expect(() => loadNetworkFromOnnx(join(folder, 'none.onnx'))).toThrow(/cannot read .*none\.onnx: ENOENT/);
    const foreign = join(folder, 'foreign.onnx');
    const model = onnx.ModelProto.create({ irVersion: 8, producerName: 'pytorch', graph: { name: 'main' } });
    writeFileSync(foreign, onnx.ModelProto.encode(model).finish());
    expect(() => loadNetworkFromOnnx(foreign)).toThrow(/foreign\.onnx is not a usable .*'format' is missing/);
    writeFileSync(foreign, 'name: a text file, no model\n'.repeat(50));
    expect(() => loadNetworkFromOnnx(foreign)).toThrow(/foreign\.onnx is not a usable depthgrad model/);
    rmSync(foreign);
  });

  test('is refused by name when a weight is missing or has another size', () => {
    const damaged = join(folder, 'damaged.onnx');
    const rewrite = (change: (tensors: onnx.ITensorProto[]) => onnx.ITensorProto[]): void => {
      const model = onnx.ModelProto.decode(readFileSync(path));
      model.graph!.initializer = change(model.graph!.initializer!);
      writeFileSync(damaged, onnx.ModelProto.encode(model).finish());
    };
    rewrite((tensors) => tensors.filter(({ name }) => name !== 'pose/head/kernel'));
    expect(() => loadNetworkFromOnnx(damaged)).toThrow(/damaged\.onnx .*no weights 'pose\/head\/kernel'/);
    rewrite((tensors) => {
      const tensor = tensors.find(({ name }) => name === 'encoder/stem/bias')!;
      tensor.rawData = tensor.rawData!.subarray(4);
      return tensors;
    });
    expect(() => loadNetworkFromOnnx(damaged)).toThrow(/damaged\.onnx .*'encoder\/stem\/bias' are not 32 float32/);
    rmSync(damaged);
  });

  test('stays as it was when a new one cannot be written', () => {
    const nowhere = join(folder, 'no-such-folder', 'model.onnx');
    expect(() => exportOnnx(network, nowhere, { ...description, ...network.config })).toThrow(
      /cannot write .*no-such-folder/,
    );
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(sha256);
  });
});
