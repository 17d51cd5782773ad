/** /diagnostics of depth_node: one status per part, a level and a cause for everything that can be wrong with a camera, and two cameras kept apart. */
import { CAMERA, DepthNodeRig, HEIGHT, IMAGE, INFO, WIDTH } from '../support/depthNode';
import { NodeProcess, type PeerMessage } from '../support/ros';

const rig = new DepthNodeRig();
let second: NodeProcess | undefined;
afterEach(async () => {
  await second?.kill();
  second = undefined;
  await rig.stop();
});

interface Status {
  name: string;
  level: number;
  message: string;
  hardwareId: string;
  values: Record<string, string>;
}

const statusesOf = (message: PeerMessage): Status[] => message.status as Status[];
const find = (message: PeerMessage, name: string): Status | undefined =>
  statusesOf(message).find((status) => status.name === name);

async function status(name: string, fits: (status: Status) => boolean): Promise<Status> {
  rig.peer.forget('/diagnostics');
  const message = await rig.peer.message('/diagnostics', (one) => {
    const found = find(one, name);
    return found !== undefined && fits(found);
  });
  return find(message, name)!;
}

const TOPICS = [
  `${IMAGE}=Image:pub`,
  `${INFO}=CameraInfo:pub`,
  '/depth_node/depth=Image:sub',
  '/diagnostics=DiagnosticArray:sub',
];
const CAMERA_STATUS = '/depth_node: Camera';
const pixels = (byte: number): { data: string } => ({
  data: Buffer.alloc(WIDTH * HEIGHT * 3, byte).toString('base64'),
});
const stream = (image: object): Promise<unknown> =>
  rig.peer.command('publish_until_stopped', {
    ...{ topic: IMAGE, frameId: 'front', width: WIDTH, height: HEIGHT, step: WIDTH * 3, encoding: 'rgb8', rate: 20 },
    ...image,
  });

test('a camera from its first image on: no camera_info, well, black, refused, silent, gone, back', async () => {
  await rig.start([], TOPICS);
  await stream(pixels(90));
  const without = await status(CAMERA_STATUS, ({ level }) => level === 1);
  expect(without).toMatchObject({
    message: 'no usable camera_info: ego-motion and scale are unavailable',
    hardwareId: IMAGE,
    values: { image_topic: IMAGE, publishers: '1', camera_info: 'false' },
  });
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, width: WIDTH, height: HEIGHT });
  expect(await status(CAMERA_STATUS, ({ level }) => level === 0)).toMatchObject({ message: 'images arrive' });
  const inference = await status('/depth_node: Inference', ({ level }) => level === 0);
  expect(Number(inference.values.fps)).toBeGreaterThan(5);
  expect(inference.message).toMatch(/^\d+\.\d depths\/s$/);
  const change = async (image: object): Promise<void> => {
    await rig.peer.command('stop_publishing');
    await stream(image);
  };
  await change(pixels(2));
  await status(CAMERA_STATUS, ({ level, message }) => level === 1 && message === 'the images are black');
  await change({ ...pixels(90), encoding: 'unknown' });
  await status(CAMERA_STATUS, ({ level, message }) => level === 2 && message.startsWith('all images are refused'));
  await rig.peer.command('stop_publishing');
  const silent = `no image on ${IMAGE} for`;
  await status(CAMERA_STATUS, ({ level, message }) => level === 1 && message.startsWith(silent));
  await status(CAMERA_STATUS, ({ level, message }) => level === 2 && message.endsWith('5 s: its publisher is silent'));
  await stream(pixels(90));
  await status(CAMERA_STATUS, ({ level }) => level === 0);
});

test('two cameras: no status of one looks like one of the other', async () => {
  await rig.start([], ['/diagnostics=DiagnosticArray:sub']);
  const own = ['-r', '__ns:=/rear', '-p', `model:=${rig.model}`];
  second = new NodeProcess('depthNode', own, rig.environment);
  await status('/rear/depth_node: Lifecycle', ({ message }) => message === 'active');
  await status('/depth_node: Lifecycle', ({ message }) => message === 'active');
  const names = (message: PeerMessage): string =>
    statusesOf(message)
      .map(({ name }) => name)
      .join();
  const parts = (node: string): string =>
    ['Inference', 'Model', 'Camera', 'Navigation', 'Lifecycle'].map((part) => `${node}: ${part}`).join();
  for (const node of ['/depth_node', '/rear/depth_node'])
    await rig.peer.message('/diagnostics', (message) => names(message) === parts(node));
  const rear = await status('/rear/depth_node: Camera', () => true);
  expect(rear.hardwareId).toBe('/rear/image');
});

test('image_transport compressed: what is named is the topic that is subscribed to', async () => {
  await rig.start(['-p', 'image_transport:=compressed'], ['/diagnostics=DiagnosticArray:sub']);
  const silent = `no image on ${IMAGE}/compressed for`;
  expect(await status(CAMERA_STATUS, ({ message }) => message.startsWith('no image on'))).toMatchObject({
    message: expect.stringContaining(silent),
    hardwareId: IMAGE,
    values: { image_topic: `${IMAGE}/compressed` },
  });
});

test('once a second', async () => {
  await rig.start([], ['/diagnostics=DiagnosticArray:sub']);
  await rig.peer.message('/diagnostics');
  const stamps: number[] = [];
  while (stamps.length < 4) {
    const { stamp } = await rig.peer.message('/diagnostics');
    stamps.push(stamp[0] + stamp[1] * 1e-9);
  }
  expect((stamps[3] - stamps[0]) / 3).toBeGreaterThan(0.9);
  expect((stamps[3] - stamps[0]) / 3).toBeLessThan(1.5);
});
