/** Parameters of a running depth_node, set as `ros2 param set` sets them: live ones take effect, all others are refused with a reason. */
import { DepthNodeRig, IMAGE } from '../support/depthNode';

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

interface Descriptor {
  name: string;
  text: string;
  readOnly: boolean;
  number: boolean;
  integer: boolean;
  range: [number, number] | null;
}

const NODE = '/depth_node';
const BAD_TYPE = 77;
const NOT_SET = 0;

test('every parameter is described, with its range; out of it, of another type, NaN, and unset are refused, by name', async () => {
  await rig.start([], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  const { descriptors } = await rig.peer.command('describe_parameters', { node: NODE });
  const own = (descriptors as Descriptor[]).filter(({ name }) => name !== 'use_sim_time');
  expect(own.length).toBeGreaterThan(25);
  const set = (fields: object): Promise<Record<string, unknown>> =>
    rig.peer.command('set_parameter', { node: NODE, ...fields });
  for (const { name, text, readOnly, number, integer, range } of own) {
    expect({ name, length: text.length }).toMatchObject({ length: expect.any(Number) });
    expect(text.length).toBeGreaterThan(10);
    if (number) expect({ name, range }).toEqual({ name, range: [expect.any(Number), expect.any(Number)] });
    const before = (await rig.peer.command('get_parameter', { node: NODE, name })).value;
    const bad: object[] = [
      { value: number ? 'text' : 1.5 },
      { value: 0.5, type: NOT_SET },
      ...(number
        ? [
            { value: range![1] * 2 + 1, integer },
            { value: range![0] - 1, integer },
          ]
        : []),
      ...(number && !integer ? [{ value: 'nan', double: true }] : []),
    ];
    for (const fields of bad) {
      const { successful, reason } = await set({ name, ...fields });
      expect({ name, fields, successful }).toMatchObject({ successful: false });
      expect(reason).toContain(name);
      expect(reason).toMatch(readOnly ? /readonly|must be/ : /must be|is read when the node is configured/);
    }
    expect((await rig.peer.command('get_parameter', { node: NODE, name })).value).toEqual(before);
  }
  const byName = new Map(own.map((one) => [one.name, one]));
  expect(byName.get('autostart')!.readOnly).toBe(true);
  expect(byName.get('max_range')!.readOnly).toBe(false);
  expect(await set({ name: 'autostart', value: false })).toMatchObject({ successful: false });
  expect(await set({ name: 'threads', value: 1, integer: true })).toMatchObject({
    successful: false,
    reason: 'parameter threads: is read when the node is configured; deactivate it and clean it up first',
  });
  expect(await set({ name: 'no_such_parameter', value: 1.5 })).toMatchObject({ successful: false });
  await rig.depthAt(await rig.publish()); // and the node goes on
});

test('max_rate and max_image_bytes take effect while the node runs', async () => {
  await rig.start([], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub', '/diagnostics=DiagnosticArray:sub']);
  await rig.depthAt(await rig.publish());
  const set = { node: NODE, name: 'max_image_bytes', integer: true };
  expect(await rig.peer.command('set_parameter', { ...set, value: 10_000 })).toMatchObject({ successful: true });
  await rig.publish();
  await rig.node.logged(/\/front\/image_raw: image ignored: message has \d+ bytes, max_image_bytes is 10000/);
  expect(await rig.peer.command('set_parameter', { ...set, value: 1_000_000 })).toMatchObject({ successful: true });
  expect(await rig.peer.command('set_parameter', { node: NODE, name: 'max_rate', value: 2 })).toMatchObject({
    successful: true,
  });
  await rig.peer.command('publish_until_stopped', { ...rig.imageFields(), rate: 20 });
  await rig.peer.message('/diagnostics', ({ status }) => {
    const { skipped, rejected, fps } = (status as { values: Record<string, string> }[])[0].values;
    return Number(skipped) >= 25 && rejected === '1' && Number(fps) > 0 && Number(fps) < 4;
  });
});

test('min_range at or above max_range is refused, from either side; both may change together', async () => {
  await rig.startManaged(['-p', 'min_range:=5.0', '-p', 'max_range:=5.0'], []);
  const change = (label: string): Promise<unknown> => rig.peer.command('change_state', { node: NODE, label });
  expect(await change('configure')).toMatchObject({ success: false });
  await rig.node.logged(/parameter max_range: is 5, must be above min_range, which is 5/);
  const set = (name: string, value: number): Promise<unknown> =>
    rig.peer.command('set_parameter', { node: NODE, name, value });
  expect(await set('max_range', 80)).toMatchObject({ successful: true });
  expect(await change('configure')).toMatchObject({ success: true });
  for (const [name, value, reason] of [
    ['max_range', 0, 'parameter max_range: is 0, must be above min_range, which is 5'],
    ['max_range', 5, 'parameter max_range: is 5, must be above min_range, which is 5'],
    ['min_range', 80, 'parameter min_range: is 80, must be below max_range, which is 80'],
    ['min_range', 200, 'parameter min_range: is 200, must be below max_range, which is 80'],
  ] as const)
    expect(await set(name, value)).toMatchObject({ successful: false, reason });
  const setBoth = (values: object): Promise<unknown> =>
    rig.peer.command('set_parameters_atomically', { node: NODE, values });
  expect(await setBoth({ min_range: 100, max_range: 90 })).toMatchObject({ successful: false });
  const twice = [
    ['min_range', 1],
    ['min_range', 100],
    ['max_range', 200],
    ['max_range', 90],
  ];
  expect(await setBoth(twice)).toMatchObject({ successful: false });
  expect(await setBoth({ min_range: 100, max_range: 200 })).toMatchObject({ successful: true });
});

test('max_range at or below min_range ends the node at the start, by name', async () => {
  const ending = rig.run(['-p', `model:=${rig.model}`, '-p', 'max_range:=0.0']);
  expect(await ending.exitCode()).toBe(1);
  expect(ending.output).toContain('depth_node: parameter max_range: is 0, must be above min_range, which is 0.1');
});

test('requests that make no sense are no end of the node', async () => {
  await rig.start([], [`${IMAGE}=Image:pub`, '/depth_node/depth=Image:sub']);
  const service = `${NODE}/describe_parameters`;
  await rig.peer.command('unanswered', { service, kind: 'DescribeParameters', names: ['no_such_parameter'] });
  await rig.peer.command('unanswered', {
    service: `${NODE}/get_parameters`,
    kind: 'GetParameters',
    names: ['nothing'],
  });
  await rig.peer.command('unanswered', {
    service: `${NODE}/get_parameter_types`,
    kind: 'GetParameterTypes',
    names: ['', 'nothing'],
  });
  await rig.peer.command('unanswered_set', { node: NODE, name: 'max_range', type: BAD_TYPE });
  await rig.peer.command('unanswered_set', { node: NODE, name: '', type: 3 });
  await rig.depthAt(await rig.publish());
  expect(await rig.peer.command('set_parameter', { node: NODE, name: 'max_range', value: 50 })).toMatchObject({
    successful: true,
  });
});
