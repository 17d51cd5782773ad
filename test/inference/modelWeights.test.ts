import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onnx } from 'onnx-proto';
import { weightsBetween, withWeights } from '../../src/inference/modelWeights';
import { tinyModel } from '../support/tinyModel';

const parent = tinyModel();
const child = tinyModel({ metresAtWhite: 50, metadata: { version: '1.2.4', parent_sha256: 'ab'.repeat(32) } });

test('changed weights and metadata are what travels, and make the new file byte for byte', () => {
  const weights = weightsBetween(parent, child)!;
  expect(Buffer.from(withWeights(parent, weights)).equals(child)).toBe(true);
  const { graph } = onnx.ModelProto.decode(weights);
  expect(graph!.initializer!.map(({ name }) => name)).toEqual(['depth_scale']);
  expect(graph!.node).toHaveLength(0);
});

test('of the default model only the tensors that were trained travel', () => {
  const whole = readFileSync(join(__dirname, '../../models/default.onnx'));
  const model = onnx.ModelProto.decode(whole);
  const trained = model.graph!.initializer!.filter(({ name }) =>
    /^(depth|gradient|pose)\/.*(kernel|bias)$/.test(name!),
  );
  let bytes = 0;
  for (const tensor of trained) {
    tensor.rawData = Uint8Array.from(tensor.rawData!, (byte, i) => (i % 4 === 0 ? byte ^ 1 : byte));
    bytes += tensor.rawData.length;
  }
  const adapted = onnx.ModelProto.encode(model).finish();
  const weights = weightsBetween(whole, adapted)!;
  expect(Buffer.from(withWeights(whole, weights)).equals(adapted)).toBe(true);
  expect(weights.length).toBeLessThan(bytes + 4096);
  expect(weights.length).toBeLessThan(whole.length / 5);
});

test('no weights stand for another graph, another shape or another initializer', () => {
  expect(weightsBetween(parent, tinyModel({ inseparable: true }))).toBeUndefined();
  expect(weightsBetween(parent, tinyModel({ height: 32 }))).toBeUndefined();
  const more = onnx.ModelProto.decode(child);
  more.graph!.initializer!.push(onnx.TensorProto.create({ name: 'more', dataType: 1, floatData: [1] }));
  expect(weightsBetween(parent, onnx.ModelProto.encode(more).finish())).toBeUndefined();
});

test('bytes that are no weights of the model are refused by what is wrong with them', () => {
  const pack = (tensor: onnx.ITensorProto): Uint8Array =>
    onnx.ModelProto.encode({ graph: { initializer: [tensor] } }).finish();
  expect(() => withWeights(parent, parent)).toThrow('field 1 is neither weights nor metadata');
  expect(() => withWeights(parent, pack({ name: 'elsewhere', dataType: 1, floatData: [1] }))).toThrow(
    'the model has no initializer "elsewhere"',
  );
  expect(() => withWeights(parent, pack({ name: 'depth_scale', dataType: 1, floatData: [1, 2] }))).toThrow(
    'initializer "depth_scale" has another type or shape',
  );
  expect(() => withWeights(parent, pack({ name: 'depth_scale', dataType: 10, floatData: [1] }))).toThrow(
    'initializer "depth_scale" has another type or shape',
  );
  const weights = weightsBetween(parent, child)!;
  for (let length = 1; length < weights.length; length += 7) {
    const cut = weights.subarray(0, length);
    let made: Uint8Array | undefined;
    try {
      made = withWeights(parent, cut);
    } catch {
      continue; // cut inside a field
    }
    expect(Buffer.from(made).equals(child)).toBe(false);
  }
});
