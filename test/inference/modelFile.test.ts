import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeModel, ModelFileError, readModelFile, readOnnxMetadata } from '../../src/inference/modelFile';
import { tinyModel } from '../support/tinyModel';

test('metadata, sizes and digest are read from the bytes', () => {
  const bytes = tinyModel({ width: 128, height: 32 });
  expect(describeModel('a.onnx', bytes)).toEqual({
    name: 'tiny',
    version: '1.2.3',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    height: 32,
    width: 128,
    featureHeight: 4,
    featureWidth: 16,
    featureChannels: 3,
    network: 'depthgrad none',
  });
  expect(readOnnxMetadata(bytes).get('producer')).toBe('depthgrad');
});

test('a file cut off anywhere is refused by name', () => {
  const bytes = tinyModel();
  for (let length = 0; length < bytes.length; length += 7) {
    expect(() => describeModel('cut.onnx', bytes.subarray(0, length))).toThrow(/^model file cut\.onnx: /);
  }
});

test.each([
  ['no format', { format: undefined }, '"format" is missing'],
  ['another format', { format: 'depthgrad-onnx/9' }, '"format" is "depthgrad-onnx/9"'],
  ['a size that is none', { width: 'wide' }, '"width" is "wide"'],
])('%s is refused by file and field', (_, metadata, message) => {
  expect(() => describeModel('b.onnx', tinyModel({ metadata }))).toThrow(message);
  expect(() => describeModel('b.onnx', tinyModel({ metadata }))).toThrow(ModelFileError);
});

test('a missing file is refused by name', async () => {
  await expect(readModelFile('/nowhere/c.onnx')).rejects.toThrow('model file /nowhere/c.onnx: cannot be read');
});

test('what is no file is refused by name without being opened', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-model-file-'));
  const pipe = join(folder, 'pipe.onnx');
  execFileSync('mkfifo', [pipe]);
  for (const path of ['/dev/null', '/dev/zero', folder, pipe])
    await expect(readModelFile(path)).rejects.toThrow(`model file ${path}: is no file`);
});
