import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceWorker } from '../../src/inference/inferenceWorker';
import { tinyModel } from '../support/tinyModel';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-worker-'));
const modelPath = join(folder, 'tiny.onnx');
writeFileSync(modelPath, tinyModel({ width: 32, height: 32 }));
const wholePath = join(folder, 'whole.onnx');
writeFileSync(wholePath, tinyModel({ width: 32, height: 32, inseparable: true }));
let worker: InferenceWorker | undefined;

afterEach(async () => worker?.close());

const flat = (level: number): Uint8Array => new Uint8Array(32 * 32 * 3).fill(level);

test.each([
  ['in two halves', modelPath],
  ['as a whole', wholePath],
])('run %s, carries the features of the frame before, and forgets them when told to', async (_, path) => {
  worker = await InferenceWorker.start({ modelPath: path, threads: 1 });
  const motion = async (level: number, forgetPrevious: boolean): Promise<[boolean, number | undefined]> => {
    const { maps, egoMotion } = await worker!.infer({ image: flat(level), forgetPrevious, wantsMotion: true });
    const motion = await egoMotion;
    return [maps.hasPrevious, motion && Math.round(motion.vector[0] * 255)];
  };
  expect(await motion(100, false)).toEqual([false, undefined]);
  expect(await motion(140, false)).toEqual([true, 40]);
  expect(await motion(130, false)).toEqual([true, -10]);
  expect(await motion(150, true)).toEqual([false, undefined]);
  expect(await motion(151, false)).toEqual([true, 1]);
});

test('hands the image buffer back and gives maps that own their buffers', async () => {
  worker = await InferenceWorker.start({ modelPath, threads: 1 });
  const image = flat(51);
  const answer = await worker.infer({ image, forgetPrevious: true, wantsMotion: true });
  expect(image.length).toBe(0); // handed over, not copied
  expect(answer.image).toHaveLength(32 * 32 * 3);
  expect(answer.image.every((value) => value === 51)).toBe(true);
  const { depth, gradient, confidence } = answer.maps;
  expect(depth.every((value) => Math.abs(value - 20) < 1e-4)).toBe(true);
  for (const map of [depth, gradient, confidence]) expect(map.buffer.byteLength).toBe(map.byteLength);
});

test('takes the next frame while it works on an ego-motion, and computes none that nobody wants', async () => {
  worker = await InferenceWorker.start({ modelPath, threads: 1 });
  const ask = (level: number, wantsMotion: boolean) =>
    worker!.infer({ image: flat(level), forgetPrevious: false, wantsMotion });
  await ask(100, true);
  const second = await ask(110, true);
  const third = await ask(130, false); // sent before the second's motion is there
  const fourth = await ask(160, true);
  expect(await third.egoMotion).toBeUndefined();
  const motions = [await second.egoMotion, await fourth.egoMotion];
  expect(motions.map((motion) => Math.round(motion!.vector[0] * 255))).toEqual([10, 30]);
});

test('one frame at a time; after close nothing', async () => {
  worker = await InferenceWorker.start({ modelPath, threads: 1 });
  const first = worker.infer({ image: flat(1), forgetPrevious: true, wantsMotion: true });
  await expect(worker.infer({ image: flat(2), forgetPrevious: true, wantsMotion: true })).rejects.toThrow(
    'still in the network',
  );
  await first;
  expect(worker.hasEnded).toBe(false);
  await worker.close();
  expect(worker.hasEnded).toBe(true);
  await expect(worker.infer({ image: flat(3), forgetPrevious: true, wantsMotion: true })).rejects.toThrow('closed');
});

test('a run that fails is reported and the next one works', async () => {
  worker = await InferenceWorker.start({ modelPath, threads: 1 });
  await expect(worker.infer({ image: new Uint8Array(5), forgetPrevious: false, wantsMotion: true })).rejects.toThrow(
    modelPath,
  );
  const { maps } = await worker.infer({ image: flat(10), forgetPrevious: false, wantsMotion: true });
  expect(maps.hasPrevious).toBe(false);
});

test('a graph that breaks the contract is refused by file and output', async () => {
  const path = join(folder, 'features.onnx');
  writeFileSync(path, tinyModel({ width: 32, height: 32, metadata: { feature_channels: '4' } }));
  await expect(InferenceWorker.start({ modelPath: path })).rejects.toThrow(
    `model file ${path}: the graph's output "features" has shape [1,4,4,3], its metadata says [1,4,4,4]`,
  );
});

test('a start given up ends', async () => {
  const giveUp = new AbortController();
  const starting = InferenceWorker.start({ modelPath, signal: giveUp.signal });
  giveUp.abort();
  await expect(starting).rejects.toThrow();
});
