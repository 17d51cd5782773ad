/** What would mislead a navigation stack, over real DDS: wrong metres, absurd stamps, two owners of a frame, a model with another unit, speeds that never arrive. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CAMERA, DepthNodeRig, encode, HEIGHT, IMAGE, INFO, picture, stamped, WIDTH } from '../support/depthNode';
import { Peer, type PeerMessage } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const EGO_MOTION = '/depth_node/ego_motion';
const ODOMETRY = '/depth_node/odometry';
const POINTS = '/depth_node/points';
const TOPICS = [
  `${IMAGE}=Image:pub`,
  `${INFO}=CameraInfo:pub`,
  '/depth_node/depth=Image:sub',
  '/depth_node/camera_info=CameraInfo:sub',
  `${EGO_MOTION}=EgoMotion:sub`,
  `${ODOMETRY}=Odometry:sub`,
  '/diagnostics=DiagnosticArray:sub',
];
const rig = new DepthNodeRig();
afterEach(() => rig.stop());

async function start(options: string[] = [], topics: string[] = []): Promise<void> {
  await rig.start(
    options.flatMap((option) => ['-p', option]),
    [...TOPICS, ...topics],
  );
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, width: WIDTH * 2, height: HEIGHT * 2 });
  await rig.publishUntilCameraInfo();
}

let shown = 0;

/** One frame after another, of two pictures in turn; the last one's stamp. */
async function drive(frames: number): Promise<[number, number]> {
  let stamp: [number, number] = [0, 0];
  for (let i = 0; i < frames; i++) {
    stamp = await rig.publish(encode(picture(WIDTH, HEIGHT, shown++ % 2), WIDTH, 'rgb8'));
    await rig.peer.message(EGO_MOTION, stamped(stamp));
  }
  return stamp;
}

const odometryAt = (stamp: [number, number]): Promise<PeerMessage> => rig.peer.message(ODOMETRY, stamped(stamp));
const spread = (message: PeerMessage): number => (message.poseCovariance as number[])[0];

interface Status {
  name: string;
  level: number;
  message: string;
}

async function navigationSays(pattern: RegExp): Promise<Status> {
  const find = ({ status }: PeerMessage): Status | undefined =>
    (status as Status[]).find(({ name, message }) => name === '/depth_node: Navigation' && pattern.test(message));
  rig.peer.forget('/diagnostics');
  return find(await rig.peer.message('/diagnostics', (message) => find(message) !== undefined))!;
}

test('until the metric scale is known there are no points and no odometry, and /diagnostics says why; then both come', async () => {
  await start(
    ['scale_source:=velocity', 'twist_topic:=/twist'],
    ['/twist=TwistStamped:pub', `${POINTS}=PointCloud2:sub`],
  );
  await drive(20);
  const { level } = await navigationSays(
    /the metric scale is unknown, ~\/points and ~\/odometry wait for it: no speed has come yet; odometry: waits for the metric scale/,
  );
  expect(level).toBe(1);
  const speed = async (metres: number): Promise<void> => {
    const [sec, nanosec] = [Math.floor(rig.seconds + 0.02), Math.round(((rig.seconds + 0.02) % 1) * 1e9)];
    await rig.peer.command('twist', { topic: '/twist', stamp: [sec, nanosec], speed: metres });
  };
  for (let i = 0; i < 30; i++) {
    await speed(0.1);
    await drive(1);
  }
  await navigationSays(/speeds have come, too few of them at 0.2 m\/s or more and stamped within 0.2 s of a frame/);
  expect([...rig.peer.received(POINTS), ...rig.peer.received(ODOMETRY)]).toEqual([]);
  for (let i = 0; i < 60; i++) {
    await speed(12);
    await drive(1);
  }
  const stamp = await drive(1);
  await odometryAt(stamp);
  await rig.peer.message(POINTS, stamped(stamp));
});

test('a speed of another type, or of a quality of service that does not go together, is named', async () => {
  const reliable = 'qos_overrides./twist.subscription.reliability:=reliable';
  await start(['scale_source:=velocity', 'twist_topic:=/twist', 'odometry_topic:=/wheels', reliable]);
  const bad = new Peer(['/twist=TwistStamped:best_effort_pub', '/wheels=TwistStamped:pub'], rig.environment);
  try {
    await rig.node.logged(/no speed on \/twist: publisher \/peer offers best effort, we ask reliable/);
    await rig.node.logged(
      /no speed on \/wheels: publisher \/peer publishes geometry_msgs\/msg\/TwistStamped, we have nav_msgs/,
    );
  } finally {
    await bad.close();
  }
});

test("a speed that is not in base_frame's axes is named once, with what is made of it", async () => {
  const options = ['scale_source:=velocity', 'twist_topic:=/twist', 'base_frame:=base_link'];
  await start(options, ['/twist=TwistStamped:pub']);
  for (const frame of ['base_link', 'map', 'map', 'base_link', 'map'])
    await rig.peer.command('twist', { topic: '/twist', stamp: [1, 0], speed: 4, frame });
  const foreign = /\/twist: the velocity is in frame map, not in base_frame base_link: its length is taken/;
  await rig.node.logged(foreign);
  await navigationSays(/5 speeds have come/);
  expect(rig.node.count(foreign)).toBe(1);
});

test('one absurd stamp, ahead or behind, neither moves the odometry nor widens it; a clock that was set is followed', async () => {
  await start();
  const before = await odometryAt(await drive(3));
  for (const stamp of [
    [2_000_000_000, 0],
    [1, 0],
  ] as [number, number][]) {
    const data = encode(picture(WIDTH, HEIGHT, 1), WIDTH, 'rgb8');
    await rig.peer.message(EGO_MOTION, stamped(await rig.publish({ ...data, stamp })));
  }
  const after = await odometryAt(await drive(3));
  expect(spread(after)).toBeLessThan(10 * spread(before)); // as for a few frames more; a minute's pause would be 25 * 60 ** 2
  expect(rig.peer.received(ODOMETRY).every(({ stamp: [sec] }) => sec > 900 && sec < 2000)).toBe(true);
  await rig.node.logged(/the stamp of a frame is \d+\.\d+ s after that before: no odometry for it/);
  rig.seconds = 500;
  const turnedBack = await odometryAt(await drive(3));
  expect(spread(turnedBack)).toBeGreaterThan(spread(after));
  // Off by default: one node only may own odom -> base_link.
  expect(await rig.peer.command('publisher_count', { topic: '/tf' })).toMatchObject({ count: 0 });
});

test('somebody else who says where base_link is: named in /diagnostics as long as it lasts', async () => {
  const link = {
    parent: 'base_link',
    child: 'front_optical',
    position: [1, 0, 1],
    orientation: [-0.5, 0.5, -0.5, 0.5],
  };
  await start(['publish_tf:=true', 'base_frame:=base_link'], ['/tf_static=TFMessage:latched_pub']);
  await rig.peer.command('transform', { topic: '/tf_static', ...link });
  while (rig.peer.received(ODOMETRY).length === 0) await drive(1);
  const inUnits = /^~\/odometry, tf and ~\/points are in the model's unit, not in metres: set scale_source$/;
  await navigationSays(inUnits); // its own messages come back to it, and are its own
  const other = new Peer(['/tf=TFMessage:pub'], rig.environment);
  try {
    await other.matched();
    const wheels = { topic: '/tf', parent: 'odom', child: 'base_link', position: [0, 0, 0], orientation: [0, 0, 0, 1] };
    await other.command('transform', wheels);
    await drive(1);
    await navigationSays(
      /another node publishes odom -> base_link on \/tf: a frame has one owner; set publish_tf to false/,
    );
  } finally {
    await other.close();
  }
  await navigationSays(inUnits);
});

test('a frame that a robot description already has a parent for', async () => {
  const link = {
    parent: 'base_link',
    child: 'front_optical',
    position: [1, 0, 1],
    orientation: [-0.5, 0.5, -0.5, 0.5],
  };
  await start(['publish_tf:=true'], ['/tf_static=TFMessage:latched_pub']);
  await rig.peer.command('transform', { topic: '/tf_static', ...link });
  await drive(3);
  await navigationSays(/another node publishes base_link -> front_optical on \/tf_static: a frame has one owner/);
});

test('a missing mount is said in /diagnostics', async () => {
  await start(['base_frame:=base_link']);
  await drive(3);
  const { level } = await navigationSays(
    /odometry: no transform from base_link to front_optical on \/tf_static or \/tf/,
  );
  expect(level).toBe(1);
});

test('another model, whose unit is another one, steps no pose; a fixed scale is doubtful until it is set anew', async () => {
  const other = join(rig.folder, 'other.onnx');
  writeFileSync(other, tinyModel({ width: WIDTH, height: HEIGHT, metresAtWhite: 150 }));
  await start(['scale_source:=fixed', 'fixed_scale:=2.0']);
  const before = await odometryAt(await drive(6));
  const { ack } = await rig.peer.command('load_model', { node: '/depth_node', path: other });
  expect(ack).toMatchObject({ accepted: true });
  const stamp = await drive(1);
  const after = await odometryAt(stamp);
  const doubted = await navigationSays(/^fixed_scale is of the model before: check it, and set it again$/);
  expect(doubted).toMatchObject({ level: 1, values: { scale: '2.0000', scale_sd: '0.3007' } });
  const same = { node: '/depth_node', name: 'fixed_scale', value: 2.0, double: true };
  expect(await rig.peer.command('set_parameter', same)).toMatchObject({ successful: true });
  expect(await navigationSays(/^1 unit is 2\.000 m$/)).toMatchObject({ level: 0, values: { scale_sd: '0.0200' } });
  const step = Math.hypot(...[0, 1, 2].map((i) => (after.position as number[])[i] - (before.position as number[])[i]));
  const rate = Math.hypot(...(before.linear as number[]));
  expect(step).toBeLessThan(2 * 0.04 * rate + 1e-3);
});

test.each([
  [['base_frame:=odom'], /parameter base_frame: is odom_frame; no frame moves in itself/],
  [['least_speed:=0.0'], /parameter least_speed: must be a double \(write 80.0, not 80\) from 0.01 to 100/],
])('%j is refused by name', async (options, pattern) => {
  rig.run(['-p', `model:=${rig.model}`, ...options.flatMap((option) => ['-p', option])]);
  await rig.node.logged(pattern);
  expect(await rig.node.exitCode()).toBe(1);
});
