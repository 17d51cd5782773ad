import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSafetensors, writeFileAtomically, writeSafetensors, type NamedTensor } from '../../src/model/safetensors';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-safetensors-'));
const path = join(folder, 'weights.safetensors');
const tensors = new Map<string, NamedTensor>([
  ['head/kernel', { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 1e-30, NaN, Infinity) }],
  ['head/bias', { shape: [1], data: Float32Array.of(7) }],
  ['empty', { shape: [0, 4], data: new Float32Array(0) }],
]);

beforeEach(() => writeSafetensors(path, tensors, { step: '12', note: 'Größe' }));
afterAll(() => rmSync(folder, { recursive: true }));

test('what is written is read back', () => {
  const read = readSafetensors(path);
  expect(read.metadata).toEqual({ step: '12', note: 'Größe' });
  expect([...read.tensors]).toEqual([...tensors]);
  expect(readdirSync(folder)).toEqual(['weights.safetensors']);
});

test('the layout is that of the format', () => {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  expect(headerLength % 8).toBe(0);
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<string, unknown>;
  expect(header['head/bias']).toEqual({ dtype: 'F32', shape: [1], data_offsets: [24, 28] });
  expect(file.readFloatLE(8 + headerLength + 24)).toBe(7);
});

test.each([0, 5, 40, 150, -1])('a file cut off at %i bytes is refused by name', (size) => {
  writeFileSync(path, readFileSync(path).subarray(0, size));
  expect(() => readSafetensors(path)).toThrow(/weights\.safetensors is not a usable safetensors file: /);
});

test('a missing file, a foreign one and a wrong shape are refused by name', () => {
  expect(() => readSafetensors(join(folder, 'none'))).toThrow(/cannot read .*none: ENOENT/);
  writeFileSync(path, 'PK\x03\x04 this is a zip file, or so it says');
  expect(() => readSafetensors(path)).toThrow(/weights\.safetensors is not a usable safetensors file/);
  const wrong = new Map([['a', { shape: [2, 2], data: new Float32Array(3) }]]);
  expect(() => writeSafetensors(path, wrong)).toThrow(/"a" has 3 numbers but shape \[2, 2\]/);
});

test('a write that fails half-way leaves the old file and nothing else', () => {
  const before = readFileSync(path);
  function* chunks(): Generator<Uint8Array> {
    yield new Uint8Array(1000);
    throw new Error('disk full');
  }
  expect(() => writeFileAtomically(path, chunks())).toThrow(/cannot write .*weights\.safetensors: disk full/);
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(readdirSync(folder)).toEqual(['weights.safetensors']);
});
