import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { graphsOf, optimised } from '../../src/inference/graphs';
import { readModelFile, type ModelFile } from '../../src/inference/modelFile';
import type { PreparationReport, PreparationStart } from '../../src/inference/preparationThread';
import { threadFile } from '../../src/inference/threadFile';
import { packageRoot } from '../../src/paths';

let file: ModelFile;
beforeAll(async () => {
  file = await readModelFile(join(packageRoot(), 'models', 'default.onnx'));
});

/** All outputs of the depth graph and of the motion graph behind it. */
async function answers(graphs: ReturnType<typeof graphsOf>): Promise<Record<string, Buffer>> {
  const { width, height, featureHeight, featureWidth, featureChannels } = file.description;
  const options: InferenceSession.SessionOptions = {
    intraOpNumThreads: 1,
    graphOptimizationLevel: graphs.optimised ? 'disabled' : 'all',
  };
  const depth = await InferenceSession.create(graphs.depth, options);
  const motion = await InferenceSession.create(graphs.motion!, options);
  const shape = [1, featureHeight, featureWidth, featureChannels];
  const features = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i));
  const image = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 251);
  const previous = new Tensor('float32', features, shape);
  const maps = await depth.run({
    image: new Tensor('uint8', image, [1, height, width, 3]),
    previous_features: previous,
  });
  const { ego_motion } = await motion.run({
    depth: maps['depth'],
    features: maps['features'],
    previous_features: previous,
  });
  await Promise.all([depth.release(), motion.release()]);
  const bytes = ({ data }: Tensor): Buffer => Buffer.from((data as Float32Array).buffer);
  return Object.fromEntries(
    Object.entries({ ...maps, ego_motion }).map(([name, tensor]) => [name, bytes(tensor as Tensor)]),
  );
}

test('optimised graphs answer bit by bit as the model file does', async () => {
  const [plain, made] = [graphsOf(file.bytes), await optimised(file.bytes)];
  expect(made.featuresDigest).toBe(plain.featuresDigest);
  expect(Buffer.compare(made.depth, plain.depth)).not.toBe(0);
  const [expected, got] = [await answers(plain), await answers(made)];
  expect(Object.keys(got).sort()).toEqual(['confidence', 'depth', 'ego_motion', 'features', 'log_disparity_gradient']);
  for (const name of Object.keys(expected)) expect(got[name].equals(expected[name])).toBe(true);
});

describe('the thread that gets a model ready', () => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-graphs-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function prepare(model: ModelFile, temporary: string): Promise<PreparationReport> {
    const workerData: PreparationStart = { executionProvider: 'cpu', model: { file: model } };
    const env = { ...process.env, TMPDIR: temporary };
    const [report] = (await once(new Worker(threadFile('preparationThread'), { workerData, env }), 'message')) as [
      PreparationReport,
    ];
    return report;
  }

  test('leaves nothing in the folder for temporary files', async () => {
    expect(await prepare(file, folder)).toMatchObject({ graphs: { optimised: true } });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('does without optimised graphs where there is no such folder, or they cannot be made', async () => {
    expect(await prepare(file, join(folder, 'gone'))).toMatchObject({ graphs: undefined });
    expect(await prepare({ ...file, bytes: Uint8Array.of(1, 2, 3) }, folder)).toMatchObject({ graphs: undefined });
    expect(readdirSync(folder)).toEqual([]);
  });
});
