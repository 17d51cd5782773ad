/** Runs killed at bad moments and on full disks, as a user's machine does it: processes of their own and SIGKILL. Builds on dist/. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSafetensors } from '../../src/model/safetensors';
import { checkpointPosition } from '../../src/training/checkpoint';
import { BEST_FILE, CHECKPOINT_FILE, LOG_FILE, readLog, REPORT_FILE } from '../../src/training/runFolder';

const STEPS = 9;
const RECIPE = `
name: resume
description: a few steps on real frames and rendered scenes
network: { encoder: lite0, pretrained: false, height: 32, width: 64 }
data: { drives: [challenge03.mp4], synthetic_samples: 50 }
validation: { every: 4, samples: 2 }
stages:
  - name: both
    steps: ${STEPS}
    height: 32
    width: 64
    batch_size: 2
    learning_rate: 1.0e-4
    mix: { drives: 1, synthetic: 1 }
    losses: { photometric: 1, gradient_consistency: 0.1, depth_truth: 0.5, pose_truth: 0.1 }
checkpoint_every: 2
log_every: 1
images_every: 1000
`;

let folder: string;
let recipe: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-resume-'));
  recipe = join(folder, 'resume.yaml');
  writeFileSync(recipe, RECIPE);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Started {
  child: ChildProcess;
  ended: Promise<{ code: number | null; errors: string }>;
}

/** @param within a command line that runs the one given after it */
function start(out: string, within: readonly string[] = []): Started {
  const [program, ...args] = [...within, 'node', 'dist/src/cli.js', 'train', recipe, '--out', out];
  const child = spawn(program, args, {
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const ended = new Promise<{ code: number | null; errors: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, errors })),
  );
  return { child, ended };
}

/** Starts the run and kills it as soon as `moment` is there; looked at whenever something in the run folder changes. */
async function killWhen(out: string, moment: (changed: string) => boolean): Promise<void> {
  const { child, ended } = start(out);
  while (!existsSync(out)) await new Promise((resolve) => setTimeout(resolve, 20));
  const watcher = watch(out, (_event, name) => {
    if (child.exitCode === null && name !== null && moment(name)) child.kill('SIGKILL');
  });
  const { code, errors } = await ended;
  watcher.close();
  // SIGKILL: it did not come to its own end before the moment.
  expect({ code, errors }).toEqual({ code: null, errors });
}

async function finish(out: string): Promise<void> {
  const { code, errors } = await start(out).ended;
  if (code !== 0) throw new Error(`train ended with ${code}: ${errors}`);
}

const NO_FIGURE = /^(time\/|memory\/|step$|stage$)/;

/** All figures by step, without those that are times. */
function figures(out: string): Map<string, number> {
  const all = new Map<string, number>();
  for (const entry of readLog(join(out, LOG_FILE))) {
    for (const [key, value] of Object.entries(entry))
      if (!NO_FIGURE.test(key)) all.set(`${entry.step} ${key}`, value as number);
  }
  return all;
}

let whole: Map<string, number>;
beforeAll(async () => {
  const out = join(folder, 'whole');
  await finish(out);
  whole = figures(out);
}, 300_000);

function expectSameCurve(out: string): void {
  const resumed = figures(out);
  expect([...resumed.keys()]).toEqual([...whole.keys()]);
  const differences = [...whole].map(([key, value]) => Math.abs(value - resumed.get(key)!));
  expect(Math.max(...differences)).toBeLessThan(1e-5);
  const { step, best } = checkpointPosition(join(out, CHECKPOINT_FILE));
  expect(step).toBe(STEPS);
  expect(best).toEqual({
    ...checkpointPosition(join(folder, 'whole', CHECKPOINT_FILE)).best,
    value: expect.any(Number) as number,
  });
  expect(checkpointPosition(join(out, BEST_FILE)).step).toBe(best!.step);
  expect(readFileSync(join(out, REPORT_FILE), 'utf8')).toContain('</html>');
}

function unfinished(out: string): string[] {
  return readdirSync(out).filter((name) => name.endsWith('.tmp'));
}

test('the uninterrupted run has a figure for every step', () => {
  const losses = [...whole.keys()].filter((key) => /^\d+ (drives|synthetic)\/loss$/.test(key));
  expect(losses).toHaveLength(STEPS);
  expect([...whole.keys()].filter((key) => key.endsWith('validation/loss'))).toEqual(
    [4, 8, STEPS].map((step) => `${step} validation/loss`),
  );
});

test('killed before the first checkpoint, between two and again, it goes on to the same curve', async () => {
  const out = join(folder, 'killed');
  const lines = (): number => readLog(join(out, LOG_FILE)).length;
  await killWhen(out, () => lines() >= 1);
  expect(existsSync(join(out, CHECKPOINT_FILE))).toBe(false);
  await killWhen(out, () => lines() >= 3);
  expect(checkpointPosition(join(out, CHECKPOINT_FILE)).step).toBe(2);
  await killWhen(out, () => lines() >= 8);
  await finish(out);
  expectSameCurve(out);
}, 300_000);

test('killed while the checkpoint is written, the one before it is whole and the curve is the same', async () => {
  const out = join(folder, 'writing');
  const isUnfinished = (name: string): boolean => name.startsWith(`${CHECKPOINT_FILE}.`) && existsSync(join(out, name));
  await killWhen(out, (name) => isUnfinished(name) && existsSync(join(out, CHECKPOINT_FILE)));
  expect(unfinished(out)).toHaveLength(1);
  expect(() => readSafetensors(join(out, unfinished(out)[0]))).toThrow();
  expect(checkpointPosition(join(out, CHECKPOINT_FILE)).step).toBe(2);
  await finish(out);
  expect(unfinished(out)).toEqual([]);
  expectSameCurve(out);
}, 300_000);

/** A shell script before "$@", whose first parameter is a folder. */
function shell(script: string, argument: string): string[] {
  return ['bash', '-c', script, 'bash', argument];
}

/** In a mount namespace of its own, which needs no root where the kernel allows user namespaces. */
const IN_NAMESPACE = ['unshare', '--map-root-user', '--mount'];
const mountable =
  spawnSync(IN_NAMESPACE[0], [...IN_NAMESPACE.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

if (!mountable) console.log('no user namespaces here: the full disk is left out, the file size limit stands for it');
(mountable ? test : test.skip)(
  'a full disk ends the run with a clear error and the old checkpoint whole',
  async () => {
    const [disk, out] = [join(folder, 'disk'), join(folder, 'full')];
    mkdirSync(disk);
    // One checkpoint of 59 MB fits, the temporary file of the next does not.
    const script =
      'folder=$1; shift; mount -t tmpfs -o size=100m none "$folder"; "$@"; code=$?; cp -r "$folder/run" "$folder/../full"; exit $code';
    const { code, errors } = await start(join(disk, 'run'), [...IN_NAMESPACE, ...shell(script, disk)]).ended;
    expect(code).toBe(1);
    expect(errors).toMatch(/cannot write .*safetensors: the disk is full.*what was there before is untouched/);
    expect(checkpointPosition(join(out, CHECKPOINT_FILE)).step).toBe(2);
    expect(unfinished(out)).toEqual([]);
    await finish(out);
    expectSameCurve(out);
  },
  300_000,
);

test('a file size limit ends the run with a clear error and the old checkpoint whole', async () => {
  const out = join(folder, 'limited');
  await killWhen(out, (name) => name === CHECKPOINT_FILE);
  const before = readFileSync(join(out, CHECKPOINT_FILE));
  const limited = start(out, shell('ulimit -f 20000; shift; "$@"', ''));
  const { code, errors } = await limited.ended;
  expect(code).toBe(1);
  expect(errors).toMatch(
    /cannot write .*safetensors: the file size limit is reached.*what was there before is untouched/,
  );
  expect(readFileSync(join(out, CHECKPOINT_FILE)).equals(before)).toBe(true);
  expect(unfinished(out)).toEqual([]);
}, 300_000);
