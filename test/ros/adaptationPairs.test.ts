/** Two cameras on one vehicle: a depth_node and an adaptation_node each, in two namespaces of one ROS domain. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ACK, AdaptationRig, PATIENCE_MS, TEST_MS, UPDATE } from '../support/adaptationNode';
import type { PeerMessage } from '../support/ros';

const front = new AdaptationRig('/front');
const rear = new AdaptationRig('/rear', () => front.environment);
const rigs = [front, rear];
beforeAll(async () => {
  for (const rig of rigs) await rig.prepare();
}, TEST_MS);
afterEach(async () => {
  for (const rig of rigs) await rig.stop();
});
afterAll(() => rigs.forEach(({ folder }) => rmSync(folder, { recursive: true, force: true })));

/** Empty: the default. */
const OWN_FOLDER = { folder: "''" };

test(
  'each adapts to its own camera, hands over to its own depth_node, and keeps its own folder',
  async () => {
    for (const rig of rigs) await rig.start(OWN_FOLDER);
    const brighter = (frame: number, into: Uint8Array): void =>
      into.set(rear.placeFrame(frame).map((level) => Math.min(255, 1.3 * level)));
    await front.stream();
    await rear.stream({ path: rear.write('rear.rgb', brighter, 24) });
    const updates: PeerMessage[] = [];
    for (const rig of rigs) updates.push(await rig.peer.message(rig.of(UPDATE), () => true, PATIENCE_MS));
    expect(updates[0].sha256).not.toBe(updates[1].sha256);
    expect(updates[0].parentSha256).toBe(updates[1].parentSha256);
    for (const rig of rigs) await rig.peer.message(rig.of(ACK), ({ accepted }) => accepted === true, PATIENCE_MS);
    for (const rig of rigs) await rig.stopStream();
    const settled = [await front.settled(), await rear.settled()];
    for (const { running_sha256: running, model_sha256: published, promoted } of settled) {
      expect(promoted).toBeGreaterThan(0);
      expect(running).toBe(published);
    }
    expect(settled[0].model_sha256).not.toBe(settled[1].model_sha256);

    // Images, and what is asked of one, are nothing to the other.
    await rear.stream();
    const moving = await rear.status(({ frames }) => (frames as number) > (settled[1].frames as number) + 5);
    expect(await front.status(() => true)).toMatchObject({ frames: settled[0].frames, step: settled[0].step });
    front.peer.forget(front.of(ACK));
    expect(await front.service('reset')).toMatchObject({ success: true });
    const back = await front.peer.message(front.of(ACK), ({ accepted }) => accepted === true, PATIENCE_MS);
    expect(back).toMatchObject({ runningSha256: updates[0].parentSha256 });
    const unmoved = await rear.status(({ frames }) => (frames as number) > (moving.frames as number));
    expect(unmoved.promoted).toBeGreaterThanOrEqual(settled[1].promoted);
    expect(unmoved.model_sha256).not.toBe(updates[0].parentSha256);

    for (const rig of rigs) expect((await rig.node.end('SIGTERM')).code).toBe(0);
    const folders = ['front', 'rear'].map((name) => join(front.folder, 'cache', 'adaptation', name, 'adaptation_node'));
    for (const folder of folders)
      expect(readdirSync(folder).sort()).toEqual(['buffer', 'source.txt', 'state.safetensors', 'update.json']);
    expect(existsSync(front.state) || existsSync(rear.state)).toBe(false);
  },
  TEST_MS,
);
