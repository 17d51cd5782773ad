/** What adaptation_node is told beside the images: the vehicle's speed, and every parameter that changes while it runs. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptationRig, ODOMETRY, STATE, TEST_MS, type Status } from '../support/adaptationNode';
import { Peer } from '../support/ros';

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
  'a speed on odometry_topic: without one, or in a turn, there is no velocity loss, with one there is',
  async () => {
    await rig.start({ judge_every: 1000, odometry_topic: ODOMETRY });
    await rig.stream();
    const without = await rig.status((status) => status.step > 1);
    expect(velocityLoss(without)).toBeUndefined();
    await rig.stopStream();
    await rig.stream({ speed: 4, odometry: ODOMETRY, turn: 0.5 });
    const { step, ...turning } = await rig.status((status) => status.step > without.step + 3);
    expect(velocityLoss({ step, ...turning } as Status)).toBeUndefined();
    await rig.stopStream();
    await rig.stream({ speed: 4, odometry: ODOMETRY });
    const driven = await rig.status((status) => status.step > step && velocityLoss(status) !== undefined);
    expect(velocityLoss(driven)).toBeGreaterThan(0);
  },
  TEST_MS,
);

test(
  'a speed of another type, or of a quality of service that does not go together, is named as long as it lasts',
  async () => {
    const twist = '/vehicle/twist';
    const reliable = { [`qos_overrides.${twist}.subscription.reliability`]: 'reliable' };
    await rig.start({ judge_every: 1000, twist_topic: twist, odometry_topic: ODOMETRY, ...reliable });
    const bad = new Peer([`${twist}=TwistStamped:best_effort_pub`, `${ODOMETRY}=TwistStamped:pub`], rig.environment);
    const faults = [
      `no speed on ${twist}: publisher /peer offers best effort, we ask reliable`,
      `no speed on ${ODOMETRY}: publisher /peer publishes geometry_msgs/msg/TwistStamped, we have nav_msgs/msg/Odometry`,
    ];
    try {
      for (const fault of faults) await rig.node.logged(new RegExp(fault));
      const { level } = await rig.diagnostic('Camera', ({ message }) => faults.every((one) => message.includes(one)));
      expect(level).toBe(1);
      for (const fault of faults) expect(rig.node.count(new RegExp(fault))).toBe(1);
    } finally {
      await bad.close();
    }
    await rig.diagnostic('Camera', ({ message }) => !message.includes('no speed'));
  },
  TEST_MS,
);

test(
  'images of image_transport compressed are learned from; files that are no pictures are rejected and named',
  async () => {
    const parameters = { judge_every: 1000, image_transport: 'compressed' };
    await rig.start(parameters, ['-p', 'image_transport:=compressed']);
    const skipped = ({ skipped_reasons: reasons, skipped_counts: counts }: Status): number =>
      counts[reasons.indexOf('rejected')];
    await rig.stream({ path: await rig.writeJpegs(), compressed: true, rate: 5 });
    const learning = await rig.status(({ state, step }) => state === STATE.learning && step > 1);
    expect(skipped(learning)).toBe(0);
    expect(learning.triplets).toBeGreaterThan(0);
    await rig.stopStream();
    const noFile = join(rig.folder, 'noFile.jpegs');
    writeFileSync(noFile, Buffer.concat([Buffer.from([100, 0, 0, 0]), Buffer.alloc(100, 7)]));
    await rig.stream({ path: noFile, compressed: true, rate: 5 });
    await rig.node.logged(
      /image_raw\/compressed: image ignored: data of format "rgb8; jpeg compressed bgr8" cannot be decoded/,
    );
    expect(skipped(await rig.status((status) => skipped(status) > 0))).toBeGreaterThan(0);
    await rig.diagnostic('Camera', ({ message }) => message.startsWith('the images cannot be read'));
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
