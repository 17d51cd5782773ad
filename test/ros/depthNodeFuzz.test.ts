/**
 * Malformed messages on every topic depth_node subscribes to, at once: no crash, nothing wrong comes out, memory flat, and each class is named in the
 * log. DEPTHGRAD_FUZZ_SECONDS=300 for the long run (docs/operations.md).
 */
import { DepthNodeRig, encode, HEIGHT, IMAGE, INFO, picture, stamped, WIDTH } from '../support/depthNode';
import { expectNamedOnce, fuzz, FUZZ_TEST_MS, type FuzzedTopic } from '../support/fuzz';
import * as messages from '../support/fuzzMessages';
import { cuts } from '../support/mutations';
import { floats, NodeProcess, Peer, rosEnvironment, type PeerMessage } from '../support/ros';

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

const COMPRESSED = `${IMAGE}/compressed`;
const UPDATE = '/depth_node/model_update';
const [TWIST, VEHICLE, TF, TF_STATIC] = ['/vehicle/twist', '/vehicle/odometry', '/tf', '/tf_static'];
const CLOCK = '/clock';
const DEPTH = '/depth_node/depth';
const [CAMERA_INFO, EGO_MOTION, ODOMETRY] = ['camera_info', 'ego_motion', 'odometry'].map((n) => `/depth_node/${n}`);
type Transport = 'raw' | 'compressed';

const parameters = (transport: Transport): string[] =>
  Object.entries({
    image_transport: transport,
    use_sim_time: true,
    max_image_bytes: messages.MOST_IMAGE_BYTES,
    max_range: '1000000.0',
    base_frame: 'base_link',
    scale_source: 'velocity',
    twist_topic: TWIST,
    odometry_topic: VEHICLE,
  }).flatMap(([name, value]) => ['-p', `${name}:=${value}`]);

const topicsOf = (transport: Transport): string[] => [
  transport === 'raw' ? `${IMAGE}=Image:pub` : `${COMPRESSED}=CompressedImage:pub`,
  `${INFO}=CameraInfo:pub`,
  `${UPDATE}=ModelUpdate:latched_pub`,
  `${TWIST}=TwistStamped:pub`,
  `${VEHICLE}=Odometry:pub`,
  `${TF}=TFMessage:pub`,
  `${TF_STATIC}=TFMessage:latched_pub`,
  `${CLOCK}=rosgraph_msgs/msg/Clock:pub`,
  `${DEPTH}=Image:sub`,
  `${CAMERA_INFO}=CameraInfo:sub`,
  `${EGO_MOTION}=EgoMotion:sub`,
  `${ODOMETRY}=Odometry:sub`,
  '/depth_node/model_ack=ModelAck:latched_sub',
];

async function fuzzed(transport: Transport): Promise<FuzzedTopic[]> {
  const jpeg = await messages.jpegOf(picture(WIDTH, HEIGHT, 1));
  const camera =
    transport === 'raw'
      ? {
          topic: IMAGE,
          good: [messages.image({}), ...messages.moreImages()],
          classes: [...messages.imageFaults('image ignored'), messages.hugeImage],
        }
      : {
          topic: COMPRESSED,
          good: [messages.compressed({ data: jpeg }), ...(await messages.moreCompressed())],
          classes: await messages.compressedFaults(),
        };
  const transforms = [messages.transforms({}), ...messages.moreTransforms()];
  return [
    camera,
    { topic: UPDATE, good: [messages.update()], classes: messages.updateFaults },
    { topic: TWIST, good: [messages.twist({})], classes: messages.velocityFaults(TWIST, messages.twist) },
    {
      topic: VEHICLE,
      good: [messages.odometry({}), messages.odometry({ covariance: NaN })],
      classes: messages.velocityFaults(VEHICLE, messages.odometry),
    },
    { topic: TF, good: transforms, classes: messages.transformFaults(TF) },
    { topic: TF_STATIC, good: transforms, classes: messages.transformFaults(TF_STATIC) },
    {
      topic: CLOCK,
      good: [messages.clock(7, 8), messages.clock(2 ** 31 - 1, 1e9 - 1)],
      classes: messages.clockFaults,
      mostBytes: messages.clock(0).length,
    },
    { topic: INFO, good: [messages.info({})], classes: messages.infoFaults('camera_info ignored') },
  ];
}

async function send(topic: string, message: Buffer): Promise<void> {
  await rig.peer.command('raw', { topic, data: message.toString('base64') });
}

/** A good picture by either transport; returns its stamp. */
async function show(transport: Transport, seed: number): Promise<[number, number]> {
  const rgb = picture(WIDTH, HEIGHT, seed);
  if (transport === 'raw') return rig.publish(encode(rgb, WIDTH, 'rgb8'));
  rig.seconds += 0.04;
  const stamp: [number, number] = [Math.floor(rig.seconds), Math.floor((rig.seconds % 1) * 1e9)];
  const header = { stamp: { sec: stamp[0], nanosec: stamp[1] }, frameId: 'front_optical' };
  await send(COMPRESSED, messages.compressed({ header, data: await messages.jpegOf(rgb) }));
  return stamp;
}

const finite = (values: unknown): boolean => (values as number[]).every(Number.isFinite);

/** Nothing that has come out is wrong in itself. */
function expectSound(): void {
  for (const { data, width, height, stamp } of rig.peer.received(DEPTH)) {
    const depth = floats(data);
    expect([width, height, depth.length]).toEqual([WIDTH, HEIGHT, WIDTH * HEIGHT]);
    expect(depth.some((z) => Number.isFinite(z) && z < 0)).toBe(false);
    expect({ stamp, isTime: stamp[0] >= 0 && stamp[1] < 1e9 }).toEqual({ stamp, isTime: true });
  }
  for (const { k } of rig.peer.received(CAMERA_INFO)) expect(finite(k)).toBe(true);
  for (const { scale, quality } of rig.peer.received(EGO_MOTION)) {
    expect(scale).toBeGreaterThan(0);
    expect(finite([scale, quality])).toBe(true);
  }
  for (const topic of [EGO_MOTION, ODOMETRY])
    for (const message of rig.peer.received(topic)) {
      const fields = ['position', 'orientation', 'linear', 'angular', 'poseCovariance', 'twistCovariance'];
      for (const field of fields) expect({ field, finite: finite(message[field]) }).toEqual({ field, finite: true });
      expect(Math.hypot(...(message.orientation as number[]))).toBeCloseTo(1, 6);
    }
  for (const { accepted } of rig.peer.received('/depth_node/model_ack')) expect(accepted).toBe(false);
  for (const topic of [DEPTH, CAMERA_INFO, EGO_MOTION, ODOMETRY, '/depth_node/model_ack']) rig.peer.forget(topic);
}

interface Seen {
  /** In the model's unit. */
  readonly depth: number[];
  readonly k: number[];
  readonly odometry: PeerMessage;
}

const speedNow = (): Promise<void> => {
  const stamp = { sec: Math.floor(rig.seconds), nanosec: Math.floor((rig.seconds % 1) * 1e9) };
  return send(TWIST, messages.twist({ header: { stamp, frameId: '' } }));
};

/** Until the scale is known there is no odometry. */
async function learnScale(transport: Transport): Promise<void> {
  for (let frame = 0, known = false; !known; frame++) {
    await send(INFO, messages.info({}));
    await speedNow();
    const stamp = await show(transport, 1 + (frame % 2));
    await rig.depthAt(stamp);
    known = (await rig.peer.message(EGO_MOTION, stamped(stamp))).scaleSource === 2;
  }
}

/**
 * What two good pictures, 40 ms apart and long after any other, are made into; with a good camera_info, speed and place of the camera. Camera_info, tf and
 * images are three topics: what is sent first may come last, and a camera_info that was changed into another valid one still hold; of another lens it may
 * come out with the same K. So it is asked again until K, odometry and scale are there; the depth of the next one is then what it is, right or wrong.
 */
async function see(transport: Transport, wanted?: Seen): Promise<Seen> {
  if (!wanted) await learnScale(transport);
  for (let attempt = 0, wasReady = false; ; attempt++) {
    await send(INFO, messages.info({}));
    await send(TF_STATIC, messages.transforms({}));
    rig.seconds += 100;
    await speedNow();
    await rig.depthAt(await show(transport, 1));
    const stamp = await show(transport, 2);
    const depth = floats((await rig.depthAt(stamp)).data);
    const motion = await rig.peer.message(EGO_MOTION, stamped(stamp));
    const infos = rig.peer.received(CAMERA_INFO).filter(stamped(stamp));
    const odometry = rig.peer.received(ODOMETRY).find(stamped(stamp));
    const k = infos[0]?.k as number[] | undefined;
    const isCamera = wanted ? `${k}` === `${wanted.k}` : Math.abs((k?.[0] ?? 0) - 60) < 1e-9;
    const seen = {
      depth: Array.from(depth, (z) => z / (motion.scale as number)),
      k: k!,
      odometry: odometry!,
    };
    const isRight = !wanted || worstOf(seen, wanted) < 1e-6;
    const isReady = isCamera && odometry !== undefined && motion.scaleSource !== 0;
    if ((isReady && (isRight || wasReady)) || attempt === 100) return seen;
    wasReady ||= isReady;
    if (wanted && attempt > 3) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function expectSame(now: Seen, before: Seen): void {
  expect(now.k).toEqual(before.k);
  expect(now.odometry).toMatchObject({ frameId: 'odom', child: 'base_link' });
  expect(worstOf(now, before)).toBeLessThan(1e-6);
}

const worstOf = (now: Seen, before: Seen): number =>
  now.depth.reduce((most, z, i) => Math.max(most, Math.abs(z / before.depth[i] - 1)), 0);

test.each<Transport>(['raw', 'compressed'])(
  'every class of malformed message is refused by name, once in the log (images %s)',
  async (transport) => {
    await rig.start(parameters(transport), topicsOf(transport));
    const before = await see(transport);
    rig.peer.forget(DEPTH);
    await expectNamedOnce(rig.peer, rig.node, await fuzzed(transport));
    expect(rig.peer.received(DEPTH)).toHaveLength(0);
    expect(rig.node.count(/^\[FATAL\] forged/m)).toBe(0);
    expectSame(await see(transport, before), before);
  },
);

test('cut off says nothing of the camera; not calibrated does, and a good camera_info is taken again', async () => {
  await rig.start([], topicsOf('raw').slice(0, 2).concat(topicsOf('raw').slice(8, 11)));
  const motionOf = async (): Promise<unknown> => {
    const stamp = await rig.publish();
    await rig.depthAt(stamp);
    return (await rig.peer.message(EGO_MOTION, stamped(stamp))).scaleSource;
  };
  const until = async (wanted: number): Promise<void> => {
    let source = await motionOf();
    while (source !== wanted) source = await motionOf();
  };
  await send(INFO, messages.info({}));
  await until(1);
  await send(INFO, messages.info({ k: new Array<number>(9).fill(0) }));
  await until(0);
  await send(INFO, messages.info({}));
  await until(1);
  await send(INFO, messages.info({}).subarray(0, 61));
  await rig.node.logged(/camera_info ignored: CDR/);
  expect([await motionOf(), await motionOf()]).toEqual([1, 1]);
});

test.each<Transport>(['raw', 'compressed'])(
  'messages at random on all topics at once, images %s: depth stays right, memory flat, the log bounded',
  async (transport) => {
    await rig.start(parameters(transport), topicsOf(transport));
    const before = await see(transport);
    const probe = async (): Promise<void> => {
      const now = await see(transport, before);
      expectSound();
      expectSame(now, before);
    };
    await fuzz({ peer: rig.peer, node: rig.node, topics: await fuzzed(transport), probe });
  },
  FUZZ_TEST_MS,
);

test('an answer to a model update that cannot be read is no end of its sender', async () => {
  const env = rosEnvironment();
  const topic = '/depth_node/model_ack';
  rig.peer = new Peer([`${topic}=ModelAck:latched_pub`], env);
  rig.node = new NodeProcess('modelSenderNode', ['-p', `model:=${rig.model}`, '-p', `parent:=${rig.model}`], env);
  await rig.peer.matched();
  for (const garbage of cuts(Buffer.alloc(200, 7))) await send(topic, garbage);
  await rig.node.logged(/\/depth_node\/model_ack: message ignored: CDR/);
  expect((await rig.node.end('SIGINT')).code).toBe(0);
});
