/** What adaptation_node does with streams and ends it cannot learn from: depth goes on, nothing good is lost, /diagnostics names the cause. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptationRig, DEPTH, PATIENCE_MS, STATE, TEST_MS, type StreamCommand } from '../support/adaptationNode';
import { SMALL } from '../support/renderedDrive';

const rig = new AdaptationRig();
beforeAll(() => rig.prepare(), TEST_MS);
afterEach(async () => {
  await rig.stop();
  rmSync(rig.state, { recursive: true, force: true });
});

const STATE_FILE = join(rig.state, 'state.safetensors');
let noise = 1;
/** Park and Miller's generator: the same noise in every run. */
const random = (): number => (noise = (noise * 48271) % 2147483647) / 2147483647;

function upsideDown(image: Uint8Array): Uint8Array {
  return image.map((_, i) => image[image.length - 3 - 3 * Math.floor(i / 3) + (i % 3)]);
}

/** The camera turned by 90 degrees, pressed into the same size. */
function onItsSide(image: Uint8Array): Uint8Array {
  const { width, height } = SMALL;
  return image.map((_, i) => {
    const [v, u] = [Math.floor(i / 3 / width), Math.floor(i / 3) % width];
    const [fromV, fromU] = [Math.floor((u * height) / width), Math.floor((v * width) / height)];
    return image[3 * (fromV * width + fromU) + (i % 3)];
  });
}

/** A stream until the Camera's diagnostic says so; depth has to go on meanwhile, and nothing may be learned. */
async function expectCause(stream: StreamCommand, cause: RegExp): Promise<void> {
  const before = await rig.status(() => true);
  rig.peer.forget(DEPTH);
  await rig.stream(stream);
  const { level } = await rig.diagnostic('Camera', ({ message }) => cause.test(message));
  expect(level).toBe(1);
  await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
  await rig.stopStream();
  const after = await rig.status(({ frames }) => (frames as number) > (before.frames as number));
  expect(after).toMatchObject({ model_sha256: before.model_sha256, promoted: before.promoted });
  // Triplets of the good stream may have been on their way.
  expect(after.step - before.step).toBeLessThanOrEqual(2);
}

test(
  'streams that show nothing, one after the other: named, and learned from again when they are good',
  async () => {
    await rig.start({ judge_every: 1000 });
    await rig.stream();
    const good = await rig.status(({ state, step }) => state === STATE.learning && step > 1);
    await rig.stopStream();
    const black = rig.write('black.rgb', (frame, into) => into.fill(frame % 3), 8);
    const overexposed = rig.write('white.rgb', (frame, into) => into.fill(253 + (frame % 3)), 8);
    const frozen = rig.write('frozen.rgb', (_, into) => into.set(rig.placeFrame(0)), 1);
    const noisy = rig.write('noise.rgb', (_, into) => into.forEach((_, i) => (into[i] = 60 + 130 * random())), 12);
    await expectCause({ path: black }, /^the images are black, or too dark/);
    await expectCause({ path: overexposed }, /^the images are overexposed/);
    await expectCause({ path: frozen }, /^the stream is frozen: every image is the same/);
    const turned = rig.write('turned.rgb', (frame, into) => into.set(upsideDown(rig.placeFrame(frame))), 24);
    await expectCause({ path: turned }, /^the images are upside-down since they were turned/);
    await rig.stream();
    await rig.status(({ state, step }) => state === STATE.learning && step > good.step + 2);
    await rig.stopStream();
    await expectCause({ path: noisy }, /^neighbouring images have nothing in common: noise/);
    await rig.stream();
    await rig.status(({ state, step }) => state === STATE.learning && step > good.step + 6);
    const { message } = await rig.diagnostic('Camera', ({ level }) => level === 0);
    expect(message).toBe('frames are usable');
  },
  TEST_MS,
);

test(
  'changes of the stream: no camera_info, the clock goes back, a 90-degree bump, another resolution',
  async () => {
    await rig.start({ judge_every: 1000 });
    await rig.stream({ blind: true });
    const { level } = await rig.diagnostic('Camera', ({ message }) => message.startsWith('no usable camera_info'));
    expect(level).toBe(1);
    await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
    expect(await rig.status(({ state }) => state === STATE.learning)).toMatchObject({ step: 0 });
    await rig.stopStream();

    await rig.stream();
    const first = await rig.status(({ step }) => step > 1);
    await rig.stopStream();
    await rig.stream({ offset: -100 });
    await rig.diagnostic('Camera', ({ message }) =>
      /header\.stamp went back.* \(stamps: by \d+\.\d+ s\)/.test(message),
    );
    const second = await rig.status(({ step }) => step > first.step + 1);
    await rig.stopStream();

    const bumped = rig.write(
      'bumped.rgb',
      (frame, into) => into.set(frame < 12 ? rig.placeFrame(frame) : onItsSide(rig.placeFrame(frame))),
      24,
    );
    await rig.stream({ path: bumped, offset: -100 });
    await rig.diagnostic('Camera', ({ message }) => message.includes('the view changed from one image to the next'));
    const third = await rig.status(({ step }) => step > second.step + 1);
    await rig.stopStream();

    const size = { width: 2 * SMALL.width, height: 2 * SMALL.height };
    const large = rig.write(
      'large.rgb',
      (frame, into) => {
        const small = rig.placeFrame(frame);
        for (let i = 0; i < into.length; i++) {
          const [v, u] = [Math.floor(i / 3 / size.width), Math.floor(i / 3) % size.width];
          into[i] = small[3 * ((v >> 1) * SMALL.width + (u >> 1)) + (i % 3)];
        }
      },
      24,
      size,
    );
    await rig.stream({ path: large, offset: -100, ...size });
    await rig.diagnostic('Camera', ({ message }) => message.includes('the resolution of the images changed'));
    await rig.status(({ step }) => step > third.step + 1);
    await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
  },
  TEST_MS,
);

test(
  'killed by SIGKILL while it writes its state, again and again: what is there is whole, and it goes on',
  async () => {
    await rig.start({ judge_every: 1000, save_period: '1.0' });
    await rig.stream();
    await rig.status(({ step }) => step > 1);
    expect(await rig.service('save')).toMatchObject({ success: true });
    let step = 0;
    for (const delay of [0, 15, 40]) {
      await rig.peer.command('trigger', { service: '/adaptation_node/save', wait: false });
      await new Promise((resolve) => setTimeout(resolve, delay));
      await rig.node.kill();
      expect(statSync(STATE_FILE).size).toBeGreaterThan(1_000_000);
      rig.runAdaptation({ judge_every: 1000 });
      const line = await rig.node.logged(/goes on from \S+ at step \d+/, PATIENCE_MS);
      const restored = Number(/\d+$/.exec(line)![0]);
      expect(restored).toBeGreaterThanOrEqual(step);
      step = restored;
      expect(readdirSync(rig.state).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    }
    await rig.status((status) => status.step > step);
    await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
  },
  TEST_MS,
);

test(
  'a disk that takes no more: named, learning goes on, what was saved stays',
  async () => {
    await rig.start({ judge_every: 1000 });
    await rig.stream();
    const { step } = await rig.status(({ step }) => step > 1);
    // Triplets (74 KB) fit, the state (15 MB) does not; set now, for DDS has its segments in files, too.
    const { status } = spawnSync('prlimit', ['--pid', `${rig.node.pid}`, '--fsize=500000:500000']);
    expect(status).toBe(0);
    const { success, message } = await rig.service('save');
    expect(success).toBe(false);
    expect(message).toMatch(/^cannot write \S+state\.safetensors: the file size limit is reached/);
    const storage = await rig.diagnostic('Storage', ({ level }) => level === 1);
    expect(storage.message).toBe(message);
    await rig.status((status) => status.step > step);
    expect(existsSync(STATE_FILE)).toBe(false);
    expect(readdirSync(rig.state).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  },
  TEST_MS,
);

test(
  'an update that depth_node refuses is reported with its cause, and depth goes on',
  async () => {
    await rig.start({}, ['-p', 'model_update_max_bytes:=1000']);
    await rig.stream();
    const { message, level, values } = await rig.diagnostic(
      'Hand-over',
      ({ values }) => values.updates_refused !== '0',
    );
    expect(level).toBe(1);
    expect(message).toMatch(/^refused update \d+: data has \d+ bytes, the limit \(model_update_max_bytes\)/);
    expect(values.updates_accepted).toBe('0');
    await rig.node.logged(/depth_node refused update 1: data has/);
    await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
  },
  TEST_MS,
);

test(
  'killed by SIGKILL as it publishes: depth goes on, and started anew it publishes what it had promoted',
  async () => {
    await rig.start();
    await rig.stream();
    await rig.node.logged(/model update 1 /, PATIENCE_MS);
    await rig.node.kill();
    rig.peer.forget(DEPTH);
    await rig.peer.message(DEPTH, () => true, PATIENCE_MS);
    await rig.stopStream();
    rig.runAdaptation();
    const status = await rig.status(({ updates_accepted: accepted }) => accepted > 0);
    expect(status.update_version).toBeGreaterThan(1);
    expect(status.promoted).toBeGreaterThan(0);
    expect(status.running_sha256).toBe(status.model_sha256);
  },
  TEST_MS,
);
