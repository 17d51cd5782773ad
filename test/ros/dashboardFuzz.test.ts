/** Malformed messages on every topic dashboard_node subscribes to, at once, with a browser looking; as depthNodeFuzz.test.ts. */
import { AdaptationStatusFields, DashboardMessages } from '../support/dashboardMessages';
import { eventually, PAGE, ViewClient } from '../support/dashboard';
import { HEIGHT, IMAGE, picture, WIDTH } from '../support/depthNode';
import { expectNamedOnce, fuzz, FUZZ_TEST_MS, type FuzzedTopic } from '../support/fuzz';
import * as messages from '../support/fuzzMessages';
import { NodeProcess, Peer, rosEnvironment } from '../support/ros';
import { VIEWS } from '../../src/nodes/dashboard/viewFrame';

const made = new DashboardMessages();
const PICTURES = ['camera', 'depth', 'gradient', 'confidence'];
const TOPICS = {
  camera: IMAGE,
  depth: '/depth_node/depth',
  gradient: '/depth_node/gradient',
  confidence: '/depth_node/confidence',
  info: '/depth_node/camera_info',
  egoMotion: '/depth_node/ego_motion',
  odometry: '/depth_node/odometry',
  diagnostics: '/diagnostics',
  status: '/adaptation_node/status',
};

let peer: Peer;
let node: NodeProcess;
let client: ViewClient;
afterEach(async () => {
  client?.close();
  await node?.kill();
  await peer?.close();
});

async function start(): Promise<void> {
  const environment = rosEnvironment();
  const { camera, depth, gradient, confidence, info, egoMotion, odometry, diagnostics, status } = TOPICS;
  peer = new Peer(
    [
      ...[camera, depth, confidence].map((topic) => `${topic}=Image:pub`),
      `${gradient}=DepthGradient:pub`,
      `${info}=CameraInfo:pub`,
      `${egoMotion}=EgoMotion:pub`,
      `${odometry}=Odometry:pub`,
      `${diagnostics}=DiagnosticArray:pub`,
      `${status}=AdaptationStatus:latched_pub`,
    ],
    environment,
  );
  const parameters = { port: 0, foxglove_port: 0, max_rate: '60.0', image_reliability: 'reliable' };
  const given = Object.entries(parameters).flatMap(([name, value]) => ['-p', `${name}:=${value}`]);
  node = new NodeProcess('dashboardNode', ['-r', `image:=${IMAGE}`, ...given], environment);
  client = new ViewClient(PAGE.exec(await node.logged(PAGE))![1]);
  await client.opened;
  client.say({ want: VIEWS });
  await peer.matched();
}

function fuzzed(): FuzzedTopic[] {
  const header = messages.header;
  const pictureOf = (topic: string): string => `${topic}: not shown`;
  return [
    {
      topic: TOPICS.camera,
      good: [messages.image({}), ...messages.moreImages()],
      classes: messages.imageFaults(pictureOf(IMAGE)),
    },
    { topic: TOPICS.depth, good: [made.map(header, 1)], classes: made.mapFaults(TOPICS.depth) },
    { topic: TOPICS.confidence, good: [made.map(header, 1)], classes: made.mapFaults(TOPICS.confidence) },
    { topic: TOPICS.gradient, good: [made.gradient(header)], classes: made.gradientFaults(TOPICS.gradient) },
    { topic: TOPICS.info, good: [messages.info({})], classes: messages.infoFaults(`${TOPICS.info}: message ignored`) },
    { topic: TOPICS.egoMotion, good: [made.egoMotion({})], classes: made.egoMotionFaults(TOPICS.egoMotion) },
    { topic: TOPICS.odometry, good: [messages.odometry({})], classes: made.odometryFaults(TOPICS.odometry) },
    { topic: TOPICS.diagnostics, good: [made.diagnostics()], classes: made.diagnosticsFaults(TOPICS.diagnostics) },
    { topic: TOPICS.status, good: [made.status()], classes: made.statusFaults(TOPICS.status) },
  ];
}

let seconds = 1000;
/** base64 of each view of one instant. */
type Shown = Record<string, string>;

/** What the browser gets of good messages, all of one stamp. */
async function show(): Promise<Shown> {
  const stamp = { sec: ++seconds, nanosec: 0 };
  const header = { ...messages.header, stamp };
  const isNow = ({ header: told }: ViewClient['frames'][number]): boolean => told.stamp?.sec === stamp.sec;
  const sent: [string, Buffer][] = [
    [TOPICS.info, messages.info({ header, width: WIDTH, height: HEIGHT })],
    [TOPICS.diagnostics, made.diagnostics()],
    [TOPICS.status, made.status()],
    [TOPICS.odometry, messages.odometry({ header })],
    [TOPICS.camera, messages.image({ header, data: picture(WIDTH, HEIGHT, 2) })],
    [TOPICS.depth, made.map(header, 1)],
    [TOPICS.gradient, made.gradient(header)],
    [TOPICS.confidence, made.map(header, 1 / 200)],
  ];
  // Again, as a camera would: camera_info may come later than the map it is of.
  const resend = async (): Promise<void> => {
    await peer.command('barrage', { messages: sent.map(([topic, data]) => [topic, data.toString('base64'), 1]) });
  };
  const latest = (view: string): ViewClient['frames'][number] | undefined => client.of(view).filter(isNow).at(-1);
  let sentAt = 0;
  await eventually(
    async () => {
      if (Date.now() - sentAt > 300) {
        await resend();
        sentAt = Date.now();
      }
      return PICTURES.every((view) => latest(view)) && latest('depth')!.header.k !== undefined;
    },
    () =>
      `views of ${stamp.sec}: ${client.frames.map(({ header }) => `${header.view} ${header.stamp?.sec}`).join(', ')}`,
  );
  const path = client.of('trajectory').at(-1);
  if (path) {
    const points = new Float32Array(
      path.payload.buffer.slice(path.payload.byteOffset, path.payload.byteOffset + path.payload.length),
    );
    expect(points.every(Number.isFinite)).toBe(true);
    expect(path.header.length).not.toBeNull();
  }
  expect(latest('depth')!.header.k).toEqual(messages.cameraK);
  const shown = Object.fromEntries(PICTURES.map((view) => [view, latest(view)!.payload.toString('base64')]));
  client.frames.length = 0;
  return shown;
}

/** The numbers of the page, once they are as the good messages have them. */
async function expectNumbers(): Promise<void> {
  const { diagnostics, adaptation } = AdaptationStatusFields;
  await eventually(
    () => {
      const state = client.states.at(-1) as {
        diagnostics?: { name: string; message: string }[];
        adaptation?: { state: string };
      };
      const inference = state?.diagnostics?.find(({ name }) => name === diagnostics.name);
      return inference?.message === diagnostics.message && state.adaptation?.state === adaptation.state;
    },
    () => JSON.stringify(client.states.at(-1)).slice(0, 2000),
  );
  client.states.length = 0;
}

test(
  'every class of malformed message is refused by name, once in the log',
  async () => {
    await start();
    const before = await show();
    await expectNamedOnce(peer, node, fuzzed());
    expect(await show()).toEqual(before);
    await expectNumbers();
  },
  FUZZ_TEST_MS,
);

test(
  'messages at random on all topics at once: good ones are shown as before, memory flat, the log bounded',
  async () => {
    await start();
    const before = await show();
    const probe = async (): Promise<void> => expect(await show()).toEqual(before);
    await fuzz({ peer, node, topics: fuzzed(), probe, isPolled: true });
    await expectNumbers();
  },
  FUZZ_TEST_MS,
);
