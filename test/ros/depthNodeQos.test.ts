/** Quality of service: every mix of camera and node, overrides, and mismatches that are named where there would be silence. */
import { CAMERA, DepthNodeRig, IMAGE, INFO } from '../support/depthNode';
import { Peer, rosEnvironment, type PeerMessage } from '../support/ros';

const DEPTH = '/depth_node/depth';
const rig = new DepthNodeRig();
afterEach(() => rig.stop());

type Status = { name: string; level: number; message: string; hardwareId: string };
const camera = ({ status }: PeerMessage): Status =>
  (status as Status[]).find(({ name }) => name === '/depth_node: Camera')!;
const cameraSays = async (fits: (status: Status) => boolean): Promise<Status> =>
  camera(await rig.peer.message('/diagnostics', (message) => fits(camera(message))));

const ask = (reliability: string): string[] => ['-p', `image_reliability:=${reliability}`];

/** Publishes until a depth has come; best effort may lose images. */
async function depthComes(): Promise<void> {
  while (rig.peer.received(DEPTH).length === 0) await rig.publish();
}

test.each([
  ['pub', 'reliable'],
  ['pub', 'best_effort'],
  ['best_effort_pub', 'best_effort'],
])('a camera that is %s and a node that asks %s: depth comes', async (role, reliability) => {
  await rig.start(ask(reliability), [`${IMAGE}=Image:${role}`, `${DEPTH}=Image:sub`]);
  await depthComes();
  expect(rig.node.count(/publisher .* offers/)).toBe(0);
});

test('a best-effort camera and a node that asks reliable: named once in the log, and in /diagnostics as long as it lasts', async () => {
  const topics = [`${DEPTH}=Image:sub`, '/diagnostics=DiagnosticArray:sub'];
  await rig.start([], topics); // nobody publishes images yet
  await cameraSays(({ level, message }) => level === 2 && message.endsWith(`nobody publishes there`));
  const environment = rig.environment;
  const bad = new Peer([`${IMAGE}=Image:best_effort_pub`], environment);
  try {
    const fault = `no images on ${IMAGE}: publisher /peer offers best effort, we ask reliable`;
    const { hardwareId } = await cameraSays(({ level, message }) => level === 2 && message.includes(fault));
    expect(hardwareId).toBe(IMAGE);
    await cameraSays(({ message }) => message.includes(fault));
    await rig.node.logged(new RegExp(fault));
    expect(rig.node.count(new RegExp(fault))).toBe(1);
  } finally {
    await bad.close();
  }
  await cameraSays(({ message }) => !message.includes('offers best effort'));
});

test('an override makes the same pair work, is read-only, and is shown by name', async () => {
  const name = `qos_overrides.${IMAGE}.subscription.reliability`;
  await rig.start(['-p', `${name}:=best_effort`], [`${IMAGE}=Image:best_effort_pub`, `${DEPTH}=Image:sub`]);
  await depthComes();
  const node = '/depth_node';
  expect((await rig.peer.command('get_parameter', { node, name })).value).toBe('best_effort');
  const value = 'reliable';
  expect(await rig.peer.command('set_parameter', { node, name, value })).toMatchObject({ successful: false });
  const names = [name, name.replace('reliability', 'depth')];
  const { descriptors } = await rig.peer.command('describe_parameters', { node, names });
  expect(descriptors).toMatchObject([
    { readOnly: true, text: expect.stringContaining('reliable, best_effort') },
    { readOnly: true, integer: true, range: [1, 1000] },
  ]);
});

test('publications: a best-effort depth by override; a subscriber that asks reliable is named', async () => {
  const override = `qos_overrides.${DEPTH}.publisher.reliability:=best_effort`;
  const topics = [`${IMAGE}=Image:pub`, `${DEPTH}=Image:best_effort_sub`, '/diagnostics=DiagnosticArray:sub'];
  await rig.start(['-p', override], topics);
  await depthComes();
  const deaf = new Peer([`${DEPTH}=Image:sub`], rig.environment);
  try {
    await rig.node.logged(
      new RegExp(`no depth on ${DEPTH} for subscriber /peer: it asks reliable, we offer best effort`),
    );
    await cameraSays(({ level, message }) => level >= 1 && message.includes('for subscriber /peer'));
  } finally {
    await deaf.close();
  }
});

test('camera_info: its own override, and its own mismatch', async () => {
  const durability = `qos_overrides.${INFO}.subscription.durability:=transient_local`;
  const topics = [`${IMAGE}=Image:pub`, `${INFO}=CameraInfo:pub`, `${DEPTH}=Image:sub`];
  const env = rosEnvironment();
  rig.peer = new Peer(topics, env);
  const own = ['-r', `image:=${IMAGE}`, '-p', `model:=${rig.model}`];
  rig.run([...own, '-p', durability], env);
  await rig.node.logged(
    new RegExp(`no camera_info on ${INFO}: publisher /peer offers volatile, we ask transient local`),
  );
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA });
  await depthComes();
  expect(rig.node.count(/camera_info of a/)).toBe(0);
  await rig.stop();

  // a latched camera_info reaches a node that asks for it, however late it starts
  const late = rosEnvironment();
  rig.peer = new Peer([`${INFO}=CameraInfo:latched_pub`], late);
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA });
  rig.run([...own, '-p', durability, '-p', `qos_overrides.${INFO}.subscription.reliability:=reliable`], late);
  await rig.node.logged(/\/front\/camera_info: camera_info of a 192x128 camera/);
});

test('another type on the image topic is named', async () => {
  await rig.start([], [`${DEPTH}=Image:sub`, '/diagnostics=DiagnosticArray:sub']);
  const compressed = new Peer([`${IMAGE}=CompressedImage:pub`], rig.environment);
  try {
    await rig.node.logged(/no images on \S+: publisher \/peer publishes sensor_msgs\/msg\/CompressedImage, we have/);
  } finally {
    await compressed.close();
  }
});

test('what is set between two lives of the node holds in the second; an override stays as it was given', async () => {
  const gradient = '/depth_node/gradient';
  const nameOf = (topic: string, entity: string, policy: string): string =>
    `qos_overrides.${topic}.${entity}.${policy}`;
  const override = `${nameOf(gradient, 'publisher', 'reliability')}:=reliable`;
  await rig.startManaged(['-p', override], [`${IMAGE}=Image:best_effort_pub`]);
  const node = '/depth_node';
  const change = async (label: string): Promise<void> =>
    expect(await rig.peer.command('change_state', { node, label })).toMatchObject({ success: true });
  const set = async (fields: object): Promise<void> =>
    expect(await rig.peer.command('set_parameter', { node, ...fields })).toMatchObject({ successful: true });
  const get = async (name: string): Promise<unknown> => (await rig.peer.command('get_parameter', { node, name })).value;
  await change('configure'); // the rig asks for reliable images
  await change('cleanup');
  await set({ name: 'publish_reliability', value: 'best_effort' });
  await set({ name: 'image_reliability', value: 'best_effort' });
  await set({ name: 'image_queue_depth', value: 7, integer: true });
  await change('configure');
  await change('activate');
  expect([
    await get(nameOf(DEPTH, 'publisher', 'reliability')),
    await get(nameOf(gradient, 'publisher', 'reliability')),
    await get(nameOf(IMAGE, 'subscription', 'reliability')),
    await get(nameOf(IMAGE, 'subscription', 'depth')),
  ]).toEqual(['best_effort', 'reliable', 'best_effort', 7]);
  const deaf = new Peer([`${DEPTH}=Image:best_effort_sub`, `${gradient}=DepthGradient:sub`], rig.environment);
  try {
    await deaf.matched();
    while (deaf.received(DEPTH).length === 0 || deaf.received(gradient).length === 0) await rig.publish();
  } finally {
    await deaf.close();
  }
  const reliable = new Peer([`${DEPTH}=Image:sub`], rig.environment);
  try {
    await rig.node.logged(
      new RegExp(`no depth on ${DEPTH} for subscriber /peer: it asks reliable, we offer best effort`),
    );
  } finally {
    await reliable.close();
  }
});

test.each([
  [`qos_overrides.${IMAGE}.subscription.reliability:=sometimes`, /must be one of reliable, best_effort/],
  [`qos_overrides.${IMAGE}.subscription.history:=keep_all`, /must be one of keep_last/],
  [`qos_overrides.${IMAGE}.subscription.depth:=0`, /must be an integer from 1 to 1000/],
  [`qos_overrides.${DEPTH}.publisher.depth:=many`, /must be an integer from 1 to 1000/],
])('%s ends the node by its name', async (override, message) => {
  const ending = rig.run(['-r', `image:=${IMAGE}`, '-p', `model:=${rig.model}`, '-p', override]);
  expect(await ending.exitCode()).toBe(1);
  expect(ending.output).toContain(`depth_node: parameter ${override.split(':=')[0]}: `);
  expect(ending.output).toMatch(message);
});
