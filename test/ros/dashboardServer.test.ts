/** dashboard_node over HTTP and its WebSocket, with a real depth_node and rclpy behind it: who may read, what is sent, and what a slow browser costs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { DashboardRig, DEPTH, eventually, ViewClient } from '../support/dashboard';
import { HEIGHT, IMAGE, INFO, WIDTH } from '../support/depthNode';
import { floats, NodeProcess, PATIENCE, Peer, ROOT, rosEnvironment } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const TEST_MS = 120_000 * PATIENCE;
const MAPS = ['camera', 'depth', 'gradient', 'confidence'];
const TOPICS = [`${IMAGE}=Image:pub`, `${INFO}=CameraInfo:pub`, `${DEPTH}=Image:sub`];

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

function get(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const path = url.slice(url.indexOf(port) + port.length) || '/'; // as it is: URL would tidy it up
  return new Promise((resolve, reject) => {
    const asking = request({ hostname, port, path, headers, method }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    asking.on('error', reject).end();
  });
}

/** How a WebSocket is refused: the HTTP status; 101 where it is let in. */
function knock(url: string, headers: Record<string, string> = {}): Promise<number> {
  const socket = new WebSocket(url, { headers });
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode!));
    socket.on('error', reject);
  });
}

describe('beside a depth_node', () => {
  const rig = new DashboardRig();
  const clients: ViewClient[] = [];
  const connect = async (options = {}): Promise<ViewClient> => {
    const client = new ViewClient(rig.url, options);
    clients.push(client);
    await client.opened;
    return client;
  };

  beforeAll(async () => {
    await rig.startDashboard(TOPICS, ['-p', 'max_rate:=20.0']);
    await rig.stream(10);
  }, TEST_MS);
  afterEach(() => clients.splice(0).forEach((client) => client.close()));
  afterAll(() => rig.stop());

  test('serves its page, its scripts and three.js, and nothing else', async () => {
    const page = await get(rig.url);
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    const policy = page.headers['content-security-policy'] as string;
    expect(policy).toMatch(/default-src 'none'; script-src 'self' 'sha256-\S{44}';/);
    expect(policy).not.toMatch(/unsafe|http/);
    expect(page.headers['x-content-type-options']).toBe('nosniff');
    for (const [path, type] of [
      ['app.js', 'text/javascript; charset=utf-8'],
      ['style.css', 'text/css; charset=utf-8'],
      ['vendor/three/three.module.js', 'text/javascript; charset=utf-8'],
      ['vendor/three/addons/controls/OrbitControls.js', 'text/javascript; charset=utf-8'],
    ]) {
      const { status, headers, text } = await get(rig.url + path);
      expect({ path, status, type: headers['content-type'] }).toEqual({ path, status: 200, type });
      expect(text.length).toBeGreaterThan(500);
    }
    expect(page.text).toBe(readFileSync(join(ROOT, 'web', 'index.html'), 'utf8'));
    for (const path of [
      '../package.json',
      '%2e%2e/package.json',
      'nothing.js',
      'vendor/three/../../package.json',
      '%00',
      'app.js/x.js', // a file is no folder
      `${'x'.repeat(300)}.js`, // longer than a file's name can be
    ]) {
      expect({ path, status: (await get(rig.url + path)).status }).toEqual({ path, status: 404 });
    }
    expect((await get(rig.url, {}, 'POST')).status).toBe(405);
    expect(await get(`${rig.url}app.js`, {}, 'HEAD')).toMatchObject({ status: 200, text: '' });
  });

  test('lets in its own page alone: no other name of this address, no other web page', async () => {
    const { host, port } = new URL(rig.url);
    const socket = `ws://${host}/views`;
    expect((await get(rig.url, { host: `evil.example:${port}` })).status).toBe(403);
    expect((await get(rig.url, { host: `localhost:${port}` })).status).toBe(200);
    expect(await knock(socket, { host: `evil.example:${port}`, origin: `http://evil.example:${port}` })).toBe(403);
    expect(await knock(socket, { origin: 'http://evil.example' })).toBe(403);
    for (const origin of ['null', 'file://']) expect(await knock(socket, { origin })).toBe(403);
    expect((await get(rig.url, { origin: 'file://' })).status).toBe(403);
    expect(await knock(socket, { origin: `http://${host}` })).toBe(101);
    expect(await knock(`ws://${host}/other`)).toBe(404);
  });

  test('sends what is asked for and as it was published, all of one instant', async () => {
    const client = await connect();
    client.say({ want: MAPS });
    await eventually(
      () => MAPS.every((view) => client.of(view).length >= 3),
      () => `frames: ${client.frames.map(({ header }) => header.view).join()}`,
    );
    const key = ({ header: { stamp } }: { header: { stamp?: object } }): string => JSON.stringify(stamp);
    const shared = client
      .of('depth')
      .filter((frame) => MAPS.every((view) => client.of(view).map(key).includes(key(frame))));
    expect(shared.length).toBeGreaterThanOrEqual(2);

    const { header, payload } = shared.at(-1)!;
    const { sec, nanosec } = header.stamp!;
    expect(header).toMatchObject({ width: WIDTH, height: HEIGHT, encoding: '32FC1', frameId: 'front_optical' });
    expect(header.k).toHaveLength(9);
    const published = await rig.peer.message(DEPTH, ({ stamp }) => stamp[0] === sec && stamp[1] === nanosec);
    const expected = floats(published.data);
    expect(payload.length).toBe(expected.length * 2);
    expect(expected.some(Number.isFinite)).toBe(true);
    const halves = new Uint16Array(payload.buffer.slice(payload.byteOffset, payload.byteOffset + payload.length));
    const wrong = expected.findIndex((value, i) => {
      const half = halfValue(halves[i]);
      return !Object.is(half, value) && !(Math.abs(half - value) <= Math.abs(value) * 2 ** -11);
    });
    expect(wrong).toBe(-1);
  });

  test('subscribes to what somebody looks at, while somebody does', async () => {
    const topics = ['gradient', 'confidence', 'ego_motion'].map((name) => `/depth_node/${name}`);
    const counts = (): Promise<number[]> => Promise.all(topics.map((topic) => rig.subscribers(topic)));
    const become = async (wanted: number[]): Promise<void> => {
      let seen: number[] = [];
      await eventually(
        async () => `${(seen = await counts())}` === `${wanted}`,
        () => `${wanted} subscribers of ${topics}; there are ${seen}`,
      );
    };
    await become([0, 0, 0]);
    const first = await connect();
    first.say({ want: ['gradient'] });
    await become([1, 0, 0]);
    const second = await connect();
    second.say({ want: ['gradient', 'confidence', 'trajectory'] });
    await become([1, 1, 1]);
    second.say({ want: [] });
    await become([1, 0, 0]);
    first.close();
    await become([0, 0, 0]);
  });

  test('a browser that does not draw gets one frame of each view, and slows nobody', async () => {
    const slow = await connect({ answers: false });
    slow.say({ want: MAPS });
    await eventually(
      () => MAPS.every((view) => slow.of(view).length === 1),
      () => `${slow.frames.length} frames`,
    );
    // One that does not even read.
    const stuck = await connect();
    stuck.socket.pause();
    stuck.say({ want: MAPS });
    const quick = await connect();
    quick.say({ want: MAPS });
    const before = residentKilobytes(rig.dashboard.pid);
    await eventually(
      () => quick.of('depth').length >= 40,
      () => `${quick.of('depth').length} depths`,
    );
    expect(slow.frames).toHaveLength(MAPS.length);
    expect(residentKilobytes(rig.dashboard.pid) - before).toBeLessThan(40_000);
  });

  test('tells rate, latency and drops as /diagnostics says them, and the trajectory grows', async () => {
    const env = { ...process.env, ROS_DOMAIN_ID: rig.domain };
    const odometry = '/depth_node/odometry';
    const listener = new Peer(['/diagnostics=DiagnosticArray:sub', `${odometry}=Odometry:sub`], env);
    const client = await connect();
    client.say({ want: ['trajectory'] });
    try {
      await listener.matched();
      type Report = { name: string; stamp: number; values: Record<string, string> };
      const told = (): Report[] =>
        client.states
          .flatMap((state) => state.diagnostics as Report[])
          .filter(({ name }) => name === '/depth_node: Inference');
      let said: Record<string, string> | undefined;
      await eventually(
        () => {
          for (const message of listener.received('/diagnostics')) {
            const stamp = message.stamp[0] + message.stamp[1] * 1e-9;
            const same = told().find((report) => Math.abs(report.stamp - stamp) < 1e-6);
            const status = (message.status as { name: string; values: Record<string, string> }[]).find(
              ({ name }) => name === '/depth_node: Inference',
            );
            if (!same || !status) continue;
            expect(same.values).toEqual(status.values);
            said = same.values;
          }
          return said !== undefined;
        },
        () => `told: ${JSON.stringify(told().at(-1))}`,
      );
      expect(Number(said!.frames_in)).toBeGreaterThan(0);
      await eventually(
        () => client.of('trajectory').length >= 3,
        () => `${client.of('trajectory').length} trajectories`,
      );
      const [first, last] = [client.of('trajectory')[0], client.of('trajectory').at(-1)!];
      expect(last.payload.length).toBeGreaterThan(first.payload.length);
      expect(last.header).toMatchObject({ source: 'odometry', frameId: 'odom', isMetric: false });
      const { buffer, byteOffset, length } = last.payload;
      const shown = [...new Float32Array(buffer.slice(byteOffset, byteOffset + length))].slice(-3);
      const heard = listener.received(odometry).map(({ position }) => [...Float32Array.from(position as number[])]);
      expect(heard).toContainEqual(shown);
      const navigation = (client.states.at(-1)!.diagnostics as Report[]).find(
        ({ name }) => name === '/depth_node: Navigation',
      );
      expect(navigation!.values).toMatchObject({ scale_source: 'none', scale: '1.0000', scale_sd: 'unknown' });
    } finally {
      await listener.close();
    }
  });

  test('shows the last picture of the old model beside the first of the new one', async () => {
    const client = await connect();
    client.say({ want: ['camera', 'depth', 'comparison'] });
    await eventually(
      () => client.of('depth').length > 20 && client.states.length > 5,
      () => `${client.of('depth').length} depths`,
    );
    const path = join(rig.folder, 'second.onnx');
    writeFileSync(path, tinyModel({ width: WIDTH, height: HEIGHT, metadata: { version: '2.0.0' } }));
    const { ack } = (await rig.peer.command('load_model', { node: '/depth_node', path })) as { ack: object };
    expect(ack).toMatchObject({ accepted: true });
    type Side = { model: string; depth: { stamp: { sec: number; nanosec: number }; offset: number; length: number } };
    const sides = (): { before?: Side; after?: Side } =>
      (client.of('comparison').at(-1)?.header ?? {}) as { before?: Side; after?: Side };
    await eventually(
      () => sides().after !== undefined,
      () => JSON.stringify(sides()),
    );
    const { before, after } = sides() as { before: Side; after: Side };
    expect(before.model).toMatch(/ 1\.2\.3$/);
    expect(after.model).toMatch(/ 2\.0\.0$/);
    const seconds = ({ depth: { stamp } }: Side): number => stamp.sec + stamp.nanosec * 1e-9;
    expect(seconds(after)).toBeGreaterThan(seconds(before));
    expect(before.depth.length).toBe(2 * WIDTH * HEIGHT);
    expect(client.of('comparison').at(-1)!.payload.length).toBeGreaterThanOrEqual(
      after.depth.offset + after.depth.length,
    );
  });

  test('what is no message of the page is passed over', async () => {
    const client = await connect();
    for (const text of ['{', 'null', '7', '{"want":"all"}', '{"want":[1,{},"nothing"]}', '{"drawn":"depth"}'])
      client.socket.send(text);
    client.socket.send(Buffer.from([1, 2, 3]));
    client.say({ want: ['camera'] });
    await eventually(
      () => client.of('camera').length > 2,
      () => rig.dashboard.output,
    );
  });
});

describe('its address', () => {
  let node: NodeProcess | undefined;
  afterEach(() => node?.kill());

  const start = async (...rosArguments: string[]): Promise<string> => {
    const ports = ['-p', 'port:=0', '-p', 'foxglove_port:=0'];
    node = new NodeProcess('dashboardNode', [...ports, ...rosArguments], rosEnvironment());
    return (await node.logged(/page of \S+: (http:\S+)/)).split(' ').at(-1)!;
  };

  test('other machines need the token, which is made at the start and given once', async () => {
    const told = await start('-p', 'bind_address:=0.0.0.0');
    const { port, search } = new URL(told);
    expect(search).toMatch(/^\?token=\S{24}$/);
    const url = `http://127.0.0.1:${port}/`;
    expect((await get(url)).status).toBe(401);
    expect((await get(`${url}?token=wrong`)).status).toBe(401);
    expect(await knock(`ws://127.0.0.1:${port}/views`)).toBe(401);
    const answer = await get(`${url}${search}`);
    expect(answer).toMatchObject({ status: 302, headers: { location: '/' } });
    const [cookie] = answer.headers['set-cookie'] as string[];
    expect(cookie).toMatch(/; HttpOnly; SameSite=Lax/);
    const headers = { cookie: `other=1; ${cookie.split(';')[0]}` };
    expect((await get(url, headers)).status).toBe(200);
    expect(await knock(`ws://127.0.0.1:${port}/views`, headers)).toBe(101);
    expect(await knock(`ws://127.0.0.1:${port}/views`, { ...headers, origin: 'http://evil.example' })).toBe(403);
    expect(await knock(`ws://127.0.0.1:${port}/views${search}`)).toBe(101);
  });

  test('a token that is given holds on the own machine, too', async () => {
    const told = await start('-p', 'token:=open sesame');
    expect(told).toContain('?token=open%20sesame');
    expect((await get(told.split('?')[0])).status).toBe(401);
    expect((await get(told)).status).toBe(302);
  });

  test(
    'the token is in the terminal alone: not on /rosout, which bags of all topics have, nor in the files of the log',
    async () => {
      const logs = mkdtempSync(join(tmpdir(), 'depthgrad-log-'));
      const env = { ...rosEnvironment(), ROS_LOG_DIR: logs };
      const listener = new Peer(['/rosout=rcl_interfaces/msg/Log:raw_latched_sub'], env);
      try {
        const foxglove = 10_000 + (process.pid % 10_000);
        const ports = ['-p', 'port:=0', '-p', `foxglove_port:=${foxglove}`];
        node = new NodeProcess('dashboardNode', [...ports, '-p', 'bind_address:=0.0.0.0'], env);
        const told = [/page of \S+: (http:\S+)/, /Foxglove: (ws:\S+)/].map((line) => node!.logged(line));
        const addresses = (await Promise.all(told)).map((line) => new URL(line.split(' ').at(-1)!));
        const [token] = addresses.map(({ searchParams }) => searchParams.get('token')!);
        expect(token).toMatch(/^\S{24}$/);
        expect(addresses[1].searchParams.get('token')).toBe(token);

        const shown = addresses.map(({ href }) => href.split('?')[0]);
        const rosout = (): string =>
          listener
            .received('/rosout')
            .map(({ raw }) => Buffer.from(raw as string, 'base64').toString())
            .join('\n');
        await eventually(
          () => shown.every((address) => rosout().includes(address)),
          () => `${shown} on /rosout, which has ${rosout()}`,
        );
        await node.end('SIGINT');
        const files = readdirSync(logs).map((file) => readFileSync(join(logs, file), 'utf8'));
        for (const address of shown) expect(files.join('\n')).toContain(address);
        for (const kept of [rosout(), ...files]) expect(kept).not.toContain(token);
      } finally {
        await listener.close();
        rmSync(logs, { recursive: true });
      }
    },
    TEST_MS,
  );

  test('a port in use and an address of another machine are named', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    node = new NodeProcess('dashboardNode', ['-p', `port:=${port}`], rosEnvironment());
    expect(await node.exitCode()).toBe(1);
    expect(node.output).toContain(
      `dashboard_node: parameters bind_address and port: 127.0.0.1:${port}: another program listens there`,
    );
    node = new NodeProcess('dashboardNode', ['-p', 'bind_address:=192.0.2.1', '-p', 'port:=0'], rosEnvironment());
    expect(await node.exitCode()).toBe(1);
    expect(node.output).toContain('192.0.2.1:0: no address of this machine');
    // The Foxglove port is foxglove_bridge's as well: without it the page is still there.
    await start('-p', `foxglove_port:=${port}`);
    await node.logged(
      /parameter foxglove_port: 127\.0\.0\.1:\d+: another program listens there.*; going on without it/,
    );
    other.close();
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it at once, browsers or not', async (signal) => {
    const client = new ViewClient(await start());
    await client.opened;
    client.say({ want: MAPS });
    const { code, milliseconds } = await node!.end(signal);
    expect(code).toBe(0);
    expect(milliseconds).toBeLessThan(2500);
  });
});

function residentKilobytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}

/** IEEE 754 half precision by its definition. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}
