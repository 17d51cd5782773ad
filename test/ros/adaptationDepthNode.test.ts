/** adaptation_node and a depth_node that is killed in the middle of a swap, or that a promoted model fails in. */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ACK, AdaptationRig, DEPTH, PATIENCE_MS, TEST_MS, UPDATE } from '../support/adaptationNode';
import { floats, ROOT } from '../support/ros';

const rig = new AdaptationRig();
beforeAll(() => rig.prepare(), TEST_MS);
afterEach(async () => {
  await rig.stop();
  rmSync(rig.state, { recursive: true, force: true });
});

const judgeLater = async (): Promise<void> => {
  const parameter = { node: '/adaptation_node', name: 'judge_every', value: 1000, integer: true };
  expect(await rig.peer.command('set_parameter', parameter)).toMatchObject({ successful: true });
};

test(
  'depth_node killed by SIGKILL while it takes a promoted model: each new one gets the last promoted one, and depth goes on',
  async () => {
    await rig.start();
    await rig.stream();
    await rig.peer.message(UPDATE, () => true, PATIENCE_MS); // depth_node has it in work now
    await rig.depthNode!.kill();
    await judgeLater();
    for (const delay of [0, 60, 150]) {
      rig.runDepthNode();
      await rig.depthNode!.logged(/ready/, PATIENCE_MS); // the update comes by itself now
      await new Promise((resolve) => setTimeout(resolve, delay));
      await rig.depthNode!.kill();
    }
    const { model_sha256: promoted } = await rig.settled();
    rig.peer.forget(ACK);
    rig.peer.forget(DEPTH);
    rig.runDepthNode();
    const ack = await rig.peer.message(ACK, ({ accepted }) => accepted === true, PATIENCE_MS);
    expect(ack).toMatchObject({ sha256: promoted, runningSha256: promoted });
    await rig.status(({ running_sha256: running }) => running === promoted);
    const { data } = await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
    expect(floats(data).some((metres) => Number.isFinite(metres))).toBe(true);
    const { step } = await rig.status(() => true);
    await rig.status((status) => status.step > step);
  },
  TEST_MS,
);

test(
  'a promoted model that fails on a frame: the one before answers it, and adaptation_node withdraws what it published',
  async () => {
    const factory = createHash('sha256').update(readFileSync(rig.model)).digest('hex');
    await rig.start();
    await rig.depthNode!.kill();
    const options = `${process.env.NODE_OPTIONS ?? ''} --require ${join(ROOT, 'test/support/failingRuns.js')}`;
    rig.runDepthNode([], { NODE_OPTIONS: options, DEPTHGRAD_TEST_FACTORY_SHA256: factory });
    await rig.peer.matched();
    await rig.stream();
    await rig.peer.message(UPDATE, () => true, PATIENCE_MS);
    await rig.stopStream(); // one promotion: behind a second one the model before would fail, too
    await judgeLater();
    const { sha256: promoted } = await rig.peer.message(ACK, ({ accepted }) => accepted === true, PATIENCE_MS);
    expect(promoted).not.toBe(factory);
    const before = await rig.settled();
    rig.peer.forget(ACK);
    rig.peer.forget(DEPTH);

    const white = rig.write('white.rgb', (frame, into) => into.fill(253 + (frame % 3)), 8);
    await rig.stream({ path: white });
    const givenUp = await rig.peer.message(ACK, ({ accepted }) => accepted === false, PATIENCE_MS);
    expect(givenUp).toMatchObject({
      sha256: before.model_sha256,
      updateStamp: [0, 0],
      reason: expect.stringMatching(/^failed on a frame, the model before runs again: .*no memory for this frame$/),
    });
    await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
    await rig.node.logged(/rolled back: depth_node gave it up: failed on a frame/, PATIENCE_MS);
    const back = await rig.peer.message(ACK, ({ accepted }) => accepted === true, PATIENCE_MS);
    expect(back).toMatchObject({ runningSha256: factory });
    const after = await rig.status(({ running_sha256: running }) => running === factory);
    expect(after).toMatchObject({ model_sha256: factory, rolled_back: before.rolled_back + 1 });
    const stamps = await rig.stopStream();
    // Not one frame is without its depth, the one that failed included.
    const last = stamps[stamps.length - 1].join();
    const depths = rig.peer.received(DEPTH);
    await rig.peer.message(DEPTH, ({ stamp }) => stamp.join() === last, PATIENCE_MS);
    const answered = new Set([...depths, ...rig.peer.received(DEPTH)].map(({ stamp }) => stamp.join()));
    expect(stamps.slice(1, -1).filter((stamp) => !answered.has(stamp.join()))).toEqual([]);
  },
  TEST_MS,
);
