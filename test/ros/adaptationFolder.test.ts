/** adaptation_node's folder: a disk that is full and has room again, and two nodes that want the same one. */
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { ACK, AdaptationRig, DEPTH, PATIENCE_MS, TEST_MS } from '../support/adaptationNode';
import type { NodeProcess } from '../support/ros';

const rig = new AdaptationRig();
const others: NodeProcess[] = [];
beforeAll(() => rig.prepare(), TEST_MS);
afterEach(async () => {
  for (const other of others.splice(0)) await other.kill();
  await rig.stop();
  rig.wrapper = [];
  rmSync(rig.state, { recursive: true, force: true });
});

/** In a mount namespace of its own, which needs no root where the kernel allows user namespaces. */
const IN_NAMESPACE = ['unshare', '--map-root-user', '--mount'];
const mountable =
  spawnSync(IN_NAMESPACE[0], [...IN_NAMESPACE.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

/** Writes until the disk takes not one byte more. */
function fill(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (let chunk = Buffer.alloc(2 ** 20, 1); chunk.length > 0;) {
      try {
        writeSync(file, chunk);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        chunk = chunk.subarray(0, chunk.length >> 1);
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Gives adaptation_node's folder a file system of its own, for itself and its end only. */
function useDisk(size: string): void {
  mkdirSync(rig.state);
  const script = `folder=$1; shift; mount -t tmpfs -o size=${size} none "$folder" && exec "$@"`;
  rig.wrapper = [...IN_NAMESPACE, 'bash', '-c', script, 'bash', rig.state];
}

/** As the node sees it. */
const onDisk = (name = ''): string => join(`/proc/${rig.node.pid}/root${rig.state}`, name);

if (!mountable) console.log('no user namespaces here: the full disk is left out, the file size limit stands for it');
(mountable ? test : test.skip)(
  'a full disk: named, learning, promotions and depth go on, the last state stays whole; with room again it is written',
  async () => {
    useDisk('48m'); // two states (15 MB each: the one before, and the one being written) and the buffer fit
    await rig.start({ judge_every: 1000 });
    const stateDigest = (): string =>
      createHash('sha256')
        .update(readFileSync(onDisk('state.safetensors')))
        .digest('hex');
    const unfinished = (): string[] => readdirSync(onDisk()).filter((name) => name.endsWith('.tmp'));
    await rig.stream();
    const { step } = await rig.status((status) => status.step > 1);
    expect(await rig.service('save')).toMatchObject({ success: true });
    const saved = stateDigest();

    fill(onDisk('filler'));
    const { success, message } = await rig.service('save');
    expect(success).toBe(false);
    expect(message).toMatch(
      /^cannot write \S+\/state\.safetensors: the disk is full.*what was there before is untouched/,
    );
    const full = await rig.diagnostic('Storage', ({ level }) => level === 1);
    expect(full.message).toMatch(/^cannot write .*: the disk is full/);
    const judgeSoon = { node: '/adaptation_node', name: 'judge_every', value: 3, integer: true };
    expect(await rig.peer.command('set_parameter', judgeSoon)).toMatchObject({ successful: true });
    await rig.peer.message(ACK, ({ accepted }) => accepted === true, PATIENCE_MS);
    rig.peer.forget(DEPTH);
    await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
    await rig.status((status) => status.step > step && status.promoted > 0);
    expect(await rig.diagnostic('Storage', () => true)).toMatchObject({ level: 1 });
    expect(stateDigest()).toBe(saved);
    expect(unfinished()).toEqual([]);
    expect(existsSync(onDisk('update.json'))).toBe(false);

    await rig.stopStream();
    const { model_sha256: published, promoted } = await rig.settled();
    rmSync(onDisk('filler'));
    expect(await rig.service('save')).toMatchObject({ success: true });
    const { message: well } = await rig.diagnostic('Storage', ({ level }) => level === 0);
    expect(well).toBe('buffer and state are kept');
    expect(stateDigest()).not.toBe(saved);
    expect(JSON.parse(readFileSync(onDisk('update.json'), 'utf8'))).toMatchObject({ sha256: published });

    // What is there now is what was learned while there was no room.
    cpSync(onDisk(), rig.state, { recursive: true });
    await rig.node.kill();
    rig.wrapper = [];
    rig.runAdaptation();
    const { running_sha256: running, ...after } = await rig.status(({ updates_accepted }) => updates_accepted > 0);
    expect(after).toMatchObject({ model_sha256: published, promoted });
    expect(running).toBe(published);
  },
  TEST_MS,
);

(mountable ? test : test.skip)(
  'a disk too small for the source: it learns from memory, and a next start does not take the part for the whole',
  async () => {
    useDisk('220k'); // two of the source's triplets (74 KB each), and source.txt
    await rig.start({ judge_every: 1000 });
    await rig.stream();
    const { buffer_source: replayed } = await rig.status(({ step }) => step > 1);
    const { message } = await rig.diagnostic('Storage', ({ level }) => level === 1);
    expect(message).toMatch(/^cannot write .*: the disk is full/);
    const kept = readdirSync(onDisk('buffer')).filter((name) => name.startsWith('source-'));
    expect(kept.length).toBeLessThan(replayed as number);
    expect(existsSync(onDisk('source.txt'))).toBe(false);
  },
  TEST_MS,
);

test(
  'a second adaptation_node on the folder ends and names it and the first, which goes on; killed, it leaves no lock',
  async () => {
    await rig.start({ judge_every: 1000 });
    await rig.stream();
    const { step } = await rig.status((status) => status.step > 1);
    const second = rig.adaptationProcess({}, ['-r', '__node:=second']);
    others.push(second);
    expect(await second.exitCode(PATIENCE_MS)).toBe(1);
    expect(second.output).toContain(
      `adaptation_node: parameter folder: ${rig.state} is in use by process ${rig.node.pid}; every adaptation_node needs one of its own`,
    );
    expect(await rig.service('save')).toMatchObject({ success: true });
    await rig.status((status) => status.step > step);
    await rig.node.kill();
    rig.runAdaptation();
    await rig.node.logged(/goes on from \S+ at step \d+/, PATIENCE_MS);
    await rig.status((status) => status.step > step);
  },
  TEST_MS,
);
