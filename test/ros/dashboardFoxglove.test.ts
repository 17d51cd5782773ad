/** The Foxglove protocol as its own client library speaks it, with rclpy publishing behind dashboard_node. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { WebSocket } from 'ws';
import { eventually } from '../support/dashboard';
import { encode, picture } from '../support/depthNode';
import { Viewer } from '../support/foxgloveViewer';
import { NodeProcess, PATIENCE, Peer, rosEnvironment } from '../support/ros';

const TEST_MS = 120_000 * PATIENCE;
const IMAGE = '/front/image_raw';
const MARKER = '/marker';
const STATIC = '/tf_static';
/** Somebody waits for it, and nobody publishes yet. */
const LATE = '/late/tf_static';
const STATUS = '/adaptation_node/status';
const [WIDTH, HEIGHT] = [64, 48];

let peer: Peer;
let node: NodeProcess;
let env: NodeJS.ProcessEnv;
let url = '';
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-foxglove-'));

beforeAll(async () => {
  env = rosEnvironment();
  peer = new Peer(
    [
      `${IMAGE}=Image:pub`,
      `${STATUS}=AdaptationStatus:latched_pub`,
      '/gradient=DepthGradient:pub',
      `${MARKER}=visualization_msgs/msg/Marker:pub`,
      `${STATIC}=TFMessage:latched_pub`,
      `${LATE}=TFMessage:latched_sub`,
    ],
    env,
  );
  const port = 20_000 + (process.pid % 10_000);
  // A package whose definitions are here and whose library is not, as after half an installation.
  writeFileSync(join(folder, 'libvisualization_msgs__rosidl_typesupport_c.so'), 'no library');
  const libraries = `${folder}:${process.env.LD_LIBRARY_PATH}`;
  node = new NodeProcess('dashboardNode', ['-p', 'port:=0', '-p', `foxglove_port:=${port}`], {
    ...env,
    LD_LIBRARY_PATH: libraries,
  });
  url = (await node.logged(/Foxglove: (ws:\S+)/)).split(' ')[1];
}, TEST_MS);
afterAll(async () => {
  await node?.kill();
  await peer?.close();
  rmSync(folder, { recursive: true });
});

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

    const { messages, timestamps } = await viewer.subscribe(IMAGE);
    await become(IMAGE, 1);
    const before = Date.now();
    const published = await publish(3);
    await eventually(
      () => messages.length > 0,
      () => 'an image',
    );
    expect(messages[0].equals(published)).toBe(true);
    // When it came, in nanoseconds; not the message's own stamp.
    const milliseconds = Number(timestamps[0] / 1_000_000n);
    expect(milliseconds).toBeGreaterThanOrEqual(before);
    expect(milliseconds).toBeLessThanOrEqual(Date.now());
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
  'a channel goes with its publisher while viewers watch, and comes back as another one',
  async () => {
    const topic = '/passing/tf_static';
    const viewer = open();
    const { messages } = await viewer.subscribe(IMAGE);
    let other = new Peer([`${topic}=TFMessage:pub`], env);
    try {
      const { id } = await viewer.channel(topic);
      await other.close();
      await eventually(
        () => !viewer.channels.has(topic),
        () => `${topic} to go`,
      );
      other = new Peer([`${topic}=TFMessage:pub`], env);
      expect((await viewer.channel(topic)).id).not.toBe(id);
      const late = await viewer.subscribe(topic);
      await become(topic, 1);
      await transform(other, topic, 'lens');
      await eventually(
        () => late.messages.some((message) => message.includes('lens')),
        () => 'a message of the channel that came back',
      );
      // What else the viewer watches goes on.
      await become(IMAGE, 1);
      await publish(4);
      await eventually(
        () => messages.length > 0,
        () => 'an image',
      );
    } finally {
      await other.close();
    }
  },
  TEST_MS,
);

/** A transform of a frame by this name. */
const transform = (by: Peer, topic: string, child: string): Promise<unknown> =>
  by.command('transform', { topic, parent: 'base_link', child, position: [1, 0, 0], orientation: [0, 0, 0, 1] });

test(
  'who comes late gets what is kept for late comers, also where somebody else has got it before',
  async () => {
    const { serialized } = await peer.command('adaptation_status', { topic: STATUS, fields: { state: 3, step: 42 } });
    const received: Buffer[][] = [];
    for (const who of ['first', 'second', 'third']) {
      const { messages } = await open().subscribe(STATUS);
      received.push(messages);
      await eventually(
        () => messages.length > 0,
        () => `the status at the ${who} viewer`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const messages of received)
      expect(messages.map((message) => message.toString('base64'))).toEqual([serialized]);
    await peer.command('adaptation_status', { topic: STATUS, fields: { state: 3, step: 43 } });
    await eventually(
      () => received.every((messages) => messages.length === 2),
      () => `a newer status at all; they have ${received.map((messages) => messages.length)}`,
    );
  },
  TEST_MS,
);

test(
  'what several publishers keep is all there',
  async () => {
    const others = Array.from({ length: 3 }, () => new Peer([`${STATIC}=TFMessage:latched_pub`], env));
    try {
      const frames = ['lens', 'lidar', 'imu', 'gps'];
      await Promise.all([peer, ...others].map((by, i) => transform(by, STATIC, frames[i])));
      for (const viewer of [open(), open()]) {
        const { messages } = await viewer.subscribe(STATIC);
        const missing = (): string[] => frames.filter((frame) => !messages.some((message) => message.includes(frame)));
        await eventually(
          () => missing().length === 0,
          () => `${missing()} on ${STATIC}`,
        );
      }
    } finally {
      await Promise.all(others.map((one) => one.close()));
    }
  },
  TEST_MS,
);

test(
  'a viewer that was there before the publisher gets what was said at its start',
  async () => {
    const { messages } = await open().subscribe(LATE);
    await become(LATE, 2);
    const other = new Peer([`${LATE}=TFMessage:latched_pub`], env);
    try {
      await transform(other, LATE, 'lens');
      await eventually(
        () => messages.some((message) => message.includes('lens')),
        () => 'the transform',
      );
    } finally {
      await other.close();
    }
  },
  TEST_MS,
);

test(
  'a publisher that keeps messages and sends them best effort is heard, too, and beside a reliable one both',
  async () => {
    const topic = '/best_effort/tf_static';
    const advertise = (by: Peer, reliability: string): Promise<unknown> =>
      by.command('advertise', { topic, type: 'TFMessage', reliability, durability: 'TRANSIENT_LOCAL' });
    const others = [new Peer([], env), new Peer([], env)];
    try {
      await advertise(others[0], 'BEST_EFFORT');
      const { messages } = await open().subscribe(topic);
      const heard = (frame: string, by: Peer): Promise<void> =>
        eventually(
          async () => {
            await transform(by, topic, frame); // again and again: best effort, before the ends have found each other
            return messages.some((message) => message.includes(frame));
          },
          () => `${frame} on ${topic}`,
        );
      await heard('lens', others[0]);
      await advertise(others[1], 'RELIABLE');
      await heard('lidar', others[1]);
      await heard('imu', others[0]);
    } finally {
      await Promise.all(others.map((one) => one.close()));
    }
  },
  TEST_MS,
);

test(
  'a topic that cannot be subscribed to is named, and ends nothing',
  async () => {
    const [first, second] = [open(), open()];
    await first.subscribe(MARKER);
    await second.subscribe(MARKER);
    const why = /\/marker \(visualization_msgs\/msg\/Marker\):? cannot be subscribed to: .*visualization_msgs/;
    await eventually(
      () => [first, second].every(({ warnings }) => warnings.some((text) => why.test(text))),
      () => node.output,
    );
    expect(node.count(why)).toBe(1);
    const { messages } = await second.subscribe(IMAGE);
    await become(IMAGE, 1);
    await publish(5);
    await eventually(
      () => messages.length > 0,
      () => 'an image, afterwards',
    );
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

test('what is nested without end, and binary noise, end nothing', async () => {
  const viewer = open();
  const { id: channelId } = await viewer.channel(IMAGE);
  const deep = '['.repeat(50_000) + ']'.repeat(50_000);
  viewer.socket.send(deep);
  viewer.socket.send(`{"op":${deep}}`);
  viewer.socket.send(`{"op":"unsubscribe","subscriptionIds":[${deep}]}`);
  viewer.socket.send(`{"op":"subscribe","subscriptions":[{"id":${deep},"channelId":1},{"id":1,"channelId":${deep}}]}`);
  for (let i = 0; i < 100; i++)
    viewer.socket.send(Buffer.from(Array.from({ length: 64 }, (_, j) => (i * j * 37) & 255)));
  viewer.socket.send(JSON.stringify({ op: 'subscribe', subscriptions: [1, 2].map((id) => ({ id, channelId })) }));
  await eventually(
    () => viewer.warnings.some((text) => /is subscribed to already/.test(text)),
    () => viewer.warnings.join('\n') + node.output,
  );
  expect(viewer.warnings).toHaveLength(6);
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
