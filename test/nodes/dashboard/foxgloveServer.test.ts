/** The Foxglove protocol's side of a viewer that asks and does not read: a real WebSocket, no ROS. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { Access } from '../../../src/nodes/dashboard/access';
import { FoxgloveServer, type Subscriber } from '../../../src/nodes/dashboard/foxglove/foxgloveServer';
import { closeAll, listen, serveSockets } from '../../../src/nodes/dashboard/socketServer';
import { eventually } from '../../support/dashboard';

const MIB = 1 << 20;
const subscribers: Subscriber[] = [];
const foxglove = new FoxgloveServer({
  name: 'test',
  metadata: {},
  onSubscribe: (subscriber) => subscribers.push(subscriber),
  onUnsubscribe: (subscriber) => subscribers.splice(subscribers.indexOf(subscriber), 1),
});
const server = createServer();
const sockets = serveSockets(server, {
  access: new Access({ bindAddress: '127.0.0.1', token: '' }),
  onConnection: (socket) => foxglove.connect(socket),
});
let viewer: WebSocket;

beforeEach(async () => {
  if (!server.listening) await listen(server, '127.0.0.1', 0);
  viewer = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await new Promise((resolve) => viewer.once('open', resolve));
});
afterEach(async () => {
  viewer.terminate();
  await eventually(
    () => sockets.clients.size === 0,
    () => 'no viewer',
  );
});
afterAll(() => closeAll(server, sockets));

const waiting = (): number => [...sockets.clients][0].bufferedAmount;

test('who does not read its warnings gets no more of them', async () => {
  viewer.pause();
  const nonsense = JSON.stringify({ op: 'subscribe', subscriptions: Array.from({ length: 60_000 }, () => 0) });
  for (let i = 0; i < 8; i++) viewer.send(nonsense);
  const channelId = foxglove.addChannel({ topic: '/t', encoding: '', schemaName: '', schemaEncoding: '', schema: '' });
  viewer.send(JSON.stringify({ op: 'subscribe', subscriptions: [{ id: 7, channelId }] }));
  await eventually(
    () => subscribers.length === 1,
    () => 'the last request',
  );
  expect(waiting()).toBeGreaterThan(3 * MIB);
  expect(waiting()).toBeLessThan(6 * MIB);
  foxglove.removeChannel(channelId);
  subscribers.length = 0;
});

test('a viewer that is behind loses what comes again, and not what is said once', async () => {
  viewer.pause();
  const channelId = foxglove.addChannel({ topic: '/t', encoding: '', schemaName: '', schemaEncoding: '', schema: '' });
  viewer.send(JSON.stringify({ op: 'subscribe', subscriptions: [{ id: 7, channelId }] }));
  await eventually(
    () => subscribers.length === 1,
    () => 'the subscription',
  );
  const send = (isLatched: boolean): void =>
    foxglove.send(subscribers, { timestampNs: 1n, data: Buffer.alloc(MIB), isLatched });
  for (let i = 0; i < 50; i++) send(false);
  expect(waiting()).toBeLessThan(6 * MIB);
  expect(foxglove.dropped).toBeGreaterThan(30);
  const { dropped } = foxglove;
  for (let i = 0; i < 10; i++) send(true);
  expect(foxglove.dropped).toBe(dropped);
  for (let i = 0; i < 100; i++) send(true);
  expect(waiting()).toBeLessThan(70 * MIB);
  expect(foxglove.dropped).toBeGreaterThan(dropped);
});

test('a message is sent with its subscription and its time, ns; a channel that is removed is not subscribed to any more', async () => {
  const received: Buffer[] = [];
  const said: { op: string; channelIds?: number[] }[] = [];
  viewer.on('message', (data: Buffer, isBinary) => {
    if (isBinary) received.push(data);
    else said.push(JSON.parse(data.toString()) as (typeof said)[0]);
  });
  const add = (): number =>
    foxglove.addChannel({ topic: '/t', encoding: '', schemaName: '', schemaEncoding: '', schema: '' });
  const channelId = add();
  viewer.send(JSON.stringify({ op: 'subscribe', subscriptions: [{ id: 7, channelId }] }));
  await eventually(
    () => subscribers.length === 1,
    () => 'the subscription',
  );
  foxglove.send(subscribers, { timestampNs: 1_700_000_000_123_456_789n, data: Buffer.from('abc'), isLatched: false });
  foxglove.removeChannel(channelId);
  subscribers.length = 0; // a channel that goes takes its subscriptions along, without a word to who removes it
  const another = add();
  expect(another).not.toBe(channelId);
  viewer.send(JSON.stringify({ op: 'unsubscribe', subscriptionIds: [7] }));
  await eventually(
    () => said.at(-1)?.op === 'status',
    () => JSON.stringify(said),
  );
  expect(said).toContainEqual({ op: 'unadvertise', channelIds: [channelId] });
  expect(JSON.stringify(said.at(-1))).toContain('there is no subscription 7');
  foxglove.removeChannel(another);
  const [message] = received;
  expect([message.readUInt8(0), message.readUInt32LE(1), message.toString('utf8', 13)]).toEqual([1, 7, 'abc']);
  expect(message.readBigUInt64LE(5)).toBe(1_700_000_000_123_456_789n);
});
