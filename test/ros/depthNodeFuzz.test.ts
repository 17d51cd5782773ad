/** Malformed messages on every topic depth_node subscribes to: no crash, nothing wrong comes out, memory flat, and each class is named in the log. */
import { readFileSync } from 'node:fs';
import { CAMERA, DepthNodeRig, encode, HEIGHT, IMAGE, INFO, picture, stamped, WIDTH } from '../support/depthNode';
import { CdrWriter, type Header } from '../../src/nodes/ros/cdr';
import {
  writeCameraInfo,
  writeImage,
  WHOLE_IMAGE,
  type CameraInfoMessage,
  type ImageMessage,
} from '../../src/nodes/ros/messages';
import { writeModelUpdate } from '../../src/nodes/ros/modelMessages';
import { floats, NodeProcess, PATIENCE, Peer, rosEnvironment } from '../support/ros';

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

const UPDATE = '/depth_node/model_update';
const DEPTH = '/depth_node/depth';
const TOPICS = [
  `${IMAGE}=Image:pub`,
  `${INFO}=CameraInfo:pub`,
  `${UPDATE}=ModelUpdate:latched_pub`,
  `${DEPTH}=Image:sub`,
  '/depth_node/camera_info=CameraInfo:sub',
  '/depth_node/ego_motion=EgoMotion:sub',
  '/depth_node/model_ack=ModelAck:latched_sub',
];

const header: Header = { stamp: { sec: 77, nanosec: 0 }, frameId: 'front_optical' };
const good: ImageMessage = {
  header,
  height: HEIGHT,
  width: WIDTH,
  encoding: 'rgb8',
  isBigEndian: false,
  step: WIDTH * 3,
  data: picture(WIDTH, HEIGHT, 1),
};
const goodInfo: CameraInfoMessage = {
  header,
  height: CAMERA.height,
  width: CAMERA.width,
  distortionModel: 'plumb_bob',
  d: CAMERA.d,
  k: CAMERA.k,
  r: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  p: CAMERA.p,
  binningX: 0,
  binningY: 0,
  roi: WHOLE_IMAGE,
};
const sha256 = 'ab'.repeat(32);
const goodUpdate = {
  kind: 'whole',
  version: 3,
  sha256,
  parentSha256: sha256,
  keyId: '',
  signature: new Uint8Array(0),
  data: new Uint8Array(100),
} as const;

const image = (changes: Partial<ImageMessage>): Buffer =>
  Buffer.from(writeImage(new CdrWriter().start(), { ...good, ...changes }).take());
const info = (changes: Partial<CameraInfoMessage>): Buffer =>
  Buffer.from(writeCameraInfo(new CdrWriter().start(), { ...goodInfo, ...changes }).take());
const update = (changes: Partial<Omit<typeof goodUpdate, 'sha256'>> & { sha256?: string }): Buffer =>
  Buffer.from(writeModelUpdate(new CdrWriter().start(), header.stamp, { ...goodUpdate, ...changes }).take());

/** A message with other bytes at one place. */
function withUint32(message: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(message);
  changed.writeUInt32LE(value, at);
  return changed;
}

/** Numbers that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What no sender means, of any message: cut off anywhere, bits turned over, noise, lengths out of all measure. */
function* mutations(message: Buffer, count: number, seed: number): Generator<Buffer> {
  const next = random(seed);
  for (const length of [0, 1, 3, 4, 5, 8, 12, 16, 24, 40, message.length - 1]) yield message.subarray(0, length);
  for (let i = 0; i < count; i++) {
    const changed = Buffer.from(message);
    const places = 1 + Math.floor(next() * 6);
    // mostly in the fields, which are at the beginning
    for (let j = 0; j < places; j++) changed[Math.floor(next() ** 3 * changed.length)] = Math.floor(next() * 256);
    yield changed;
    const field = 4 * Math.floor((next() * Math.min(message.length, 400)) / 4);
    const value = [0, 1, 0x7fffffff, 0xffffffff, 0x10000][i % 5];
    if (field + 4 <= message.length) yield withUint32(message, field, value);
    yield Buffer.from(Uint8Array.from({ length: Math.floor(next() * 300) }, () => Math.floor(next() * 256)));
  }
}

async function send(topic: string, message: Buffer, times = 1): Promise<void> {
  await rig.peer.command('raw', { topic, data: message.toString('base64'), times });
}

const memory = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${rig.node.pid}/status`, 'utf8'))![1]) / 1024;

/** One of each class. */
const images: [string, Buffer, RegExp][] = [
  ['cut off in its header', image({}).subarray(0, 10), /image ignored: CDR message of \d+ bytes ends inside a field/],
  ['with a line of its own', image({ encoding: 'x\n[FATAL] forged' }), /encoding is "x \[FATAL\] forged"/],
  ['with too little data', image({ data: new Uint8Array(8) }), /image ignored: data has 8 bytes/],
  ['of no size', image({ width: 0, height: 0, step: 0, data: new Uint8Array(0) }), /image ignored: size is 0x0/],
  ['that says it is huge', image({ width: 2 ** 31, height: 2 ** 31 }), /image ignored: step is 288, less than/],
];

const infos: [string, Buffer, RegExp][] = [
  ['cut off', info({}).subarray(0, 60), /camera_info ignored: CDR message/],
  ['of no size', info({ width: 0 }), /camera_info ignored: size is 0x128/],
  ['not calibrated', info({ k: new Array<number>(9).fill(0) }), /camera_info ignored: k\[0\] \(fx\) is 0/],
  ['NaN', info({ p: CAMERA.p.map(() => NaN) }), /camera_info ignored: p\[0\] is NaN/],
  ['infinite', info({ d: [Infinity, 0, 0, 0, 0] }), /camera_info ignored: d\[0\] is Infinity/],
  ['out of all measure', info({ r: new Array<number>(9).fill(1e308) }), /camera_info ignored: r\[0\] is 1e\+308/],
  ['with more binning than pixels', info({ binningX: 2 ** 31 }), /camera_info ignored: binning is 2147483648x0/],
  [
    'with a roi outside',
    info({ roi: { xOffset: 4e9, yOffset: 0, width: 10, height: 10, doRectify: false } }),
    /camera_info ignored: roi is 10x10 at 4000000000/,
  ],
];

const updates: [string, Buffer, RegExp][] = [
  ['cut off', update({}).subarray(0, 30), /update 0 refused: not a ModelUpdate: CDR message/],
  ['with no digest', update({ sha256: 'zz\n[FATAL] forged' }), /update 3 refused: sha256/],
  ['of an unknown parent', update({}), /update 3 refused: parent_sha256/],
];

test('every class of malformed message is refused by name, once in the log, and what was known of the camera holds', async () => {
  await rig.start([], TOPICS);
  await send(INFO, info({}));
  await rig.publishUntilCameraInfo();
  await rig.depthAt(await rig.publish());
  rig.peer.forget(DEPTH);
  for (const [topic, bad] of [
    [IMAGE, images],
    [UPDATE, updates],
  ] as const) {
    for (const [name, message, says] of bad) {
      await send(topic, message, 5);
      await rig.node.logged(says);
      expect({ name, lines: rig.node.count(says) }).toEqual({ name, lines: 1 });
    }
  }
  expect(rig.peer.received(DEPTH)).toHaveLength(0);
  for (const [name, message, says] of infos) {
    await send(INFO, message, 5);
    await rig.node.logged(says);
    expect({ name, lines: rig.node.count(says) }).toEqual({ name, lines: 1 });
  }
  expect(rig.node.count(/^\[FATAL\] forged/m)).toBe(0);
  // cut off says nothing of the camera; not calibrated does, and a good one is taken again
  const motionOf = async (): Promise<unknown> => {
    const stamp = await rig.publish();
    await rig.depthAt(stamp);
    return (await rig.peer.message('/depth_node/ego_motion', stamped(stamp))).scaleSource;
  };
  expect(await motionOf()).toBe(0);
  await send(INFO, info({}));
  await rig.node.logged(/camera_info of a 192x128 camera/);
  let source = await motionOf();
  while (source === 0) source = await motionOf();
  await send(INFO, info({}).subarray(0, 61));
  expect([await motionOf(), await motionOf()]).toEqual([1, 1]);
});

test(
  'thousands of messages at random: the node goes on, its memory is flat, and no value is wrong',
  async () => {
    await rig.start([], TOPICS);
    await send(INFO, info({}));
    await rig.publishUntilCameraInfo();
    const bombard = async (seed: number, count: number): Promise<void> => {
      for (const [topic, message] of [
        [IMAGE, image({})],
        [INFO, info({})],
        [UPDATE, update({})],
      ] as const)
        for (const bad of mutations(message, count, seed)) await send(topic, bad);
      for (const { data, width, height } of rig.peer.received(DEPTH)) {
        const depth = floats(data);
        expect([width, height, depth.length]).toEqual([WIDTH, HEIGHT, WIDTH * HEIGHT]);
      }
      for (const { k } of rig.peer.received('/depth_node/camera_info'))
        expect((k as number[]).every(Number.isFinite)).toBe(true);
      rig.peer.forget(DEPTH);
    };
    await bombard(1, 150);
    const before = memory();
    for (let seed = 2; seed < 6; seed++) await bombard(seed, 150);
    expect(memory() - before).toBeLessThan(25);
    // the log is bounded: each class at most once in 5 s
    expect(rig.node.output.length).toBeLessThan(200_000);
    await send(INFO, info({ d: [0, 0, 0, 0, 0] }));
    const stamp = await rig.publish(encode(picture(WIDTH, HEIGHT, 2), WIDTH, 'rgb8'));
    expect(floats((await rig.depthAt(stamp)).data).some(Number.isFinite)).toBe(true);
  },
  240_000 * PATIENCE,
);

test('an answer to a model update that cannot be read is no end of its sender', async () => {
  const env = rosEnvironment();
  const topic = '/depth_node/model_ack';
  rig.peer = new Peer([`${topic}=ModelAck:latched_pub`], env);
  rig.node = new NodeProcess('modelSenderNode', ['-p', `model:=${rig.model}`, '-p', `parent:=${rig.model}`], env);
  await rig.peer.matched();
  for (const garbage of mutations(Buffer.alloc(200, 7), 5, 1)) await send(topic, garbage);
  await rig.node.logged(/\/depth_node\/model_ack: message ignored: CDR/);
  expect((await rig.node.end('SIGINT')).code).toBe(0);
});
