/** The learner's end of the hand-over against a real ModelHost; what is between them over DDS is in test/ros. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Subject } from 'rxjs';
import { readModelFile } from '../../src/inference/modelFile';
import { ModelHost } from '../../src/inference/modelHost';
import { packModelUpdate, type ModelUpdate } from '../../src/inference/modelUpdate';
import { ModelHandOver, type HandOverOptions } from '../../src/nodes/modelHandOver';
import type { Time } from '../../src/nodes/ros/cdr';
import type { ModelAnswer } from '../../src/nodes/ros/modelMessages';
import { failingModel, tinyModel } from '../support/tinyModel';

const SIZE = { width: 32, height: 32 };
const NO_STAMP = { sec: 0, nanosec: 0 };
const root = mkdtempSync(join(tmpdir(), 'depthgrad-hand-over-'));
const modelPath = join(root, 'factory.onnx');
const factory = tinyModel(SIZE);
writeFileSync(modelPath, factory);
const better = tinyModel({ ...SIZE, metresAtWhite: 10 });

/** depth_node without DDS: what is sent goes to a ModelHost, and its outcome comes back. */
class Wire {
  readonly acks$ = new Subject<ModelAnswer>();
  readonly topic = '/depth_node/model_update';
  readonly sent: ModelUpdate[] = [];
  host!: ModelHost;
  #answered: Promise<unknown> = Promise.resolve();

  async start(maxUpdateBytes = 100_000): Promise<void> {
    this.host = await ModelHost.start({
      modelPath,
      threads: 1,
      maxUpdateBytes,
      onGivenUp: (outcome) => this.acks$.next({ ...outcome, updateStamp: NO_STAMP }),
    });
  }

  send(update: ModelUpdate): Time {
    this.sent.push(update);
    const updateStamp = { sec: this.sent.length, nanosec: 7 };
    this.#answered = this.host.update(update).then((outcome) => this.acks$.next({ ...outcome, updateStamp }));
    return updateStamp;
  }

  /** Once everything sent is answered, what an answer had sent included. */
  async settled(): Promise<void> {
    for (let seen = -1; seen !== this.sent.length;) {
      seen = this.sent.length;
      await this.#answered;
    }
  }
}

let wire: Wire;
let folder: string;
let log: { info: string[]; warn: string[] };
const givenUp: string[] = [];
beforeEach(() => {
  wire = new Wire();
  folder = mkdtempSync(join(root, 'state-'));
  log = { info: [], warn: [] };
  givenUp.length = 0;
});
afterEach(() => wire.host?.close());
afterAll(() => rmSync(root, { recursive: true }));

async function handOver(changes: Partial<HandOverOptions> = {}): Promise<ModelHandOver> {
  return new ModelHandOver({
    sender: wire,
    log: { info: (text) => log.info.push(text), warn: (text) => log.warn.push(text) },
    depthNode: 'depth_node',
    factory: await readModelFile(modelPath),
    folder,
    onGivenUp: (reason) => givenUp.push(reason),
    ...changes,
  });
}

const remembered = (): unknown => JSON.parse(readFileSync(join(folder, 'update.json'), 'utf8'));

test('what is accepted counts, runs, and is remembered; the way back needs no bytes', async () => {
  await wire.start();
  const sender = await handOver();
  sender.send(better);
  const { sha256 } = wire.sent[0];
  expect(wire.sent[0]).toMatchObject({ kind: 'weights', version: 1 });
  expect(sender.updateBytes).toBe(wire.sent[0].data.length);
  await wire.settled();
  expect(sender).toMatchObject({ version: 1, accepted: 1, refused: 0, refusal: undefined, runningSha256: sha256 });
  expect(remembered()).toEqual({ version: 1, sha256 });
  sender.send(undefined);
  await wire.settled();
  const { parentSha256 } = wire.sent[0];
  expect(wire.sent[1]).toMatchObject({ kind: 'held', version: 2, sha256: parentSha256 });
  expect(sender).toMatchObject({ version: 2, accepted: 2, runningSha256: parentSha256, updateBytes: 0 });
});

test('what is refused is named until something is accepted', async () => {
  await wire.start(300);
  const sender = await handOver();
  sender.send(tinyModel({ ...SIZE, inseparable: true }));
  await wire.settled();
  expect(sender).toMatchObject({
    accepted: 0,
    refused: 1,
    refusal: expect.stringMatching(/^update 1: data has \d+ bytes/),
  });
  expect(log.warn).toEqual([expect.stringMatching(/^depth_node refused update 1: data has/)]);
  expect(wire.sent).toHaveLength(1);
  sender.send(undefined);
  await wire.settled();
  expect(sender).toMatchObject({ accepted: 1, refused: 1, refusal: undefined });
});

test("another sender's version is gone on from: sent again above it, and not counted as refused", async () => {
  await wire.start();
  const other = packModelUpdate({ bytes: tinyModel({ ...SIZE, metresAtWhite: 50 }), parent: factory, version: 7 });
  expect(await wire.host.update(other)).toMatchObject({ accepted: true });
  const sender = await handOver();
  sender.send(better);
  await wire.settled();
  expect(wire.sent.map(({ version }) => version)).toEqual([1, 8]);
  expect(sender).toMatchObject({ version: 8, accepted: 1, refused: 0, runningSha256: wire.sent[1].sha256 });
});

test('a restart: the version rises, what was published goes out again, and at a first start nothing does', async () => {
  await wire.start();
  const first = await handOver();
  first.resume(undefined);
  expect(wire.sent).toEqual([]);
  first.send(better);
  const second = await handOver();
  expect(second.version).toBe(1);
  second.resume(better);
  expect(wire.sent.map(({ version }) => version)).toEqual([1, 2]);
  // An earlier process had sent a model, and the state that knew it is gone.
  const third = await handOver();
  third.resume(undefined);
  expect(wire.sent[2]).toMatchObject({ kind: 'held', version: 3 });
  const fourth = await handOver();
  fourth.resume(undefined);
  expect(wire.sent).toHaveLength(3);
  await wire.settled();
});

test('a damaged update.json is a start from 0, which the receiver puts right', async () => {
  await wire.start();
  const first = await handOver();
  first.send(better);
  first.send(tinyModel({ ...SIZE, metresAtWhite: 50 }));
  await wire.settled();
  writeFileSync(join(folder, 'update.json'), '{"version":');
  const second = await handOver();
  expect(second.version).toBe(0);
  second.resume(better);
  await wire.settled();
  expect(second).toMatchObject({ version: 3, accepted: 1, refused: 0 });
});

test('a model that is given up on a frame is handed back with the reason, once, and the factory model is not', async () => {
  await wire.start();
  const sender = await handOver();
  const see = (level: number): Promise<unknown> =>
    wire.host.infer({ image: new Uint8Array(3 * 32 * 32).fill(level), forgetPrevious: false, wantsMotion: false });
  await see(51);
  sender.send(failingModel(200, { ...SIZE, metresAtWhite: 10 }));
  await wire.settled();
  expect(sender).toMatchObject({ accepted: 1, refusal: undefined });
  await see(100);
  const failed = ({ version, sha256 }: ModelUpdate): ModelAnswer => {
    const running = { runningVersion: version, runningSha256: sha256, swapMilliseconds: 0 };
    return { accepted: false, reason: 'failed', version, sha256, ...running, updateStamp: NO_STAMP };
  };
  wire.acks$.next(failed({ ...wire.sent[0], sha256: 'a'.repeat(64) })); // another sender's model
  wire.acks$.next(failed(wire.sent[0])); // its file was refused by load_model: it still runs
  expect(givenUp).toEqual([]);
  await see(255);
  expect(givenUp).toEqual([
    expect.stringMatching(/^depth_node gave it up: failed on a frame, the model before runs again/),
  ]);
  expect(sender.runningSha256).toBe(wire.sent[0].parentSha256);
  expect(sender.refused).toBe(0);
  sender.send(undefined);
  await wire.settled();
  wire.acks$.next({ ...failed(wire.sent[1]), runningSha256: 'b'.repeat(64) }); // nothing is left to go back to
  expect(givenUp).toHaveLength(1);
});

test('a version that cannot be written is named, the update goes out, and it is written once there is room', async () => {
  await wire.start();
  const blocked = join(folder, 'blocked');
  writeFileSync(blocked, '');
  const sender = await handOver({ folder: blocked });
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
  try {
    sender.send(better);
    expect(sender.storageFault).toMatch(/blocked/);
    jest.advanceTimersByTime(20_000);
    expect(sender.storageFault).toMatch(/blocked/);
    expect(log.warn).toHaveLength(1);
    rmSync(blocked);
    jest.advanceTimersByTime(5000);
  } finally {
    jest.useRealTimers();
  }
  expect(sender.storageFault).toBeUndefined();
  expect(existsSync(join(blocked, 'update.json'))).toBe(true);
  await wire.settled();
  expect(sender.accepted).toBe(1);
});

test('what an answer says is one line in the log and the status', async () => {
  await wire.start();
  const sender = await handOver();
  const answer = { accepted: false, version: 1, sha256: '', runningVersion: 0, runningSha256: '', swapMilliseconds: 0 };
  sender.send(better);
  wire.acks$.next({ ...answer, reason: 'no\n[FATAL] forged', updateStamp: { sec: 1, nanosec: 7 } });
  expect(log.warn).toEqual(['depth_node refused update 1: no [FATAL] forged']);
  expect(sender.refusal).toBe('update 1: no [FATAL] forged');
  await wire.settled();
});
