/** Malformed messages on every topic adaptation_node subscribes to, at once; as depthNodeFuzz.test.ts. */
import { rmSync } from 'node:fs';
import { ACK, AdaptationRig, IMAGE, ODOMETRY, STATE, STATUS, UPDATE, type Status } from '../support/adaptationNode';
import { CAMERA } from '../support/depthNode';
import { expectNamedOnce, fuzz, FUZZ_TEST_MS, type FaultClass, type FuzzedTopic } from '../support/fuzz';
import * as messages from '../support/fuzzMessages';
import { SMALL } from '../support/renderedDrive';
import { Peer } from '../support/ros';
import { writeModelAck, type ModelAnswer } from '../../src/nodes/ros/modelMessages';

const rig = new AdaptationRig();
beforeAll(() => rig.prepare(), FUZZ_TEST_MS);
afterEach(async () => {
  await rig.stop();
  rmSync(rig.state, { recursive: true, force: true });
});

const COMPRESSED = `${IMAGE}/compressed`;
const INFO = '/camera/camera_info';
const TWIST = '/vehicle/twist';
type Transport = 'raw' | 'compressed';

const sha256 = 'ab'.repeat(32);
const goodAnswer: ModelAnswer = {
  accepted: true,
  reason: '',
  version: 1,
  sha256,
  runningVersion: 1,
  runningSha256: sha256,
  swapMilliseconds: 2,
  updateStamp: { sec: 1, nanosec: 2 },
};
const ack = (changes: Partial<ModelAnswer> = {}): Buffer =>
  messages.bytes(writeModelAck(messages.cdr(), messages.header.stamp, { ...goodAnswer, ...changes }));
const ackFaults: FaultClass[] = [
  ['cut off', ack().subarray(0, 40), /model_ack: message ignored: CDR message/],
  [
    'no digest',
    ack({ runningSha256: 'zz\n[FATAL] forged' }),
    /model_ack: message ignored: running_sha256 is no SHA-256/,
  ],
  ['the last version', ack({ runningVersion: 2 ** 53 - 1 }), /model_ack: message ignored: running_version is 9007199/],
  ['endless swap', ack({ swapMilliseconds: NaN }), /model_ack: message ignored: swap_ms is NaN/],
];

async function start(transport: Transport): Promise<void> {
  const environment = rig.prepareEnvironment();
  rig.peer = new Peer(
    [
      transport === 'raw' ? `${IMAGE}=Image:pub` : `${COMPRESSED}=CompressedImage:pub`,
      `${INFO}=CameraInfo:pub`,
      `${TWIST}=TwistStamped:pub`,
      `${ODOMETRY}=Odometry:pub`,
      `${ACK}=ModelAck:latched_pub`,
      `${STATUS}=AdaptationStatus:latched_sub`,
      `${UPDATE}=ModelUpdate:latched_sub`,
    ],
    environment,
  );
  const speed = { twist_topic: TWIST, odometry_topic: ODOMETRY };
  rig.runAdaptation({ ...speed, image_transport: transport, judge_every: 100_000, duty_cycle: '0.2', threads: 1 });
  await rig.peer.matched();
}

const picture = (frame: number): Promise<Buffer> => messages.jpegOf(rig.placeFrame(frame), SMALL.width, SMALL.height);

/** A frame of the place; the network's size. */
async function frameMessage(transport: Transport, frame: number, seconds: number): Promise<Buffer> {
  const stamp = { sec: Math.floor(seconds), nanosec: Math.floor((seconds % 1) * 1e9) };
  const header = { ...messages.header, stamp };
  if (transport === 'compressed') return messages.compressed({ header, data: await picture(frame) });
  const { width, height } = SMALL;
  return messages.image({ header, width, height, step: 3 * width, data: rig.placeFrame(frame) });
}

const k = [100, 0, 63.5, 0, 100, 31.5, 0, 0, 1];
const info = (): Buffer => messages.info({ ...SMALL, k, p: new Array<number>(12).fill(0), d: CAMERA.d });

async function fuzzed(transport: Transport): Promise<FuzzedTopic[]> {
  const frame = await frameMessage(transport, 0, 77);
  const camera =
    transport === 'raw'
      ? {
          topic: IMAGE,
          good: [frame, ...messages.moreImages()],
          classes: messages.imageFaults('image ignored'),
        }
      : {
          topic: COMPRESSED,
          good: [frame, ...(await messages.moreCompressed())],
          classes: await messages.compressedFaults(),
        };
  return [
    camera,
    { topic: TWIST, good: [messages.twist({})], classes: messages.velocityFaults(TWIST, messages.twist) },
    {
      topic: ODOMETRY,
      good: [messages.odometry({}), messages.odometry({ covariance: NaN })],
      classes: messages.velocityFaults(ODOMETRY, messages.odometry),
    },
    { topic: ACK, good: [ack(), ack({ accepted: false, reason: 'no' })], classes: ackFaults },
    { topic: INFO, good: [info()], classes: messages.infoFaults('camera_info ignored') },
  ];
}

let seconds = 1000;

/** Good frames until three more of them have become a triplet. */
async function learnFrom(transport: Transport): Promise<Status> {
  const before = await rig.status(() => true);
  for (let attempt = 0; ; attempt++) {
    seconds += 100;
    const messagesOf = [[INFO, info()] as const];
    const topic = transport === 'raw' ? IMAGE : COMPRESSED;
    const frames: (readonly [string, Buffer])[] = [];
    for (let i = 0; i < 5; i++) frames.push([topic, await frameMessage(transport, 2 * i, seconds + 0.2 * i)]);
    for (const [gap, part] of [
      [0.05, messagesOf],
      [0.05, frames],
    ] as const)
      await rig.peer.command('barrage', { gap, messages: part.map(([on, data]) => [on, data.toString('base64'), 1]) });
    const now = await rig.status(() => true);
    if ((now.triplets as number) > (before.triplets as number)) return now;
    expect(attempt).toBeLessThan(20);
  }
}

test.each<Transport>(['raw', 'compressed'])(
  'every class of malformed message is refused by name, once in the log (images %s)',
  async (transport) => {
    await start(transport);
    await learnFrom(transport);
    await expectNamedOnce(rig.peer, rig.node, await fuzzed(transport));
    expect(rig.node.count(/^\[FATAL\] forged/m)).toBe(0);
    await learnFrom(transport);
  },
  FUZZ_TEST_MS,
);

test.each<Transport>(['raw', 'compressed'])(
  'messages at random on all topics at once, images %s: it goes on learning, memory flat, the log bounded',
  async (transport) => {
    await start(transport);
    const first = await rig.status(({ state }) => state !== STATE.starting);
    let round = 0;
    const probe = async (): Promise<void> => {
      if (round++ % 20 !== 0) return; // the status comes once a second
      const {
        state,
        loss_values: losses,
        model_sha256: model,
        promoted,
        updates_refused: refused,
      } = await learnFrom(transport);
      expect([STATE.waiting, STATE.learning, STATE.candidate]).toContain(state);
      expect((losses as (number | null)[]).every((value) => value !== null && Number.isFinite(value))).toBe(true);
      expect({ model, promoted, refused }).toEqual({ model: first.model_sha256, promoted: 0, refused: 0 });
    };
    await fuzz({ peer: rig.peer, node: rig.node, topics: await fuzzed(transport), probe });
    const { step } = await learnFrom(transport);
    await rig.status((status) => status.step > step || status.step > 5);
    // Nothing was to be handed over.
    expect(rig.peer.received(UPDATE)).toHaveLength(0);
  },
  FUZZ_TEST_MS,
);
