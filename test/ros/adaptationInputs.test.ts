/** What adaptation_node is told beside the images: the vehicle's speed, and every parameter that changes while it runs. */
import { rmSync } from 'node:fs';
import { AdaptationRig, ODOMETRY, TEST_MS, type Status } from '../support/adaptationNode';

const rig = new AdaptationRig();
beforeAll(() => rig.prepare(), TEST_MS);
afterEach(async () => {
  await rig.stop();
  rmSync(rig.state, { recursive: true, force: true });
});

interface Descriptor {
  name: string;
  readOnly: boolean;
  integer: boolean;
  number: boolean;
  range: [number, number] | null;
}

const NODE = { node: '/adaptation_node' };

const velocityLoss = ({ loss_names: names, loss_values: values }: Status): number | undefined =>
  (values as number[])[(names as string[]).indexOf('velocity')];

test(
  'a speed on odometry_topic: without one there is no velocity loss, with one there is',
  async () => {
    await rig.start({ judge_every: 1000, odometry_topic: ODOMETRY });
    await rig.stream();
    const { step, ...without } = await rig.status((status) => status.step > 1);
    expect(velocityLoss({ step, ...without } as Status)).toBeUndefined();
    await rig.stopStream();
    await rig.stream({ speed: 4, odometry: ODOMETRY });
    const driven = await rig.status((status) => status.step > step && velocityLoss(status) !== undefined);
    expect(velocityLoss(driven)).toBeGreaterThan(0);
  },
  TEST_MS,
);

test(
  'every parameter that is not read-only changes while it runs; what is out of its range is refused by name',
  async () => {
    await rig.start({ judge_every: 1000 });
    await rig.stream();
    await rig.status(({ step }) => step > 0);
    const { descriptors } = await rig.peer.command('describe_parameters', NODE);
    const live = (descriptors as Descriptor[]).filter(({ name, readOnly }) => !readOnly && name !== 'use_sim_time');
    expect(live.length).toBeGreaterThan(30);
    const get = async (name: string): Promise<number> =>
      (await rig.peer.command('get_parameter', { ...NODE, name })).value as number;

    for (const { name, integer, number, range } of live) {
      expect({ name, number, range }).toEqual({ name, number: true, range: [expect.any(Number), expect.any(Number)] });
      const [from, to] = range!;
      const before = await get(name);
      const half = (before + from) / 2;
      const other = integer
        ? before < to
          ? before + 1
          : before - 1
        : half !== before
          ? half
          : Math.min(to, from + 0.5);
      const set = (value: number): Promise<Record<string, unknown>> =>
        rig.peer.command('set_parameter', { ...NODE, name, value, integer });
      expect({ name, ...(await set(other)) }).toMatchObject({ name, successful: true });
      expect({ name, value: await get(name) }).toEqual({ name, value: other });
      for (const illegal of [from - 1, to + 1]) {
        const refused = await set(illegal);
        expect({ name, ...refused }).toMatchObject({
          name,
          successful: false,
          reason: expect.stringContaining(name),
        });
      }
      expect({ name, value: await get(name) }).toEqual({ name, value: other });
      // Back, so that the last one is not one of many that stop all learning together.
      expect({ name, ...(await set(before)) }).toMatchObject({ name, successful: true });
    }
    // The learner's thread took them all.
    const { step } = await rig.status(() => true);
    await rig.status((status) => status.step > step);
  },
  TEST_MS,
);
