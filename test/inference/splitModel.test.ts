import { onnx } from 'onnx-proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { splitModel } from '../../src/inference/splitModel';
import { DepthNetwork } from '../../src/model/network';
import { buildOnnx } from '../../src/model/onnx/exportOnnx';
import { uniformGenerator } from '../../src/model/start';
import { tinyModel } from '../support/tinyModel';

const [height, width] = [64, 96];

function noise(seed: number): Uint8Array {
  const uniform = uniformGenerator(seed);
  return Uint8Array.from({ length: height * width * 3 }, () => 255 * uniform());
}

async function open(bytes: Uint8Array): Promise<InferenceSession> {
  return InferenceSession.create(bytes, { intraOpNumThreads: 1 });
}

test('the two halves of an exported model give what the whole gives', async () => {
  const network = DepthNetwork.create({ encoder: 'lite0', height, width, seed: 4 });
  const description = {
    name: 't',
    version: '1',
    encoder: 'lite0',
    height,
    width,
    intrinsics: { fx: 60, fy: 60, cx: 47.5, cy: 31.5 },
  };
  const bytes = buildOnnx(network, description);
  network.dispose();
  const parts = splitModel(onnx.ModelProto.decode(bytes))!;
  const [whole, depthPart, motionPart] = await Promise.all([bytes, parts.depth, parts.motion].map(open));
  expect(depthPart.outputNames).toEqual(whole.outputNames.filter((name) => name !== 'ego_motion'));
  expect([...motionPart.inputNames].sort()).toEqual(['depth', 'features', 'previous_features']);
  expect(motionPart.outputNames).toEqual(['ego_motion']);

  const image = (seed: number): Tensor => new Tensor('uint8', noise(seed), [1, height, width, 3]);
  const cells = [1, height / 8, width / 8, 60];
  const none = new Tensor('float32', new Float32Array((height / 8) * (width / 8) * 60), cells);
  const { features } = await whole.run({ image: image(1), previous_features: none });
  const inputs = { image: image(2), previous_features: features };
  const expected = await whole.run(inputs);
  const maps = await depthPart.run(inputs);
  const motion = await motionPart.run({ depth: maps.depth, features: maps.features, previous_features: features });
  for (const [name, { data }] of Object.entries({ ...maps, ...motion })) {
    const reference = expected[name].data as Float32Array;
    const worst = Math.max(...(data as Float32Array).map((value, i) => Math.abs(value - reference[i])));
    expect([name, worst < 1e-6]).toEqual([name, true]);
  }
  expect(Math.hypot(...(motion['ego_motion'].data as Float32Array))).toBeGreaterThan(1e-4);
});

test('a model whose ego-motion reads the image itself is left whole', () => {
  expect(splitModel(onnx.ModelProto.decode(tinyModel()))).toBeDefined();
  expect(splitModel(onnx.ModelProto.decode(tinyModel({ inseparable: true })))).toBeUndefined();
});
