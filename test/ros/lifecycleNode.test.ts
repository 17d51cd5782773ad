/**
 * What every lifecycle node of this package does when its own code throws, driven by rclpy: test/support/failingTransitions.ts is a node whose callbacks throw
 * as it is told, under the state machine that depth_node has (src/nodes/ros/lifecycleNode.ts).
 */
import { NodeProcess, Peer, rosEnvironment } from '../support/ros';

const NODE = { node: '/failing_node' };
const EVENTS = '/failing_node/transition_event';
/** The way to each state from unconfigured. */
const WAY = { unconfigured: [], inactive: ['configure'], active: ['configure', 'activate'] } as const;

let node: NodeProcess;
let peer: Peer;
beforeEach(async () => {
  const env = rosEnvironment();
  peer = new Peer([`${EVENTS}=TransitionEvent:sub`], env);
  node = new NodeProcess({ file: 'dist/test/support/failingTransitions.js' }, [], env);
  await peer.matched();
});
afterEach(async () => {
  await node.kill();
  await peer.close();
});

const state = async (): Promise<unknown> => (await peer.command('get_state', NODE)).state;
const change = async (label: string): Promise<unknown> =>
  (await peer.command('change_state', { ...NODE, label })).success;
const throwIn = async (value: string): Promise<void> => {
  const set = await peer.command('set_parameter', { ...NODE, name: 'throws', value });
  expect(set).toMatchObject({ successful: true });
};

async function bring(to: keyof typeof WAY): Promise<void> {
  for (const label of WAY[to]) expect(await change(label)).toBe(true);
  expect(await state()).toBe(to);
  peer.forget(EVENTS);
}

/** The states passed, as they were announced. */
async function passed(last: string): Promise<unknown[]> {
  const events = peer.received(EVENTS).map(({ to }) => to);
  if (!events.includes(last)) events.push((await peer.message(EVENTS, ({ to }) => to === last)).to);
  return events;
}

const TRANSITIONS = [
  ['configure', 'unconfigured', 'configuring'],
  ['activate', 'inactive', 'activating'],
  ['deactivate', 'active', 'deactivating'],
  ['cleanup', 'inactive', 'cleaningup'],
  ['shutdown', 'unconfigured', 'shuttingdown'],
  ['shutdown', 'inactive', 'shuttingdown'],
  ['shutdown', 'active', 'shuttingdown'],
] as const;
const HOW = ['', ' later'];

test.each(TRANSITIONS.flatMap((one) => HOW.map((how) => [...one, how] as const)))(
  '%s from %s that fails: false, by way of %s and onError to unconfigured, and all goes well again%s',
  async (label, from, during, how) => {
    await bring(from);
    await throwIn(label + how);
    expect(await change(label)).toBe(false);
    expect(await state()).toBe('unconfigured');
    expect(await passed('unconfigured')).toEqual([during, 'errorprocessing', 'unconfigured']);
    await node.logged(new RegExp(`onError got: ${label} went wrong`));
    await throwIn('');
    await bring('active');
    for (const next of ['deactivate', 'cleanup', 'shutdown']) expect(await change(next)).toBe(true);
    expect(await state()).toBe('finalized');
  },
);

test.each(TRANSITIONS.slice(0, 4).flatMap((one) => HOW.map((how) => [...one, how] as const)))(
  '%s from %s that fails, and onError too: finalized, with both causes, and it can still be asked and ended (%s%s)',
  async (label, from, during, how) => {
    await bring(from);
    await throwIn(`${label} error${how}`);
    expect(await change(label)).toBe(false);
    expect(await state()).toBe('finalized');
    expect(await passed('finalized')).toEqual([during, 'errorprocessing', 'finalized']);
    await node.logged(/\[ERROR\].*finalized, for the error could not be cleaned up: error went wrong/);
    await node.logged(new RegExp(`onError got: ${label} went wrong`));
    expect(await change('configure')).toBe(false);
    expect(await state()).toBe('finalized');
    expect((await node.end('SIGINT')).code).toBe(0);
  },
);

test.each([
  ['', 'unconfigured'],
  ['error', 'finalized'],
])('an error beside all transitions ends the active state (throws: "%s"): %s', async (throws, to) => {
  await bring('active');
  await throwIn(throws);
  const service = { service: '/failing_node/raise' };
  expect(await peer.command('trigger', service)).toMatchObject({ success: true, message: to });
  expect(await state()).toBe(to);
  expect(await passed(to)).toEqual(['deactivating', 'errorprocessing', to]);
  await node.logged(/onError got: its thread died/);
});

test('an error beside all transitions changes nothing where the node is not active', async () => {
  await bring('inactive');
  await peer.command('trigger', { service: '/failing_node/raise' });
  expect(await state()).toBe('inactive');
  expect(peer.received(EVENTS)).toHaveLength(0);
  expect(node.count(/onError got/)).toBe(0);
});

test('a transition that fails lets those that wait for their turn have it', async () => {
  await bring('inactive');
  await throwIn('activate later');
  for (const label of ['activate', 'configure']) await peer.command('change_state', { ...NODE, label, wait: false });
  await peer.message(EVENTS, ({ from, to }) => from === 'configuring' && to === 'inactive');
  expect(await state()).toBe('inactive');
});

test('a client that cannot be answered is no end of the node', async () => {
  const { services } = (await peer.command('node_interface', NODE)) as unknown as { services: string[] };
  const kinds = {
    get_state: 'lifecycle_msgs/srv/GetState',
    get_available_states: 'lifecycle_msgs/srv/GetAvailableStates',
    get_available_transitions: 'lifecycle_msgs/srv/GetAvailableTransitions',
    get_type_description: 'type_description_interfaces/srv/GetTypeDescription', // there is none before Jazzy
    list_parameters: 'rcl_interfaces/srv/ListParameters',
  };
  for (const [name, type] of Object.entries(kinds)) {
    const service = `${NODE.node}/${name}`;
    if (!services.includes(service) && name === 'get_type_description') continue;
    await peer.command('unheard', { service, type });
    await node.logged(new RegExp(`${service}: request not answered: .*will not receive response`));
  }
  expect(await state()).toBe('unconfigured');
});
