/** Hand-over of new models to a running depth_node over real DDS: rclpy sends ModelUpdates and images, and counts the depths. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LAST_VERSION, packModelUpdate, packReturn, type ModelUpdate } from '../../src/inference/modelUpdate';
import { DepthNodeRig, HEIGHT, IMAGE, WIDTH } from '../support/depthNode';
import { floats, NodeProcess, Peer, rosEnvironment, type PeerMessage } from '../support/ros';
import { tinyModel, type TinyModelOptions } from '../support/tinyModel';

const UPDATE = '/depth_node/model_update';
const ACK = '/depth_node/model_ack';
const DEPTH = '/depth_node/depth';
const SENDER_TOPICS = [`${UPDATE}=ModelUpdate:latched_pub`, `${ACK}=ModelAck:latched_sub`];
const KINDS = { whole: 0, weights: 1, held: 2 };

const rig = new DepthNodeRig();
let sender: Peer | undefined;
let environment: NodeJS.ProcessEnv;
let senderNode: NodeProcess | undefined;
afterEach(async () => {
  await sender?.close();
  await senderNode?.kill();
  await rig.stop();
  sender = senderNode = undefined;
});

const tiny = (options: TinyModelOptions = {}): Uint8Array => tinyModel({ width: WIDTH, height: HEIGHT, ...options });
const factory = tiny();
const keys = generateKeyPairSync('ed25519');
const pack = (bytes: Uint8Array, version: number, signed = false): ModelUpdate =>
  packModelUpdate({ bytes, parent: factory, version, privateKey: signed ? keys.privateKey : undefined });

function runNode(env: NodeJS.ProcessEnv, rosArguments: string[] = []): void {
  const fixed = ['-r', `image:=${IMAGE}`, '-p', `model:=${rig.model}`, '-p', 'image_reliability:=reliable'];
  rig.run([...fixed, ...rosArguments], env);
}

/** depth_node, its images and the sender, in three processes. */
async function start(rosArguments: string[] = []): Promise<void> {
  const env = (environment = rosEnvironment());
  rig.peer = new Peer([`${IMAGE}=Image:pub`, `${DEPTH}=Image:sub`, '/diagnostics=DiagnosticArray:sub'], env);
  runNode(env, rosArguments);
  sender = new Peer(SENDER_TOPICS, env);
  await Promise.all([rig.peer.matched(), sender.matched()]);
}

let files = 0;
function command(update: ModelUpdate): object {
  const path = join(rig.folder, `data${files++}`);
  writeFileSync(path, update.data);
  const signature = Buffer.from(update.signature).toString('base64');
  return { topic: UPDATE, ...update, kind: KINDS[update.kind], signature, data: undefined, path };
}

async function send(update: ModelUpdate): Promise<PeerMessage> {
  await sender!.command('model_update', command(update));
  return sender!.message(ACK, ({ version, sha256 }) => version === update.version && sha256 === update.sha256);
}

/** The depth of one image of this grey level. */
async function metres(level: number): Promise<number> {
  const data = Buffer.alloc(WIDTH * HEIGHT * 3, level).toString('base64');
  return Math.round(floats((await rig.depthAt(await rig.publish({ data }))).data)[0]);
}

async function modelStatus(
  fits: (values: Record<string, string>) => boolean,
): Promise<{ level: number; message: string; values: Record<string, string> }> {
  type Status = { name: string; level: number; message: string; values: Record<string, string> };
  const ofModel = (message: PeerMessage): Status =>
    (message.status as Status[]).find(({ name }) => name === '/depth_node: Model')!;
  return ofModel(await rig.peer.message('/diagnostics', (message) => fits(ofModel(message).values)));
}

test('weights, a whole file and the way back are taken, acknowledged and shown in /diagnostics', async () => {
  await start();
  expect(await metres(51)).toBe(20);
  const weights = pack(tiny({ metresAtWhite: 10 }), 1);
  const whole = pack(tiny({ metresAtWhite: 50, inseparable: true }), 2);
  expect([weights.kind, whole.kind]).toEqual(['weights', 'whole']);
  expect(await send(weights)).toMatchObject({
    accepted: true,
    reason: '',
    updateStamp: [1, 0],
    runningVersion: 1,
    runningSha256: weights.sha256,
  });
  expect(await metres(51)).toBe(2);
  expect(await send(whole)).toMatchObject({ accepted: true, runningVersion: 2, runningSha256: whole.sha256 });
  expect(await metres(51)).toBe(10);
  const back = packReturn({ version: 3, sha256: weights.sha256, parentSha256: whole.sha256 });
  expect(await send(back)).toMatchObject({ accepted: true, runningVersion: 3, runningSha256: weights.sha256 });
  expect(await metres(51)).toBe(2);
  const { level, values } = await modelStatus(({ update_version }) => update_version === '3');
  expect({ level, values }).toMatchObject({
    level: 0,
    values: { model_sha256: weights.sha256, updates_accepted: '3', updates_refused: '0', last_refusal: '' },
  });
});

test('bad updates are refused by their cause, in the answer and in /diagnostics, and depth goes on', async () => {
  const keyFile = join(rig.folder, 'public.pem');
  writeFileSync(keyFile, keys.publicKey.export({ type: 'spki', format: 'pem' }));
  await start(['-p', `model_update_public_key:=${keyFile}`, '-p', 'model_update_max_bytes:=1000000']);
  expect(await metres(51)).toBe(20);
  const next = tiny({ metresAtWhite: 10, inseparable: true });
  const good = pack(next, 5, true);
  const foreign = packModelUpdate({ bytes: next, parent: tiny({ white: 2 }), version: 5, privateKey: keys.privateKey });
  const bad: [string, ModelUpdate, RegExp][] = [
    [
      'truncated',
      { ...good, data: good.data.subarray(0, good.data.length >> 1) },
      /^sha256 is \w+, the data has \w+: damaged or cut off/,
    ],
    ['wrong sha256', { ...pack(tiny({ white: 3, inseparable: true }), 5, true), data: good.data }, /^sha256 is/],
    ['not signed', pack(next, 5), /^signature is missing/],
    [
      'wrong signature',
      { ...good, signature: Uint8Array.from(good.signature, (byte) => byte ^ 1) },
      /^signature does not belong/,
    ],
    ['older version', pack(next, 0, true), /^version 0 is not newer/],
    ['unknown parent', foreign, /^parent_sha256 \w+ is neither the running model/],
    ['other architecture', pack(tinyModel({ width: 128, height: 96 }), 5, true), /another architecture/],
    ['oversize', { ...good, data: new Uint8Array(1_000_000) }, /^data has 1000000 bytes, the limit/],
  ];
  let refused = 0;
  for (const [name, update, reason] of bad) {
    expect({ name, ...(await send(update)) }).toMatchObject({
      name,
      accepted: false,
      reason: expect.stringMatching(reason),
      runningVersion: 0,
    });
    expect(await metres(51)).toBe(20);
    refused++;
    const { level, message, values } = await modelStatus(({ updates_refused }) => updates_refused === `${refused}`);
    expect(level).toBe(1);
    expect(message).toContain(values.last_refusal);
    expect(values.last_refusal.replace(/^update \d+: /, '')).toMatch(reason);
  }
  const garbage = Buffer.from(Uint8Array.from({ length: 700 }, (_, i) => (i < 4 ? [0, 1, 0, 0][i] : (i * 31) % 256)));
  await sender!.command('model_update', { topic: UPDATE, raw: garbage.toString('base64') });
  expect((await sender!.message(ACK)).reason).toMatch(/^not a ModelUpdate: /);
  expect(await metres(51)).toBe(20);
  // after all that the good one is taken
  expect(await send(good)).toMatchObject({ accepted: true });
  expect(await metres(51)).toBe(2);
});

test('a public key that is none ends the node by the parameter', async () => {
  const keyFile = join(rig.folder, 'none.pem');
  writeFileSync(keyFile, 'no key');
  const node = rig.run(['-p', `model:=${rig.model}`, '-p', `model_update_public_key:=${keyFile}`]);
  expect(await node.exitCode()).toBe(1);
  expect(node.output).toContain(`depth_node: parameter model_update_public_key: ${keyFile} holds no public key`);
});

test('accept_model_updates false: nobody listens', async () => {
  const env = rosEnvironment();
  rig.peer = new Peer([`${IMAGE}=Image:pub`, `${DEPTH}=Image:sub`], env);
  runNode(env, ['-p', 'accept_model_updates:=false']);
  sender = new Peer([`${UPDATE}=ModelUpdate:latched_pub`], env);
  await rig.peer.matched();
  await sender.command('model_update', command(pack(tiny({ metresAtWhite: 10 }), 1)));
  for (let frame = 0; frame < 10; frame++) expect(await metres(51)).toBe(20);
  expect(rig.node.output).not.toContain('model update');
});

test('25 images/s through three swaps: every stamp has its depth, none is blank, old then new', async () => {
  await start();
  await metres(51);
  const [count, rate, level] = [200, 25, 51];
  const data = Buffer.alloc(WIDTH * HEIGHT * 3, level).toString('base64');
  const image = {
    topic: IMAGE,
    frameId: 'front_optical',
    width: WIDTH,
    height: HEIGHT,
    step: WIDTH * 3,
    encoding: 'rgb8',
    data,
  };
  const streamed = rig.peer.command('image_stream', { ...image, depth: DEPTH, count, rate });
  const updates = [
    tiny({ metresAtWhite: 10 }),
    tiny({ metresAtWhite: 50, white: 2 }),
    tiny({ metresAtWhite: 30, inseparable: true }),
  ];
  for (const [i, bytes] of updates.entries()) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await send(pack(bytes, i + 1))).toMatchObject({ accepted: true });
  }
  const { stamps } = (await streamed) as { stamps: [number, number][] };
  const seen: number[] = [];
  for (const stamp of stamps) seen.push(Math.round(floats((await rig.depthAt(stamp)).data)[0]));
  expect(seen).toHaveLength(count);
  const phases = seen.filter((value, i) => value !== seen[i - 1]);
  expect(phases).toEqual([20, 2, 10, 6]);
});

test('200 MB are refused under the default limit while depth goes on', async () => {
  await start();
  const sent = sender!.command('model_update', command({ ...pack(factory, 1), data: Buffer.alloc(200_000_000, 7) }));
  let frames = 0;
  for (; sender!.received(ACK).length === 0; frames++) expect(await metres(51)).toBe(20);
  await sent;
  expect(frames).toBeGreaterThan(1);
  expect((await sender!.message(ACK)).reason).toMatch(
    /^data has 200000000 bytes, the limit \(model_update_max_bytes\)/,
  );
});

test('a sender killed while it publishes: depth goes on, and the next sender is heard', async () => {
  await start();
  const big = command({ ...pack(factory, 1), data: Buffer.alloc(150_000_000, 7) }); // takes about a second to send
  for (const delay of [100, 300, 600]) {
    const dying = new Peer(SENDER_TOPICS, environment);
    await dying.matched();
    void dying.command('model_update', big).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, delay));
    await dying.kill();
    expect(await metres(51)).toBe(20);
  }
  expect(await send(pack(tiny({ metresAtWhite: 10 }), 1))).toMatchObject({ accepted: true });
  expect(await metres(51)).toBe(2);
});

test('depth_node killed while it takes an update: started anew it has the factory model, then the update', async () => {
  await start();
  const update = command(pack(tiny({ metresAtWhite: 10 }), 3));
  await sender!.command('model_update', update);
  for (const delay of [100, 200, 300]) {
    await rig.node.logged(/ready/); // the update comes by itself now
    await new Promise((resolve) => setTimeout(resolve, delay));
    await rig.node.kill();
    runNode(environment);
  }
  await rig.node.logged(/model update 3 \(sha256 \w+\) runs/);
  await rig.peer.matched();
  expect(await metres(51)).toBe(2);
});

test('model_sender_node sends a file and ends with the answer; a depth_node that comes later gets it, too', async () => {
  const env = rosEnvironment();
  const [model, key] = ['next.onnx', 'private.pem'].map((name) => join(rig.folder, name));
  writeFileSync(model, tiny({ metresAtWhite: 10 }));
  writeFileSync(key, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const publicKey = join(rig.folder, 'its-public.pem');
  writeFileSync(publicKey, keys.publicKey.export({ type: 'spki', format: 'pem' }));
  const sent = ['-p', `model:=${model}`, '-p', `parent:=${rig.model}`, '-p', `private_key:=${key}`];
  senderNode = new NodeProcess('modelSenderNode', [...sent, '-p', 'version:=7'], env);
  await senderNode.logged(/\(weights\) on \/depth_node\/model_update/);
  rig.peer = new Peer([`${IMAGE}=Image:pub`, `${DEPTH}=Image:sub`], env);
  runNode(env, ['-p', `model_update_public_key:=${publicKey}`]);
  expect(await senderNode.exitCode()).toBe(0);
  await rig.peer.matched();
  expect(await metres(51)).toBe(2);
  // signed by nobody, then not newer: each hears its own answer, not the last one of another
  const unsigned = ['-p', `model:=${model}`, '-p', `parent:=${rig.model}`, '-p', 'version:=6'];
  senderNode = new NodeProcess('modelSenderNode', unsigned, env);
  expect(await senderNode.exitCode()).toBe(1);
  expect(senderNode.output).toContain('signature is missing');
  senderNode = new NodeProcess('modelSenderNode', [...sent, '-p', 'version:=6'], env);
  expect(await senderNode.exitCode()).toBe(1);
  expect(senderNode.output).toContain('version 6 is not newer than 7');
});

test('load_model loads a file of the machine, goes back, and says why not', async () => {
  await start();
  expect(await metres(51)).toBe(20);
  const path = join(rig.folder, 'loaded.onnx');
  writeFileSync(path, tiny({ metresAtWhite: 10 }));
  const load = async (request: object): Promise<unknown> =>
    (await rig.peer.command('load_model', { node: '/depth_node', ...request })).ack;
  expect(await load({ path })).toMatchObject({ accepted: true, runningVersion: 1 });
  expect(await metres(51)).toBe(2);
  expect(await load({ path: '' })).toMatchObject({ accepted: true, runningVersion: 2 });
  expect(await metres(51)).toBe(20);
  expect(await load({ path: '/nowhere.onnx' })).toMatchObject({
    accepted: false,
    reason: expect.stringContaining('/nowhere.onnx: cannot be read'),
  });
});

test('load_model with a version that no answer could name is refused, and the hand-over goes on', async () => {
  await start();
  const path = join(rig.folder, 'versions.onnx');
  writeFileSync(path, tiny({ metresAtWhite: 10 }));
  for (const version of [2n ** 64n - 1n, 2n ** 53n, BigInt(LAST_VERSION) + 1n]) {
    const { ack } = await rig.peer.command('load_model', { node: '/depth_node', path, version: `${version}` });
    const reason = `version ${version} is above ${LAST_VERSION}, the last there can be`;
    expect(ack).toMatchObject({ accepted: false, reason, version: 0, runningVersion: 0 });
    expect(await sender!.message(ACK)).toMatchObject({ accepted: false, reason, version: 0 });
  }
  expect(await metres(51)).toBe(20);
  expect(await send(pack(tiny({ metresAtWhite: 10 }), 1))).toMatchObject({ accepted: true, runningVersion: 1 });
  expect(await metres(51)).toBe(2);
});

test('an answer that cannot be published costs one update its answer: the next one is looked at', async () => {
  const env = rosEnvironment();
  sender = new Peer(SENDER_TOPICS, env);
  senderNode = new NodeProcess({ file: 'dist/test/support/failingAnswers.js' }, ['-p', `model:=${rig.model}`], env);
  await sender.matched();
  for (const version of [1, 2]) {
    await sender.command('model_update', command(pack(tiny({ metresAtWhite: 10 * version }), version)));
    await senderNode.logged(new RegExp(`model update ${version} .* runs`));
  }
  await senderNode.logged(/~\/model_update: update not answered: no room for it/);
  expect(await send(pack(tiny({ metresAtWhite: 50 }), 3))).toMatchObject({ accepted: true, runningVersion: 3 });
});

test('answers that cannot be published, to what is in work and to what is displaced, do not lose the update that waits', async () => {
  const env = rosEnvironment();
  sender = new Peer(SENDER_TOPICS, env);
  const parameters = ['-p', `model:=${rig.model}`, '-p', 'hold:=3'];
  senderNode = new NodeProcess({ file: 'dist/test/support/failingAnswers.js' }, parameters, env);
  await sender.matched();
  for (const version of [1, 2, 3]) {
    await sender.command('model_update', command(pack(tiny({ metresAtWhite: 10 * version }), version)));
    await senderNode.logged(new RegExp(`received ${version}`));
  }
  expect(await sender.message(ACK)).toMatchObject({ accepted: true, version: 3, runningVersion: 3 });
  expect(senderNode.count(/model update 1 .* runs/)).toBe(1);
});
