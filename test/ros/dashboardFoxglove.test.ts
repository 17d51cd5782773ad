/** The Foxglove protocol as its own client library speaks it, with rclpy publishing behind dashboard_node. */
import { FoxgloveClient, type Channel, type SubscriptionId } from '@foxglove/ws-protocol';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { WebSocket } from 'ws';
import { eventually } from '../support/dashboard';
import { encode, picture } from '../support/depthNode';
import { NodeProcess, PATIENCE, Peer, rosEnvironment } from '../support/ros';

const TEST_MS = 120_000 * PATIENCE;
const IMAGE = '/front/image_raw';
const STATUS = '/adaptation_node/status';
const [WIDTH, HEIGHT] = [64, 48];

let peer: Peer;
let node: NodeProcess;
let url = '';

beforeAll(async () => {
  const env = rosEnvironment();
  peer = new Peer([`${IMAGE}=Image:pub`, `${STATUS}=AdaptationStatus:latched_pub`, '/gradient=DepthGradient:pub'], env);
  const port = 20_000 + (process.pid % 10_000);
  node = new NodeProcess('dashboardNode', ['-p', 'port:=0', '-p', `foxglove_port:=${port}`], env);
  url = (await node.logged(/Foxglove: (ws:\S+)/)).split(' ')[1];
}, TEST_MS);
afterAll(async () => {
  await node?.kill();
  await peer?.close();
});

/** The library's client, its channels by topic and its messages by subscription. */
class Viewer {
  readonly channels = new Map<string, Channel>();
  readonly messages = new Map<SubscriptionId, Buffer[]>();
  readonly warnings: string[] = [];
  readonly client: FoxgloveClient;
  readonly socket: WebSocket;
  name = '';

  constructor(address: string, protocols = [FoxgloveClient.SUPPORTED_SUBPROTOCOL]) {
    this.socket = new WebSocket(address, protocols);
    this.client = new FoxgloveClient({
      ws: this.socket as unknown as ConstructorParameters<typeof FoxgloveClient>[0]['ws'],
    });
    this.client.on('serverInfo', ({ name }) => (this.name = name));
    this.client.on('advertise', (channels) => channels.forEach((channel) => this.channels.set(channel.topic, channel)));
    this.client.on('unadvertise', (ids) => {
      for (const [topic, { id }] of this.channels) if (ids.includes(id)) this.channels.delete(topic);
    });
    this.client.on('status', ({ message }) => this.warnings.push(message));
    this.client.on('message', ({ subscriptionId, data }) => {
      const { buffer, byteOffset, byteLength } = data;
      this.messages.get(subscriptionId)?.push(Buffer.from(buffer, byteOffset, byteLength));
    });
  }

  async channel(topic: string): Promise<Channel> {
    await eventually(
      () => this.channels.has(topic),
      () => `${topic} among ${[...this.channels.keys()].join()}`,
    );
    return this.channels.get(topic)!;
  }

  async subscribe(topic: string): Promise<{ id: SubscriptionId; messages: Buffer[] }> {
    const id = this.client.subscribe((await this.channel(topic)).id);
    const messages: Buffer[] = [];
    this.messages.set(id, messages);
    return { id, messages };
  }
}

const viewers: Viewer[] = [];
const open = (protocols?: string[]): Viewer => {
  const viewer = new Viewer(url, protocols);
  viewers.push(viewer);
  return viewer;
};
afterEach(() => viewers.splice(0).forEach((viewer) => viewer.socket.terminate()));

const subscribers = async (topic: string): Promise<number> =>
  (await peer.command('subscribers', { topic })).count as number;
const become = (topic: string, count: number): Promise<void> =>
  eventually(
    async () => (await subscribers(topic)) === count,
    () => `${count} subscribers of ${topic}`,
  );

async function publish(seed: number, times = 1, size = [WIDTH, HEIGHT]): Promise<Buffer> {
  const [width, height] = size;
  const fields = {
    topic: IMAGE,
    frameId: 'lens',
    width,
    height,
    encoding: 'rgb8',
    stamp: [7, seed],
    times,
    serialized: true,
  };
  const { serialized } = await peer.command('image', {
    ...fields,
    ...encode(picture(width, height, seed), width, 'rgb8'),
  });
  return Buffer.from(serialized as string, 'base64');
}

test(
  'every topic is a channel with its definition, by which its messages are read',
  async () => {
    const viewer = open();
    const channel = await viewer.channel(IMAGE);
    expect(viewer.name).toBe('dashboard_node');
    expect(channel).toMatchObject({ encoding: 'cdr', schemaEncoding: 'ros2msg', schemaName: 'sensor_msgs/msg/Image' });
    const { schema } = await viewer.channel('/gradient');
    expect(schema).toContain('MSG: std_msgs/Header');
    expect(schema).toContain('MSG: builtin_interfaces/Time');
    const fields = parse(schema, { ros2: true })[0].definitions.filter(({ isConstant }) => !isConstant);
    expect(fields.map(({ name }) => name)).toEqual(['header', 'space', 'units', 'gradient']);

    const { messages } = await viewer.subscribe(IMAGE);
    await become(IMAGE, 1);
    const published = await publish(3);
    await eventually(
      () => messages.length > 0,
      () => 'an image',
    );
    expect(messages[0].equals(published)).toBe(true);
    const reader = new MessageReader<{ width: number; data: Uint8Array }>(parse(channel.schema, { ros2: true }));
    const { width, data } = reader.readMessage(messages[0]);
    expect(width).toBe(WIDTH);
    expect(Buffer.from(data).equals(Buffer.from(picture(WIDTH, HEIGHT, 3)))).toBe(true);
  },
  TEST_MS,
);

test(
  'a topic is subscribed to while a viewer is, and no longer',
  async () => {
    await become(IMAGE, 0);
    const [first, second] = [open(), open()];
    const { id } = await first.subscribe(IMAGE);
    await second.subscribe(IMAGE);
    await become(IMAGE, 1);
    first.client.unsubscribe(id);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await subscribers(IMAGE)).toBe(1);
    second.socket.terminate();
    await become(IMAGE, 0);
  },
  TEST_MS,
);

test(
  'who comes late gets what is kept for late comers',
  async () => {
    const { serialized } = await peer.command('adaptation_status', { topic: STATUS, fields: { state: 3, step: 42 } });
    const { messages } = await open().subscribe(STATUS);
    await eventually(
      () => messages.length > 0,
      () => 'the status',
    );
    expect(messages[0].toString('base64')).toBe(serialized);
  },
  TEST_MS,
);

test('speaks the names of the protocol and of its successor', async () => {
  for (const protocol of ['foxglove.websocket.v1', 'foxglove.sdk.v1']) {
    const viewer = open([protocol]);
    await new Promise((resolve) => viewer.socket.once('open', resolve));
    expect(viewer.socket.protocol).toBe(protocol);
  }
  const [protocol] = await Promise.all([
    new Promise<string>((resolve) => {
      const socket = new WebSocket(url, ['foxglove.sdk.v1', 'foxglove.websocket.v1']);
      socket.once('open', () => {
        resolve(socket.protocol);
        socket.terminate();
      });
    }),
  ]);
  expect(protocol).toBe('foxglove.sdk.v1');
});

test('no other web page reads here, but the viewers that are named', async () => {
  const status = (origin: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, ['foxglove.sdk.v1'], { origin });
      socket.on('open', () => {
        socket.terminate();
        resolve(101);
      });
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode!));
      socket.on('error', reject);
    });
  expect(await status('http://evil.example')).toBe(403);
  expect(await status('https://app.foxglove.dev')).toBe(101);
  expect(await status('file://')).toBe(101);
});

test('nonsense is answered with a warning', async () => {
  const viewer = open();
  await viewer.channel(IMAGE);
  for (const text of [
    '{',
    'null',
    '{"op":"advertise","channels":[]}',
    '{"op":"subscribe","subscriptions":[null,{"id":-1,"channelId":1},{"id":1,"channelId":9999}]}',
    '{"op":"unsubscribe","subscriptionIds":[77]}',
  ]) {
    viewer.socket.send(text);
  }
  await eventually(
    () => viewer.warnings.length === 7,
    () => viewer.warnings.join('\n'),
  );
  expect(viewer.warnings.join('\n')).toMatch(
    /no JSON[^]*"advertise" is not served[^]*no channel 9999[^]*no subscription 77/,
  );
});

test(
  'a slow viewer loses messages; others do not, and nothing is kept for it',
  async () => {
    const [slow, quick] = [open(), open()];
    const lost = await slow.subscribe(IMAGE);
    const { messages } = await quick.subscribe(IMAGE);
    await become(IMAGE, 1);
    slow.socket.pause();
    const size = [640, 480];
    const count = 40; // 37 MB: more than the kernel keeps for the slow one
    for (let i = 0; i < count; i++) {
      const published = await publish(i, 1, size);
      await eventually(
        () => messages.at(-1)?.equals(published) === true,
        () => `image ${i}; ${messages.length} came`,
      );
    }
    slow.socket.resume();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(messages.length).toBe(count);
    expect(lost.messages.length).toBeGreaterThan(0);
    expect(lost.messages.length).toBeLessThan(count - 5);
    const last = await publish(99, 1, size);
    await eventually(
      () => lost.messages.at(-1)?.equals(last) === true,
      () => 'the newest image, for the slow viewer as well',
    );
  },
  TEST_MS,
);
