/** depth_node's inference thread dies while images come (test/support/dyingThread.js): what docs/operations.md promises of it. */
import { join } from 'node:path';
import { DepthNodeRig, HEIGHT, IMAGE, WIDTH } from '../support/depthNode';
import { ROOT, rosEnvironment, type PeerMessage } from '../support/ros';

const NODE = { node: '/depth_node' };
const DEPTH = '/depth_node/depth';
const EVENTS = '/depth_node/transition_event';
const TOPICS = [`${IMAGE}=Image:pub`, `${DEPTH}=Image:sub`, '/diagnostics=DiagnosticArray:sub'];

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

const withDyingThread = (): NodeJS.ProcessEnv => ({
  ...rosEnvironment(),
  NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --require ${join(ROOT, 'test/support/dyingThread.js')}`,
});
const state = async (): Promise<unknown> => (await rig.peer.command('get_state', NODE)).state;
const change = async (label: string): Promise<unknown> =>
  (await rig.peer.command('change_state', { ...NODE, label })).success;
const deadly = { data: Buffer.alloc(WIDTH * HEIGHT * 3, 255).toString('base64') };

test('under a lifecycle manager: unconfigured by way of errorprocessing, the cause in the log and in /diagnostics, and it can be configured again', async () => {
  await rig.startManaged([], [...TOPICS, `${EVENTS}=TransitionEvent:sub`], withDyingThread());
  for (const label of ['configure', 'activate']) expect(await change(label)).toBe(true);
  await rig.peer.matched();
  await rig.depthAt(await rig.publish());
  rig.peer.forget(EVENTS);

  await rig.publish(deadly);
  await rig.peer.message(EVENTS, ({ to }) => to === 'unconfigured');
  expect(rig.peer.received(EVENTS).map(({ to }) => to)).toEqual(['deactivating', 'errorprocessing']);
  await rig.node.logged(/\[ERROR\].*the accelerator is gone/);
  await rig.peer.message('/diagnostics', ({ status }: PeerMessage) =>
    (status as { name: string; level: number; message: string }[]).some(
      ({ name, level, message }) =>
        name === '/depth_node: Lifecycle' && level === 2 && message.includes('the accelerator is gone'),
    ),
  );
  expect(await state()).toBe('unconfigured');

  for (const label of ['configure', 'activate']) expect(await change(label)).toBe(true);
  await rig.peer.matched();
  await rig.depthAt(await rig.publish());
  expect((await rig.node.end('SIGINT')).code).toBe(0);
});

test('started by itself (autostart): the process ends with code 1 and says why, for respawn or systemd', async () => {
  await rig.start([], TOPICS, withDyingThread());
  await rig.depthAt(await rig.publish());
  await rig.publish(deadly);
  expect(await rig.node.exitCode()).toBe(1);
  expect(rig.node.output).toMatch(/^depth_node: the accelerator is gone$/m);
});
