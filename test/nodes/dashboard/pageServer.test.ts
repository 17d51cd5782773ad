/** The page's port against requests that make no sense: each is refused, and the next one is answered. Real sockets, no ROS. */
import type { Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { WebSocketServer } from 'ws';
import { Access } from '../../../src/nodes/dashboard/access';
import { createPageServer } from '../../../src/nodes/dashboard/pageServer';
import { closeAll, listen, serveSockets } from '../../../src/nodes/dashboard/socketServer';
import { seeded } from '../../support/mutations';

const HOST = 'Host: 127.0.0.1\r\n';
const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const LONG = 'x'.repeat(300);
const RANDOM_REQUESTS = 400;

let server: Server;
let sockets: WebSocketServer;

async function serve(token: string): Promise<void> {
  const access = new Access({ bindAddress: '127.0.0.1', token });
  server = createPageServer(access);
  sockets = serveSockets(server, { access, path: '/views', onConnection: () => undefined });
  await listen(server, '127.0.0.1', 0);
}
afterEach(() => closeAll(server, sockets));

/** Status and head of the answer; 0 where there is none. */
function answerTo(target: string, headers = HOST): Promise<{ status: number; head: string }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(Buffer.from(`GET ${target} HTTP/1.1\r\n${headers}\r\n`, 'latin1'));
  return new Promise((resolve) => {
    socket.once('close', () => resolve({ status: 0, head: '' }));
    socket.once('data', (data) => {
      const [head] = data.toString('latin1').split('\r\n\r\n');
      resolve({ status: Number(/^HTTP\/1\.1 (\d+) /.exec(head)?.[1] ?? 0), head });
      socket.destroy();
    });
  });
}

const ask = async (target: string, headers = HOST): Promise<number> => (await answerTo(target, headers)).status;

test.each([
  ['a file taken for a folder', '/app.js/x.js', 404],
  ['a name longer than a file may have', `/${LONG}.js`, 404],
  ['a path longer than a path may be', `/${'x/'.repeat(3000)}x.js`, 404],
  ['a folder', '/vendor/three/', 404],
  ['bad percent escapes', '/%.js', 404],
  ['percent escapes of no UTF-8', '/%ff%fe.js', 404],
  ['a zero byte', '/app.js%00.js', 404],
  ['no URL', 'http://[::1', 404],
  ['another server’s URL', 'http://evil.example/nothing.js', 404],
  ['slashes alone', '//', 404],
])('%s is not found', async (_, target, status) => {
  await serve('');
  expect(await ask(target)).toBe(status);
  expect(await ask(target, `${HOST}${UPGRADE}`)).toBe(404);
  expect(await ask('/app.js')).toBe(200);
});

test.each([
  ['no Host', '', 400],
  ['an empty one', 'Host: \r\n', 403],
  ['half an address', 'Host: [::1\r\n', 403],
  ['colons', `Host: ${':1'.repeat(2000)}\r\n`, 403],
  ['bytes', 'Host: \xff\xfe\x80\r\n', 403],
  ['a page opened from a file', `${HOST}Origin: file://\r\n`, 403],
  ['an Origin that is no URL', `${HOST}Origin: ://%%\r\n`, 403],
])('%s: refused', async (_, headers, status) => {
  await serve('');
  expect(await ask('/', headers)).toBe(status);
  expect([400, 403]).toContain(await ask('/views', headers + UPGRADE));
  expect(await ask('/app.js')).toBe(200);
});

test('a token and cookies that are none are no token', async () => {
  await serve('sesame');
  const { port } = server.address() as AddressInfo;
  for (const target of ['/?token=%', '/?token=%ff&token', '/?token=%00', `/?token=${LONG}`, '/?']) {
    expect({ target, status: await ask(target) }).toEqual({ target, status: 401 });
  }
  for (const value of ['', '=', 'zz', '%', LONG, 'a'.repeat(64), '\xff']) {
    const cookie = `Cookie: ;;=;depthgrad_token_${port}=${value}\r\n`;
    expect({ cookie, status: await ask('/', HOST + cookie) }).toEqual({ cookie, status: 401 });
  }
  expect(await ask('/?token=sesame')).toBe(302);
});

test.each([
  ['/', '/'],
  ['/app.js', '/app.js'],
  ['//evil.example/app.js', '/app.js'], // as a URL that is its path, after another host's name
  ['/.//evil.example', '/evil.example'],
  ['/.//\\/evil.example/', '/evil.example/'],
  ['http://evil.example//evil.example', '/evil.example'],
])('the token in the URL %s leads on to %s of this host', async (target, location) => {
  await serve('sesame');
  const { status, head } = await answerTo(`${target}?token=sesame`);
  expect({ status, location: /^Location: (.*)$/m.exec(head)?.[1] }).toEqual({ status: 302, location });
});

test('requests of any bytes end nothing', async () => {
  await serve('');
  const next = seeded(7);
  const parts = ['/', '//', '..', '%2e', '%', '%00', '\\', '?', '#', 'app.js', 'vendor/three/', LONG, '\xff', ':', '@'];
  for (let i = 0; i < RANDOM_REQUESTS; i++) {
    const target = Array.from({ length: 1 + next() * 6 }, () => parts[Math.floor(next() * parts.length)]).join('');
    const status = await ask(`/${target}`, HOST + (next() < 0.3 ? UPGRADE : ''));
    expect({ target, known: [101, 200, 400, 403, 404].includes(status) }).toEqual({ target, known: true });
  }
  expect(await ask('/app.js')).toBe(200);
});
