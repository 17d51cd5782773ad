/** adaptation_node with a depth_node over real DDS: rclpy is the camera, the operator and the one who counts depths. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACK, AdaptationRig, DEPTH, PATIENCE_MS, STATE, TEST_MS, UPDATE, type Status } from '../support/adaptationNode';
import { floats, PATIENCE } from '../support/ros';

const rig = new AdaptationRig();
beforeAll(() => rig.prepare(), TEST_MS);
afterEach(async () => {
  await rig.stop();
  rmSync(rig.state, { recursive: true, force: true });
});

const skipped = ({ skipped_reasons: reasons, skipped_counts: counts }: Status): Record<string, number> =>
  Object.fromEntries(reasons.map((reason, i) => [reason, counts[i]]));

test(
  'learns, promotes, hands over; depth goes on without a lost frame; a restart goes on from there',
  async () => {
    const keys = generateKeyPairSync('ed25519');
    const [privateKey, publicKey] = ['private.pem', 'public.pem'].map((name) => join(rig.folder, name));
    writeFileSync(privateKey, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(publicKey, keys.publicKey.export({ type: 'spki', format: 'pem' }));
    const verify = ['-p', `model_update_public_key:=${publicKey}`];
    await rig.start({ private_key: privateKey }, verify);
    await rig.stream({ speed: 4 });
    const learning = await rig.status(({ step }) => step > 0);
    expect(learning).toMatchObject({ state: expect.any(Number), reason: '' });
    expect(learning.loss_names).toEqual(
      expect.arrayContaining(['photometric', 'reference_depth', 'scale_anchor', 'velocity', 'loss', 'gradient_norm']),
    );
    expect(learning.buffer_bytes).toBeGreaterThan(0);
    expect(learning.buffer_source).toBeGreaterThan(0);

    const ack = await rig.peer.message(ACK, ({ accepted }) => accepted === true, PATIENCE_MS);
    const update = await rig.peer.message(UPDATE);
    expect(update).toMatchObject({ kind: 1, version: 1, sha256: ack.sha256 });
    const factory = update.parentSha256;
    expect(update.bytes).toBeLessThan(4_000_000); // of 16 MB
    const status = await rig.status(({ updates_accepted }) => updates_accepted > 0);
    expect(status.promoted).toBeGreaterThan(0);
    expect(status.place_error_candidate).toBeGreaterThan(0);
    expect(status.place_error_reference).toBeGreaterThan(0);
    expect(status.step).toBeGreaterThan(learning.step);
    expect(status.step_ms).toBeGreaterThan(1);
    expect(skipped(status)).toMatchObject({ dark: 0, saturated: 0, no_camera_info: expect.any(Number) });
    const stamps = await rig.stopStream();
    const last = stamps[stamps.length - 1];
    const same = (a: [number, number], b: [number, number]): boolean => a[0] === b[0] && a[1] === b[1];
    await rig.peer.message(DEPTH, ({ stamp }) => same(stamp, last));
    const depths = rig.peer.received(DEPTH);
    const first = stamps.findIndex((stamp) => same(depths[0].stamp, stamp));
    const lost = stamps.slice(first, -1).filter((stamp) => !depths.some((depth) => same(depth.stamp, stamp)));
    expect(lost).toEqual([]);
    expect(depths.every(({ data }) => floats(data).some((metres) => Number.isFinite(metres)))).toBe(true);

    // Ended by SIGTERM and started anew it goes on, and a depth_node that was started anew gets the model too.
    const { updates_accepted: accepted, ...before } = await rig.settled();
    expect(accepted).toBeGreaterThan(0);
    expect((await rig.node.end('SIGTERM')).code).toBe(0);
    await rig.depthNode!.kill();
    rig.runDepthNode(verify);
    rig.peer.forget(ACK);
    rig.runAdaptation({ private_key: privateKey });
    await rig.node.logged(/goes on from \S+ at step \d+/, PATIENCE_MS);
    const after = await rig.status(({ updates_accepted }) => updates_accepted > 0);
    expect(after).toMatchObject({ model_sha256: before.model_sha256, promoted: before.promoted, step: before.step });
    expect(after.update_version).toBeGreaterThan(before.update_version);
    expect(after.running_sha256).toBe(after.model_sha256);

    // Reset goes back to the factory model, and depth_node with it.
    rig.peer.forget(ACK);
    expect(await rig.service('reset')).toMatchObject({ success: true, message: expect.stringContaining('factory') });
    const back = await rig.peer.message(ACK, ({ accepted }) => accepted === true, PATIENCE_MS);
    expect(back).toMatchObject({ runningSha256: factory, version: after.update_version + 1 });
    expect(await rig.status(({ running_sha256: running }) => running === factory)).toMatchObject({
      model_sha256: factory,
    });
  },
  TEST_MS,
);

test(
  'services and parameters act while it runs, and say why not',
  async () => {
    await rig.start({ judge_every: 1000 });
    await rig.stream();
    await rig.status(({ step }) => step > 1);
    expect(await rig.service('enable', false)).toEqual({ success: true, message: expect.stringContaining('off') });
    const off = await rig.status(({ state }) => state === STATE.disabled);
    expect(off.reason).toContain('~/enable');
    const later = await rig.status(({ frames }) => (frames as number) > (off.frames as number) + 10);
    expect(later.step).toBe(off.step);
    expect(await rig.service('enable', true)).toMatchObject({ success: true });
    await rig.status(({ state, step }) => state === STATE.learning && step > off.step);

    const set = (name: string, value: number, integer = false): Promise<Record<string, unknown>> =>
      rig.peer.command('set_parameter', { node: '/adaptation_node', name, value, integer });
    expect(await set('learning_rate', 0)).toMatchObject({ successful: true });
    expect(await set('loss_smoothness', 0)).toMatchObject({ successful: true });
    expect(await set('judge_every', 500, true)).toMatchObject({ successful: true });
    await rig.status(({ loss_names: names }) => !(names as string[]).includes('smoothness'));
    expect(await set('duty_cycle', 1.5)).toMatchObject({
      successful: false,
      reason: expect.stringContaining('duty_cycle'),
    });
    expect(await set('threads', 2, true)).toMatchObject({
      successful: false,
      reason: expect.stringContaining('threads'),
    });
    expect(await set('duty_cycle', 0.001)).toMatchObject({ successful: true });

    expect(await rig.service('save')).toEqual({ success: true, message: `saved in ${rig.state}` });
    expect(readdirSync(rig.state).sort()).toEqual(['buffer', 'source.txt', 'state.safetensors']);
    const learner = await rig.diagnostic('Learner', ({ values }) => values.state === 'learning');
    expect(learner.level).toBe(0);
  },
  TEST_MS,
);

test(
  'without source drives it waits, says where it looked, and ends by signal',
  async () => {
    await rig.start({ source: "''" });
    const { reason } = await rig.status(({ state }) => state === STATE.waiting);
    expect(reason).toMatch(
      /^parameter source: no source drives: .*test_videos is not there\. npm run setup fetches it/,
    );
    const { level, message } = await rig.diagnostic('Learner', ({ values }) => values.state === 'waiting');
    expect({ level, message }).toEqual({ level: 1, message: `waiting: ${reason}` });
    const { message: camera } = await rig.diagnostic('Camera', ({ level }) => level === 1);
    expect(camera).toBe('no images arrive');
    const { code, milliseconds } = await rig.node.end('SIGINT');
    expect(code).toBe(0);
    expect(milliseconds).toBeLessThan(2500 * PATIENCE);
    expect(existsSync(join(rig.state, 'update.json'))).toBe(false);
  },
  TEST_MS,
);
