/** ~/odometry, /tf and the metric scale over real DDS, read by rclpy: against ~/ego_motion of the same frames. */
import { compose, fromVector6, rotationFromQuaternion, type Quaternion, type Se3 } from '../../src/geometry/se3';
import { OPTICAL_IN_BODY } from '../../src/odometry/childFrame';
import { CAMERA, DepthNodeRig, encode, HEIGHT, IMAGE, INFO, picture, stamped, WIDTH } from '../support/depthNode';
import { floats, Peer, type PeerMessage } from '../support/ros';

const EGO_MOTION = '/depth_node/ego_motion';
const ODOMETRY = '/depth_node/odometry';
const TOPICS = [
  `${IMAGE}=Image:pub`,
  `${INFO}=CameraInfo:pub`,
  '/depth_node/depth=Image:sub',
  '/depth_node/camera_info=CameraInfo:sub',
  `${EGO_MOTION}=EgoMotion:sub`,
  `${ODOMETRY}=Odometry:sub`,
];
const rig = new DepthNodeRig();
afterEach(() => rig.stop());

type Stamp = [number, number];

const poseOf = ({ position, orientation }: PeerMessage): Se3 => ({
  translation: Float64Array.from(position as number[]),
  rotation: rotationFromQuaternion(orientation as unknown as Quaternion),
});
const diagonal = (covariance: unknown): number[] => [0, 1, 2, 3, 4, 5].map((i) => (covariance as number[])[7 * i]);
const transposed = (r: Float64Array): Float64Array =>
  Float64Array.of(r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]);

function near(got: Se3, expected: Se3): void {
  expect([...got.translation]).toEqual([...expected.translation].map((value) => expect.closeTo(value, 6)));
  expect([...got.rotation]).toEqual([...expected.rotation].map((value) => expect.closeTo(value, 6)));
}

async function start(options: string[] = [], topics: string[] = []): Promise<void> {
  await rig.start(
    options.flatMap((option) => ['-p', option]),
    [...TOPICS, ...topics],
  );
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, width: WIDTH * 2, height: HEIGHT * 2 });
  await rig.publishUntilCameraInfo();
}

/** Frames one after another, each with its ego-motion and odometry. */
async function see(count: number, first = 0): Promise<{ stamp: Stamp; motion: PeerMessage; odometry: PeerMessage }[]> {
  const seen = [];
  for (let i = 0; i < count; i++) {
    const stamp = await rig.publish(encode(picture(WIDTH, HEIGHT, first + i), WIDTH, 'rgb8'));
    const motion = await rig.peer.message(EGO_MOTION, stamped(stamp));
    seen.push({ stamp, motion, odometry: await rig.peer.message(ODOMETRY, stamped(stamp)) });
  }
  return seen;
}

test("the odometry is the chained ego-motion in a body's axes, with a covariance that is never zero and grows", async () => {
  await start();
  const first = await rig.peer.message(ODOMETRY);
  expect(Math.min(...diagonal(first.poseCovariance))).toBeGreaterThan(0);
  expect(Math.min(...diagonal(first.twistCovariance))).toBeGreaterThan(0);
  const seen = await see(8);
  // From what was before on, in the camera's axes at the start.
  const turn: Se3 = { rotation: transposed(OPTICAL_IN_BODY.rotation), translation: new Float64Array(3) };
  let pose = compose(turn, poseOf(seen[0].odometry));
  for (const { motion, odometry } of seen.slice(1)) {
    pose = compose(pose, poseOf(motion));
    near(poseOf(odometry), compose(OPTICAL_IN_BODY, pose));
    expect(odometry).toMatchObject({ frameId: 'odom', child: 'front_optical' });
    expect(odometry.linear).toEqual((motion.linear as number[]).map((value) => expect.closeTo(value, 9)));
    expect(odometry.angular).toEqual((motion.angular as number[]).map((value) => expect.closeTo(value, 9)));
    for (const covariance of [odometry.poseCovariance, odometry.twistCovariance, motion.poseCovariance]) {
      expect(Math.min(...diagonal(covariance))).toBeGreaterThan(0);
      const c = covariance as number[];
      for (let i = 0; i < 6; i++) for (let j = 0; j < i; j++) expect(c[6 * i + j]).toBeCloseTo(c[6 * j + i], 9);
    }
  }
  const spread = (message: PeerMessage): number => diagonal(message.poseCovariance).reduce((sum, value) => sum + value);
  for (let i = 2; i < seen.length; i++) expect(spread(seen[i].odometry)).toBeGreaterThan(spread(seen[i - 1].odometry));
});

test('black frames are bridged by the last motion, with a covariance that grows faster, and said in the log', async () => {
  await start();
  const before = (await see(4)).map(({ odometry }) => odometry);
  const black: PeerMessage[] = [];
  for (let i = 0; i < 3; i++) {
    const stamp = await rig.publish({ data: Buffer.alloc(WIDTH * HEIGHT * 3).toString('base64') });
    expect((await rig.peer.message(EGO_MOTION, stamped(stamp))).scaleSource).toBe(0);
    black.push(await rig.peer.message(ODOMETRY, stamped(stamp)));
  }
  // Until two frames can be compared again.
  const after = (await see(3)).map(({ odometry }) => odometry);
  const all = [...before, ...black, ...after];
  const way = (i: number): number =>
    Math.hypot(...(all[i].position as number[]).map((value, k) => value - (all[i - 1].position as number[])[k]));
  for (const i of [4, 5, 6]) expect(way(i)).toBeCloseTo(way(3), 4);
  const grown = (i: number): number => diagonal(all[i].poseCovariance)[0] - diagonal(all[i - 1].poseCovariance)[0];
  // What the vehicle could have done instead: 5 m/s, in .04 s more than the .04 s before.
  expect(grown(5)).toBeGreaterThan(25 * (0.08 ** 2 - 0.04 ** 2) * 0.9);
  expect(grown(6)).toBeGreaterThan(grown(5));
  await rig.node.logged(/the motion of a frame is not known: the odometry goes on with the last one/);
});

test('a black frame that overtakes the motion of the frame before does not spoil it', async () => {
  await start();
  const spread = async (stamp: Stamp): Promise<number> =>
    diagonal((await rig.peer.message(EGO_MOTION, stamped(stamp))).poseCovariance)[0];
  const black = { data: Buffer.alloc(WIDTH * HEIGHT * 3).toString('base64') };
  await spread(await rig.publish());
  const alone = await spread(await rig.publish());
  for (let i = 0; i < 10; i++) {
    await spread(await rig.publish());
    // Close behind it: black frames need no network.
    const [stamp] = await Promise.all([rig.publish(), rig.publish(black)]);
    expect((await spread(stamp)) / alone).toBeCloseTo(1, 6);
    await spread(await rig.publish());
  }
});

test("of a base: the camera's place comes from /tf_static, before it there is no odometry; /tf has the same pose", async () => {
  const mount: Se3 = compose(
    { ...OPTICAL_IN_BODY, translation: Float64Array.of(1.5, 0, 1.2) },
    fromVector6([0, 0, 0, -0.05, 0, 0]),
  );
  await start(
    ['base_frame:=base_link', 'odom_frame:=odometry_frame', 'publish_tf:=true'],
    ['/tf_static=TFMessage:latched_pub', '/tf=TFMessage:sub'],
  );
  await rig.depthAt(await rig.publish());
  await rig.node.logged(/no odometry: no transform from base_link to front_optical on \/tf_static or \/tf/);
  expect(rig.peer.received(ODOMETRY)).toHaveLength(0);
  const [x, y, z, w] = [-0.5, 0.5, -0.5, 0.5];
  await rig.peer.command('transform', {
    topic: '/tf_static',
    parent: 'base_link',
    child: 'mast',
    position: [1.5, 0, 1.2],
    orientation: [x, y, z, w],
  });
  const tilt = [Math.sin(-0.025), 0, 0, Math.cos(-0.025)];
  await rig.peer.command('transform', {
    topic: '/tf_static',
    parent: 'mast',
    child: 'front_optical',
    position: [0, 0, 0],
    orientation: tilt,
  });
  while (rig.peer.received(ODOMETRY).length === 0) await rig.depthAt(await rig.publish());
  const seen = await see(4);
  const inverseMount: Se3 = { rotation: transposed(mount.rotation), translation: new Float64Array(3) };
  for (const [i, { stamp, motion, odometry }] of seen.entries()) {
    expect(odometry).toMatchObject({ frameId: 'odometry_frame', child: 'base_link' });
    const transform = await rig.peer.message('/tf', stamped(stamp));
    expect(transform).toMatchObject({ frameId: 'odometry_frame', child: 'base_link' });
    near(poseOf(transform), poseOf(odometry));
    // Turns alike, in the base's axes: base = mount camera mount^-1.
    if (i === 0) continue;
    const turned = compose(
      compose({ ...mount, translation: new Float64Array(3) }, { ...poseOf(motion), translation: new Float64Array(3) }),
      inverseMount,
    );
    const expected = compose({ ...poseOf(seen[i - 1].odometry), translation: new Float64Array(3) }, turned);
    expect([...poseOf(odometry).rotation]).toEqual([...expected.rotation].map((value) => expect.closeTo(value, 6)));
  }
});

test("by the vehicle's speed depth, points of the way and odometry become metric, in small steps", async () => {
  await start(['scale_source:=velocity', 'twist_topic:=/twist', 'max_range:=1000000.0'], ['/twist=TwistStamped:pub']);
  const look = async (seed = 0): Promise<{ stamp: Stamp; motion: PeerMessage }> => {
    const stamp = await rig.publish(encode(picture(WIDTH, HEIGHT, seed), WIDTH, 'rgb8'));
    return { stamp, motion: await rig.peer.message(EGO_MOTION, stamped(stamp)) };
  };
  const unknown = await look();
  expect(unknown.motion).toMatchObject({ scale: 1, scaleSource: 1, scaleVariance: 'inf' });
  const unit = floats((await rig.depthAt(unknown.stamp)).data as string);
  const scales: number[] = [];
  let last = unknown;
  for (let i = 0; i < 65; i++) {
    const [sec, nanosec] = [Math.floor(rig.seconds + 0.02), Math.floor(((rig.seconds + 0.02) % 1) * 1e9)];
    await rig.peer.command('twist', { topic: '/twist', stamp: [sec, nanosec], speed: 12 });
    last = await look(i % 2);
    scales.push(last.motion.scale as number);
  }
  expect(last.motion.scaleSource).toBe(2);
  expect(Number(last.motion.scaleVariance)).toBeGreaterThan(0);
  expect(scales[0]).toBe(1);
  const known = scales.filter((scale) => scale !== 1);
  for (let i = 1; i < known.length; i++) expect(Math.abs(known[i] / known[i - 1] - 1)).toBeLessThan(0.01);
  // The same picture as at the start: its depth is now in metres.
  const again = await look();
  const metres = floats((await rig.depthAt(again.stamp)).data as string);
  expect(metres[500] / unit[500]).toBeCloseTo(again.motion.scale as number, 3);
});

test('it rests when nobody has listened for a while, and goes on where it was, with a wider covariance', async () => {
  const quiet = TOPICS.filter((topic) => !topic.startsWith(ODOMETRY) && !topic.startsWith(EGO_MOTION));
  await rig.start([], [...quiet, '/diagnostics=DiagnosticArray:sub']);
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, width: WIDTH * 2, height: HEIGHT * 2 });
  await rig.publishUntilCameraInfo();
  const told = async (text: string): Promise<void> => {
    rig.peer.forget('/diagnostics');
    const isTold = (message: PeerMessage): boolean =>
      message.topic === '/diagnostics' && JSON.stringify(message.status).includes(text);
    while (!rig.peer.received('/diagnostics').some(isTold)) await rig.depthAt(await rig.publish());
  };
  const listen = async (): Promise<PeerMessage> => {
    const listener = new Peer([`${ODOMETRY}=Odometry:sub`], rig.environment);
    await listener.matched();
    let stamp = await rig.publish();
    for (let i = 0; i < 5; i++) {
      await rig.depthAt(stamp);
      stamp = await rig.publish();
    }
    const heard = await listener.message(ODOMETRY, stamped(stamp));
    await listener.close();
    return heard;
  };
  await told('resting: nobody listens');
  const before = await listen();
  await told('running');
  await told('resting: nobody listens');
  const after = await listen();
  const way = Math.hypot(...(after.position as number[]).map((value, i) => value - (before.position as number[])[i]));
  expect(way).toBeLessThan(1); // the same picture over and over: it stands
  expect(diagonal(after.poseCovariance)[0]).toBeGreaterThan(25 * diagonal(before.poseCovariance)[0]);
});

test.each([
  [['scale_source:=velocity'], /parameter scale_source: is velocity, which needs twist_topic or odometry_topic/],
  [['scale_source:=camera_height'], /parameter camera_height: is 0.0; scale_source camera_height needs it, in metres/],
  [['scale_source:=radar'], /parameter scale_source: is "radar", must be one of none, velocity, camera_height, fixed/],
  [["odom_frame:=''"], /parameter odom_frame: is empty/],
])('%j is refused by name', async (options, pattern) => {
  rig.run(['-p', `model:=${rig.model}`, ...options.flatMap((option) => ['-p', option])]);
  await rig.node.logged(pattern);
  expect(await rig.node.exitCode()).toBe(1);
});
