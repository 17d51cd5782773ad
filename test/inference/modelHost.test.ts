import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnx } from 'onnx-proto';
import { ModelHost, type UpdateOutcome } from '../../src/inference/modelHost';
import { packModelUpdate, packReturn, type ModelUpdate } from '../../src/inference/modelUpdate';
import { failingModel, tinyModel, type TinyModelOptions } from '../support/tinyModel';

const SIZE = { width: 32, height: 32 };
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-host-'));
const tiny = (options: TinyModelOptions = {}): Uint8Array => tinyModel({ ...SIZE, ...options });
const factory = tiny();
const modelPath = join(folder, 'factory.onnx');
writeFileSync(modelPath, factory);

let host: ModelHost | undefined;
const givenUp: UpdateOutcome[] = [];
afterEach(async () => {
  await host?.close();
  givenUp.length = 0;
});
const start = async (): Promise<ModelHost> =>
  (host = await ModelHost.start({
    modelPath,
    threads: 1,
    maxUpdateBytes: 100_000,
    onGivenUp: (outcome) => givenUp.push(outcome),
  }));

interface Seen {
  metres: number;
  /** Change of the grey level since the frame before, in the running model's features; undefined: compared with none. */
  change: number | undefined;
}

async function see(level: number): Promise<Seen> {
  const image = new Uint8Array(SIZE.width * SIZE.height * 3).fill(level);
  const { maps, egoMotion } = await host!.infer({ image, forgetPrevious: false, wantsMotion: true });
  const motion = await egoMotion;
  return { metres: Math.round(maps.depth[0]), change: motion && Math.round(motion.vector[0] * 255) };
}

const update = (bytes: Uint8Array, version: number, parent = factory): ModelUpdate =>
  packModelUpdate({ bytes, parent, version });

test('weights alone: the next frame has the new depth and is compared with the last one by its features', async () => {
  await start();
  expect(await see(51)).toEqual({ metres: 20, change: undefined });
  expect(await see(102)).toEqual({ metres: 40, change: 51 });
  const sent = update(tiny({ metresAtWhite: 10 }), 1);
  expect(sent.kind).toBe('weights');
  expect(await host!.update(sent)).toMatchObject({
    accepted: true,
    reason: '',
    version: 1,
    runningVersion: 1,
    runningSha256: sent.sha256,
  });
  expect(await see(153)).toEqual({ metres: 6, change: 51 });
  expect(await see(163)).toEqual({ metres: 6, change: 10 });
});

test('another encoder: the last frame goes through it, and the motion does not step', async () => {
  await start();
  await see(100);
  await see(110);
  // its features are twice the old ones: 130 * 2 - 110 would be a step of 150
  expect(await host!.update(update(tiny({ white: 2 }), 1))).toMatchObject({ accepted: true });
  expect((await see(130)).change).toBe(40);
});

test('frames go on while a model is loaded, every one of them is answered, and none is compared with nothing', async () => {
  await start();
  await see(50);
  let done = false;
  const taken = host!.update(update(tiny({ metresAtWhite: 10 }), 1)).then((outcome) => {
    done = true;
    return outcome;
  });
  const before: Seen[] = [];
  while (!done) before.push(await see(51));
  expect(await taken).toMatchObject({ accepted: true });
  expect(before.length).toBeGreaterThan(3);
  expect(before.every(({ change }) => change !== undefined)).toBe(true);
  // old answers, then new ones, never old again
  const first = before.findIndex(({ metres }) => metres === 2);
  expect(before.map(({ metres }) => metres)).toEqual(before.map((_, i) => (first >= 0 && i >= first ? 2 : 20)));
  expect((await see(51)).metres).toBe(2);
});

test('goes back to the previous and to the factory model, which need no bytes', async () => {
  await start();
  await see(51);
  const [first, second] = [update(tiny({ metresAtWhite: 10 }), 1), update(tiny({ metresAtWhite: 50 }), 2)];
  for (const sent of [first, second]) expect(await host!.update(sent)).toMatchObject({ accepted: true });
  expect((await see(51)).metres).toBe(10);
  const back = (version: number, sha256: string): Promise<UpdateOutcome> =>
    host!.update(packReturn({ version, sha256, parentSha256: host!.model.sha256 }));
  expect(await back(3, first.sha256)).toMatchObject({ accepted: true, runningVersion: 3, runningSha256: first.sha256 });
  expect(await see(61)).toEqual({ metres: 2, change: 10 });
  const factorySha256 = second.parentSha256;
  expect(await back(4, factorySha256)).toMatchObject({ accepted: true, runningSha256: factorySha256 });
  expect(await see(71)).toEqual({ metres: 28, change: 10 });
  expect(await back(5, second.sha256)).toMatchObject({
    accepted: false,
    reason: expect.stringContaining('neither the previous nor the factory model'),
  });
  expect((await see(51)).metres).toBe(20);
});

test('what is refused leaves the running model and its features alone', async () => {
  await start();
  await see(100);
  const nan = tiny({ metresAtWhite: NaN });
  const broken = onnx.ModelProto.decode(tiny({ metresAtWhite: 10 }));
  broken.graph!.node![0].opType = 'NoSuchOperator';
  const refused: [ModelUpdate, RegExp][] = [
    [update(tiny({ metresAtWhite: 10 }), 0), /version 0 is not newer than 0/],
    [{ ...update(nan, 1) }, /depth\[0\] is NaN on a frame of the camera/],
    [update(onnx.ModelProto.encode(broken).finish(), 1), /NoSuchOperator/],
    [{ ...update(tiny(), 1), kind: 'whole', data: factory.subarray(0, 500) }, /damaged or cut off/],
    [{ ...update(tiny(), 1), data: new Uint8Array(100_000) }, /data has 100000 bytes/],
  ];
  for (const [sent, reason] of refused) {
    const outcome = await host!.update(sent);
    expect(outcome).toMatchObject({ accepted: false, runningVersion: 0, reason: expect.stringMatching(reason) });
  }
  expect(await see(110)).toEqual({ metres: 43, change: 10 });
  expect(host!.version).toBe(0);
});

test('an update that comes a second time is taken as done; one at a time, in their order', async () => {
  await start();
  await see(51);
  const [first, second] = [update(tiny({ metresAtWhite: 10 }), 1), update(tiny({ metresAtWhite: 50 }), 2)];
  const outcomes = await Promise.all([first, first, second].map((sent) => host!.update(sent)));
  expect(outcomes.map(({ accepted, runningVersion }) => [accepted, runningVersion])).toEqual([
    [true, 1],
    [true, 1],
    [true, 2],
  ]);
  expect((await see(51)).metres).toBe(10);
});

test('a model that fails on a frame is given up: the frame is answered by the one before', async () => {
  await start();
  await see(51);
  const sent = update(failingModel(200, { ...SIZE, metresAtWhite: 10 }), 1);
  expect(await host!.update(sent)).toMatchObject({ accepted: true, reason: '' });
  expect((await see(51)).metres).toBe(2);
  expect((await see(255)).metres).toBe(100);
  expect(givenUp).toEqual([
    expect.objectContaining({
      accepted: false,
      version: 1,
      sha256: sent.sha256,
      runningVersion: 0,
      reason: expect.stringMatching(/^failed on a frame, the model before runs again: /),
    }),
  ]);
  expect((await see(51)).metres).toBe(20);
});

test('load: a file of this machine under the same checks, and back without a file', async () => {
  await start();
  await see(51);
  const path = join(folder, 'other.onnx');
  writeFileSync(path, tiny({ metresAtWhite: 10 }));
  const wanted = { version: 0, sha256: '', parentSha256: '', keyId: '', signature: new Uint8Array(0) };
  expect(await host!.load('', wanted)).toMatchObject({
    accepted: false,
    reason: 'there is no previous model to go back to',
  });
  expect(await host!.load(join(folder, 'nowhere.onnx'), wanted)).toMatchObject({
    accepted: false,
    reason: expect.stringContaining('nowhere.onnx'),
  });
  expect(await host!.load(path, { ...wanted, sha256: 'a'.repeat(64) })).toMatchObject({
    accepted: false,
    reason: expect.stringContaining('sha256'),
  });
  expect(await host!.load(path, wanted)).toMatchObject({ accepted: true, runningVersion: 1 });
  expect((await see(51)).metres).toBe(2);
  expect(await host!.load('', wanted)).toMatchObject({ accepted: true, runningVersion: 2 });
  expect((await see(51)).metres).toBe(20);
});

test('closing in the middle of an update ends all threads', async () => {
  await start();
  await see(51);
  const taken = host!.update(update(tiny({ metresAtWhite: 10 }), 1));
  await new Promise((resolve) => setTimeout(resolve, 30));
  await host!.close();
  expect((await taken).accepted).toBe(false);
  expect(host!.hasEnded).toBe(true);
});
