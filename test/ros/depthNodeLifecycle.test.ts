/** depth_node's lifecycle, driven by rclpy as nav2's lifecycle manager drives it: every transition, every way they fail, and what they cost. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DepthNodeRig, IMAGE } from '../support/depthNode';
import { clock } from '../support/fuzzMessages';
import { PATIENCE, type PeerMessage } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const NODE = { node: '/depth_node' };
const DEPTH = '/depth_node/depth';
const EVENTS = '/depth_node/transition_event';
const TOPICS = [
  `${IMAGE}=Image:pub`,
  `${DEPTH}=Image:sub`,
  `${EVENTS}=TransitionEvent:sub`,
  '/diagnostics=DiagnosticArray:sub',
];

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

const startManaged = (rosArguments: string[] = []): Promise<void> => rig.startManaged(rosArguments, TOPICS);

const state = async (): Promise<unknown> => (await rig.peer.command('get_state', NODE)).state;
const change = async (label: string): Promise<unknown> =>
  (await rig.peer.command('change_state', { ...NODE, label })).success;

interface Status {
  name: string;
  level: number;
  message: string;
}

async function status(part: string, fits: (status: Status) => boolean): Promise<Status> {
  const find = (message: PeerMessage): Status | undefined =>
    (message.status as Status[]).find(({ name }) => name === `/depth_node: ${part}`);
  rig.peer.forget('/diagnostics');
  const message = await rig.peer.message('/diagnostics', (message) => {
    const found = find(message);
    return found !== undefined && fits(found);
  });
  return find(message)!;
}

const publishing = { ...rig.imageFields(), rate: 20 };

/** Whether depths come while images do. */
async function depthsCome(): Promise<void> {
  rig.peer.forget(DEPTH);
  await rig.peer.message(DEPTH);
}

async function noDepthsCome(milliseconds = 400): Promise<void> {
  await sleep(100); // what was on its way
  rig.peer.forget(DEPTH);
  await sleep(milliseconds);
  expect(rig.peer.received(DEPTH)).toHaveLength(0);
}

test('every state and transition: what can be asked, what is answered, what is published', async () => {
  await startManaged();
  expect(await state()).toBe('unconfigured');
  expect((await rig.peer.command('get_available_states', NODE)).states).toEqual(
    expect.arrayContaining(['unconfigured', 'inactive', 'active', 'finalized', 'configuring', 'errorprocessing']),
  );
  const transitions = async (): Promise<string[]> =>
    ((await rig.peer.command('get_available_transitions', NODE)).transitions as string[][]).map(([label]) => label);
  expect(await transitions()).toEqual(['configure', 'shutdown']);
  await rig.peer.command('publish_until_stopped', publishing);
  await noDepthsCome();

  // impossible ones are answered, named, and change nothing
  for (const label of ['activate', 'deactivate', 'cleanup', 'transition_success', 'nonsense\n[ERROR] forged'])
    expect({ label, success: await change(label) }).toEqual({ label, success: false });
  expect((await rig.peer.command('change_state', { ...NODE, number: 4 })).success).toBe(false);
  await rig.node.logged(/state change refused: there is no transition "deactivate" from unconfigured/);
  expect(rig.node.count(/^\[ERROR\] forged/m)).toBe(0);
  expect(await state()).toBe('unconfigured');

  expect(await change('configure')).toBe(true);
  expect(await state()).toBe('inactive');
  expect(await transitions()).toEqual(['cleanup', 'activate', 'shutdown']);
  await noDepthsCome();
  expect(await status('Camera', () => true)).toMatchObject({ level: 3, message: 'inactive: takes no images' });

  expect((await rig.peer.command('change_state', { ...NODE, number: 3 })).success).toBe(true); // by number, as rviz does
  expect(await state()).toBe('active');
  expect(await transitions()).toEqual(['deactivate', 'shutdown']);
  await depthsCome();
  await status('Lifecycle', ({ level, message }) => level === 0 && message === 'active');

  expect(await change('deactivate')).toBe(true);
  await noDepthsCome();
  expect(await change('activate')).toBe(true);
  await depthsCome();
  expect(await change('deactivate')).toBe(true);
  expect(await change('cleanup')).toBe(true);
  expect(await state()).toBe('unconfigured');
  await noDepthsCome();
  const { publishers, subscribers } = await rig.peer.command('node_interface', NODE);
  expect([publishers, subscribers]).toEqual([
    ['/depth_node/transition_event', '/diagnostics', '/parameter_events', '/rosout'],
    [],
  ]);
  const events = rig.peer.received(EVENTS).map(({ from, to }) => `${from as string} ${to as string}`);
  expect(events.slice(0, 4)).toEqual([
    'unconfigured configuring',
    'configuring inactive',
    'inactive activating',
    'activating active',
  ]);
});

test.each(['unconfigured', 'inactive', 'active'])(
  'shutdown from %s frees everything; the node stays to be asked',
  async (from) => {
    await startManaged();
    if (from !== 'unconfigured') await change('configure');
    if (from === 'active') await change('activate');
    expect(await state()).toBe(from);
    expect(await change('shutdown')).toBe(true);
    expect(await state()).toBe('finalized');
    expect(await change('configure')).toBe(false);
    expect((await rig.peer.command('node_interface', NODE)).subscribers).toEqual([]);
    expect((await rig.node.end('SIGINT')).code).toBe(0);
  },
);

const damaged = tinyModel().subarray(0, tinyModel().length >> 1);
test.each([
  ['missing', undefined, /cannot be read \(ENOENT/],
  ['damaged', damaged, /truncated or not an ONNX file/],
  ['of another size than it says', tinyModel({ metadata: { width: '128' } }), /has shape \[1,64,96\]/],
])('a model that is %s: back to unconfigured by its cause, and a better one works', async (kind, bytes, cause) => {
  const file = join(rig.folder, `managed-${kind.replaceAll(' ', '-')}.onnx`);
  if (bytes) writeFileSync(file, bytes);
  await startManaged(['-p', `model:=${file}`]);
  rig.peer.forget(EVENTS);
  expect(await change('configure')).toBe(false);
  expect(await state()).toBe('unconfigured');
  await rig.node.logged(new RegExp(`\\[ERROR\\].*model file ${file}: .*${cause.source}`));
  const { message } = await status('Lifecycle', ({ level }) => level === 2);
  expect(message).toMatch(cause);
  const passed = rig.peer.received(EVENTS).map(({ to }) => to);
  expect(passed).toEqual(['configuring', 'errorprocessing', 'unconfigured']);

  const set = { ...NODE, name: 'model', value: rig.model };
  expect(await rig.peer.command('set_parameter', set)).toMatchObject({ successful: true });
  expect(await change('configure')).toBe(true);
  await status('Lifecycle', ({ level, message: text }) => level === 0 && text === 'inactive');
  expect(await rig.peer.command('set_parameter', set)).toMatchObject({
    successful: false,
    reason: 'parameter model: is read when the node is configured; deactivate it and clean it up first',
  });
  expect(await change('activate')).toBe(true);
  await rig.peer.command('publish_until_stopped', publishing);
  await depthsCome();
});

test('a key that cannot be read fails configure too', async () => {
  await startManaged(['-p', 'model_update_public_key:=/nowhere.pem']);
  expect(await change('configure')).toBe(false);
  await rig.node.logged(/parameter model_update_public_key: \/nowhere\.pem holds no public key/);
  expect(await state()).toBe('unconfigured');
});

test('requests that come while another is in work wait for their turn, and the state is told meanwhile', async () => {
  const large = join(rig.folder, 'large.onnx');
  writeFileSync(large, tinyModel({ width: 1536, height: 1536 }));
  await startManaged(['-p', `model:=${large}`]);
  expect(await state()).toBe('unconfigured'); // DDS has found the service before its answers are timed
  for (const label of ['configure', 'activate', 'deactivate', 'cleanup'])
    await rig.peer.command('change_state', { ...NODE, label, wait: false });
  const seen = new Set<unknown>();
  while (!rig.peer.received(EVENTS).some(({ to }) => to === 'cleaningup')) seen.add(await state());
  expect(await change('configure')).toBe(true);
  expect([...seen]).toContain('configuring');
  expect(rig.node.count(/state change refused/)).toBe(0);
});

test('a node that started itself can be deactivated, says so, and goes on when it is activated again', async () => {
  await rig.start([], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub', '/diagnostics=DiagnosticArray:sub']);
  await rig.depthAt(await rig.publish());
  expect(await change('deactivate')).toBe(true);
  const lifecycle = (state: string) => (message: PeerMessage) =>
    (message.status as Status[]).some(({ name, message: text }) => name === '/depth_node: Lifecycle' && text === state);
  for (let i = 0; i < 3; i++) await rig.peer.message('/diagnostics', lifecycle('inactive'));
  expect(await change('activate')).toBe(true);
  await rig.peer.message('/diagnostics', lifecycle('active'));
  await rig.peer.matched();
  await rig.depthAt(await rig.publish());
});

test('use_sim_time set while configured or active: time goes on by /clock through every transition', async () => {
  await rig.startManaged([], [...TOPICS, '/clock=rosgraph_msgs/msg/Clock:pub']);
  let seconds = 100;
  const timeIsFollowed = async (): Promise<void> => {
    seconds += 10;
    const data = clock(seconds).toString('base64');
    const isNow = ({ stamp }: PeerMessage): boolean => stamp[0] === seconds;
    for (let tries = 0; !rig.peer.received('/diagnostics').some(isNow); tries++) {
      expect(tries).toBeLessThan(50 * PATIENCE);
      await rig.peer.command('raw', { topic: '/clock', data });
      await sleep(100);
    }
  };
  const simulate = async (value: boolean): Promise<void> =>
    expect(await rig.peer.command('set_parameter', { ...NODE, name: 'use_sim_time', value })).toMatchObject({
      successful: true,
    });
  for (const setIn of ['inactive', 'active']) {
    expect(await change('configure')).toBe(true);
    if (setIn === 'active') expect(await change('activate')).toBe(true);
    await simulate(true);
    await timeIsFollowed();
    for (const label of setIn === 'active' ? ['deactivate', 'cleanup'] : ['activate', 'deactivate', 'cleanup']) {
      expect(await change(label)).toBe(true);
      await timeIsFollowed();
    }
    await simulate(false);
    const { subscribers } = await rig.peer.command('node_interface', NODE);
    expect(subscribers).toEqual([]);
  }
});

/** MiB and number of the process's threads. */
function cost(): { memory: number; threads: number } {
  const status = readFileSync(`/proc/${rig.node.pid}/status`, 'utf8');
  return {
    memory: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024,
    threads: Number(/Threads:\s+(\d+)/.exec(status)![1]),
  };
}

const openFiles = (): number => readdirSync(`/proc/${rig.node.pid}/fd`).length;

test(
  'configured and cleaned up 20 times: memory, threads and open files stay as they are',
  async () => {
    await startManaged();
    await rig.peer.command('publish_until_stopped', publishing);
    const round = async (): Promise<void> => {
      for (const label of ['configure', 'activate']) expect(await change(label)).toBe(true);
      await depthsCome();
      for (const label of ['deactivate', 'cleanup']) expect(await change(label)).toBe(true);
    };
    // Collections make a saw of the memory: its lowest points say whether it grows.
    const lowest = async (rounds: number): Promise<number> => {
      let least = Infinity;
      for (let i = 0; i < rounds; i++) {
        await round();
        least = Math.min(least, cost().memory);
      }
      return least;
    };
    await lowest(3);
    const memory = await lowest(3);
    const [{ threads }, files] = [cost(), openFiles()];
    await lowest(12);
    const later = await lowest(4);
    expect(cost().threads).toBe(threads);
    expect(openFiles()).toBeLessThanOrEqual(files + 2);
    expect(later - memory).toBeLessThan(20);
  },
  240_000 * PATIENCE,
);

test(
  'activated and deactivated 30 times under a running camera; ~/reset begins anew',
  async () => {
    await startManaged();
    await change('configure');
    await rig.peer.command('publish_until_stopped', { ...publishing, rate: 60 });
    for (let i = 0; i < 30; i++) {
      expect(await change('activate')).toBe(true);
      if (i % 5 === 0) await depthsCome();
      expect(await change('deactivate')).toBe(true);
    }
    await noDepthsCome();
    await change('activate');
    await depthsCome();
    const framesIn = async (fits: (count: number) => boolean): Promise<void> => {
      await status('Inference', (one) =>
        fits(Number((one as unknown as { values: Record<string, string> }).values.frames_in)),
      );
    };
    await framesIn((count) => count > 120);
    expect(await rig.peer.command('trigger', { service: '/depth_node/reset' })).toMatchObject({ success: true });
    await framesIn((count) => count < 120);
    await depthsCome();
  },
  60_000 * PATIENCE,
);

test.each(['unconfigured', 'configuring', 'inactive', 'active', 'finalized'])(
  'SIGINT and SIGTERM while %s end it with code 0 within 2 s',
  async (wanted) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      await startManaged();
      if (wanted === 'configuring')
        await rig.peer.command('change_state', { ...NODE, label: 'configure', wait: false });
      else if (wanted === 'finalized') await change('shutdown');
      else if (wanted !== 'unconfigured') await change('configure');
      if (wanted === 'active') await change('activate');
      const { code, milliseconds } = await rig.node.end(signal);
      expect({ code, output: rig.node.output }).toMatchObject({ code: 0 });
      expect(milliseconds).toBeLessThan(2000);
      await rig.stop();
    }
  },
);
