/** The dashboard's two ports against clients that are slow, gone, too many or up to no good: real sockets, no ROS. */
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer, get, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { WebSocket, type WebSocketServer } from 'ws';
import { Access } from '../../../src/nodes/dashboard/access';
import { createPageServer } from '../../../src/nodes/dashboard/pageServer';
import {
  closeAll,
  HTTP_LIMITS,
  listen,
  serveSockets,
  type SocketOptions,
} from '../../../src/nodes/dashboard/socketServer';
import { eventually } from '../../support/dashboard';

const MASKED = 0x80;
const access = new Access({ bindAddress: '127.0.0.1', token: '' });
let server: Server;
let sockets: WebSocketServer;
let accepted: WebSocket[] = [];
const clients: { destroy?: () => void; terminate?: () => void }[] = [];

async function serve(options: Partial<SocketOptions> = {}): Promise<void> {
  server = createServer(HTTP_LIMITS, (_, response) => response.end());
  await listen(server, '127.0.0.1', 0);
  accepted = [];
  sockets = serveSockets(server, { access, onConnection: (socket) => accepted.push(socket), ...options });
}

afterEach(() => {
  for (const client of clients.splice(0)) (client.destroy ?? client.terminate)!.call(client);
  closeAll(server, sockets);
});

const port = (): number => (server.address() as AddressInfo).port;
const connections = (): Promise<number> =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count)));

/** The HTTP status of its upgrade, 101 where it is let in, with the client. */
function open(): Promise<{ status: number; client: WebSocket }> {
  const client = new WebSocket(`ws://127.0.0.1:${port()}/`);
  clients.push(client);
  client.on('error', () => undefined);
  return new Promise((resolve) => {
    client.on('open', () => resolve({ status: 101, client }));
    client.on('unexpected-response', (request, response) => {
      request.destroy();
      resolve({ status: response.statusCode!, client });
    });
  });
}

/** A client without a WebSocket library: answers nothing by itself, and closes nothing of its own. */
async function raw(headers = ''): Promise<{ socket: Socket; answer: string }> {
  const socket = connect({ port: port(), host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  socket.on('error', () => undefined);
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${headers}` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
  return { socket, answer };
}

test('so many are served and no more; who leaves makes room', async () => {
  await serve({ mostViewers: 3 });
  const first = await open();
  expect([first.status, (await open()).status, (await open()).status]).toEqual([101, 101, 101]);
  expect((await open()).status).toBe(503);
  first.client.terminate();
  await eventually(
    () => sockets.clients.size === 2,
    () => `${sockets.clients.size} clients`,
  );
  expect((await open()).status).toBe(101);
});

test('a refused client that keeps its half of the connection open holds nothing', async () => {
  await serve();
  const { answer } = await raw('Origin: http://evil.example\r\n');
  expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  await eventually(
    async () => (await connections()) === 0,
    () => 'no connections',
    5000,
  );
});

test.each([
  ['a frame of 2^40 bytes', Buffer.from([0x82, MASKED | 127, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
  [
    'a message of 1 MiB',
    Buffer.concat([
      Buffer.from([0x81, MASKED | 127, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]),
      Buffer.alloc(1 << 20, 'a'),
    ]),
  ],
  ['a frame without a mask', Buffer.from([0x81, 1, 0x61])],
  ['an opcode there is not', Buffer.from([0x8f, MASKED, 0, 0, 0, 0])],
  ['a continuation of nothing', Buffer.from([0x80, MASKED | 1, 0, 0, 0, 0, 9])],
  ['noise', Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31 + 255) & 255))],
])('%s ends that client alone', async (_, bytes) => {
  await serve();
  const { client } = await open();
  const { socket, answer } = await raw();
  expect(answer).toMatch(/^HTTP\/1\.1 101 /);
  const before = process.memoryUsage().rss;
  socket.write(bytes);
  await eventually(
    () => sockets.clients.size === 1,
    () => `${sockets.clients.size} clients`,
    5000,
  );
  expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
  const heard = new Promise((resolve) => client.once('message', resolve));
  accepted[0].send('still here');
  await heard;
});

test('who is gone without a good-bye is given up; who answers pings is not', async () => {
  await serve({ pingPeriodMs: 100 });
  const { client } = await open();
  await raw(); // answers no ping
  expect(sockets.clients.size).toBe(2);
  const started = performance.now();
  await eventually(
    () => sockets.clients.size === 1,
    () => `${sockets.clients.size} clients`,
    5000,
  );
  expect(performance.now() - started).toBeGreaterThan(200);
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(client.readyState).toBe(WebSocket.OPEN);
});

test('a slow one, whose pings wait behind what it was sent, stays as long as it reads', async () => {
  await serve({ pingPeriodMs: 200 });
  const { socket } = await raw();
  let [read, allowed] = [0, 0];
  socket.on('data', (chunk) => {
    read += chunk.length;
    if (read > allowed) socket.pause();
  });
  socket.pause();
  accepted[0].send(Buffer.alloc(48 << 20));
  while (allowed < 24 << 20) {
    allowed += 1 << 20;
    socket.resume();
    await new Promise((resolve) => setTimeout(resolve, 80));
  }
  socket.pause();
  expect(sockets.clients.size).toBe(1);
  expect(accepted[0].bufferedAmount).toBeGreaterThan(0);
  await eventually(
    () => sockets.clients.size === 0, // now it reads no more
    () => `${sockets.clients.size} clients`,
    5000,
  );
});

test('a page that is closed while its files come leaves none of them open', async () => {
  server = createPageServer(access);
  await listen(server, '127.0.0.1', 0);
  sockets = serveSockets(server, { access, onConnection: () => undefined });
  const openFiles = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith('.js') ? [fd] : [];
      } catch {
        return []; // closed meanwhile
      }
    });
  const before = openFiles().length;
  for (let i = 0; i < 10; i++) {
    await new Promise<void>((resolve) => {
      const asking = get(`http://127.0.0.1:${port()}/vendor/three/three.core.js`, (response) =>
        response.once('data', () => {
          asking.destroy();
          resolve();
        }),
      );
    });
  }
  await eventually(
    () => openFiles().length <= before,
    () => `${openFiles().length} files are open, before ${before}`,
    5000,
  );
});
