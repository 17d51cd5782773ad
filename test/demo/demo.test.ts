import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { makeVideo } from '../support/makeVideo';
import { Program } from '../support/program';
import { smallModel } from '../support/renderedDrive';
import { ROOT } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const DEMO = 'src/demo/demo.js';
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-demo-'));
const tiny = join(folder, 'tiny.onnx');
writeFileSync(tiny, tinyModel());
afterAll(() => rmSync(folder, { recursive: true }));

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  for (const end = Date.now() + 40_000; !condition();) {
    if (Date.now() > end) throw new Error(`did not come: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('ten seconds of the mountain road become a report and pictures', async () => {
  const out = join(folder, 'mountain');
  const model = join(ROOT, 'models', 'default.onnx');
  const demo = new Program(DEMO, ['--source', 'mountain', '--seconds', '10', '--out', out, '--headless']);
  const { code, output, errors } = await demo.ended;
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(demo.processes()).toEqual([]);
  expect(output).toMatch(/first depth \d+\.\d s after the start/);
  expect(output).toMatch(/depths\/s \| latency p50 [\d.]+ p95 [\d.]+ ms \| dropped \d+ of \d+ \| /);
  expect(output).not.toContain('\x1b');

  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Record<string, unknown>;
  const positive: unknown = expect.any(Number);
  expect(report).toMatchObject({
    frames_in: positive,
    frames_out: positive,
    dropped: positive,
    fps: positive,
    latency_ms: { p50: positive, p95: positive },
    model: {
      name: expect.stringMatching(/./) as unknown,
      version: expect.stringMatching(/./) as unknown,
      sha256: sha256(model),
    },
    ros: { distro: process.env.ROS_DISTRO, rmw: process.env.RMW_IMPLEMENTATION },
  });
  expect(report).not.toHaveProperty('adaptation');
  const numbers = report as {
    frames_in: number;
    frames_out: number;
    dropped: number;
    fps: number;
    latency_ms: { p50: number; p95: number };
  };
  expect(numbers.frames_out).toBeGreaterThan(20);
  expect(numbers.frames_in).toBe(numbers.frames_out + numbers.dropped);
  expect(numbers.frames_in).toBeLessThan(11 * 26);
  expect(numbers.fps).toBeCloseTo(numbers.frames_out / 10, -1);
  expect(numbers.latency_ms.p50).toBeGreaterThan(1);
  expect(numbers.latency_ms.p95).toBeGreaterThanOrEqual(numbers.latency_ms.p50);

  // Titles, then a row per moment: camera, depth, gradient, confidence; cells 416 wide in the shape of the rows above the hood (1280x660).
  const frames = await sharp(join(out, 'frames.png')).metadata();
  expect(frames.width).toBe(4 * 416 + 3 * 4);
  const titleHeight = 28;
  const rows = (frames.height - titleHeight + 4) / (Math.round((660 * 416) / 1280) + 4);
  expect(Number.isInteger(rows)).toBe(true);
  expect(rows).toBeGreaterThanOrEqual(4);
  // The camera's pictures differ from moment to moment, and the depth is not one colour.
  const cell = async (row: number, column: number): Promise<Buffer> =>
    sharp(join(out, 'frames.png'))
      .extract({ left: column * 420, top: titleHeight + row * 219, width: 416, height: 215 })
      .removeAlpha()
      .raw()
      .toBuffer();
  expect(Buffer.compare(await cell(0, 0), await cell(rows - 1, 0))).not.toBe(0);
  expect(
    (await sharp(await cell(1, 1), { raw: { width: 416, height: 215, channels: 3 } }).stats()).channels[0].stdev,
  ).toBeGreaterThan(5);

  const animation = await sharp(join(out, 'depth.webp'), { animated: true }).metadata();
  expect(animation).toMatchObject({ format: 'webp', width: 416, pageHeight: 2 * 215 });
  expect(animation.pages).toBeGreaterThan(8);
  const shownSeconds = animation.delay!.reduce((sum, delay) => sum + delay, 0) / 1000;
  expect(shownSeconds).toBeGreaterThan(7);
  expect(shownSeconds).toBeLessThan(13);

  expect(await sharp(join(out, 'trajectory.png')).metadata()).toMatchObject({ format: 'png', width: 900, height: 940 });
}, 120_000);

test('--adapt: adaptation_node runs beside, the report says how far it got, its state is in the folder', async () => {
  const out = join(folder, 'adapted');
  const model = join(folder, 'small.onnx');
  writeFileSync(model, smallModel());
  const options = ['--source', 'mountain', '--seconds', '20', '--model', model, '--out', out, '--headless', '--adapt'];
  const demo = new Program(DEMO, options);
  await until(
    () => demo.output.includes('first depth'),
    () => demo.output,
  );
  expect(demo.processes().filter((line) => line.includes('adaptationNode'))).toHaveLength(1);
  const { code, output, errors } = await demo.ended;
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(demo.processes()).toEqual([]);
  expect(output).toMatch(/ \| adaptation: \d+ steps, \d+ promoted/);
  const count: unknown = expect.any(Number);
  const { adaptation } = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as { adaptation: object };
  expect(adaptation).toMatchObject({ steps: count, promoted: count, rolled_back: count, refused: count });
  // How far it gets is the machine's affair, not that it gets there.
  expect(adaptation).toMatchObject({
    state: expect.stringMatching(/^(starting|waiting|learning|candidate)$/) as unknown,
  });
  expect(readdirSync(join(out, 'adaptation'))).toContain('buffer');
}, 240_000);

test('--dashboard: the address is printed and answers while the drive is played', async () => {
  const out = join(folder, 'shown');
  const demo = new Program(DEMO, ['--model', tiny, '--seconds', '6', '--out', out, '--headless', '--dashboard']);
  const address = /dashboard: (http:\S+)/;
  await until(
    () => address.test(demo.output),
    () => demo.output,
  );
  const page = await fetch(address.exec(demo.output)![1]);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('<title>depthgrad</title>');
  expect((await demo.ended).code).toBe(0);
  expect(demo.processes()).toEqual([]);
}, 120_000);

test('a video without calibration plays to its end, before the seconds are over', async () => {
  const video = join(folder, 'short.mp4');
  const ramp = (shift: number): Uint8Array =>
    Uint8Array.from({ length: 160 * 96 * 3 }, (_, i) => 60 + ((i + 9 * shift) % 160));
  await makeVideo(
    video,
    160,
    96,
    20,
    Array.from({ length: 50 }, (_, i) => ramp(i)),
  );
  const out = join(folder, 'short');
  const demo = new Program(DEMO, ['--source', video, '--model', tiny, '--seconds', '60', '--out', out, '--headless']);
  const { code, errors } = await demo.ended;
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(readdirSync(out).sort()).toEqual(['depth.webp', 'frames.png', 'report.json', 'trajectory.png']);
  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as { frames_in: number; model: object };
  expect(report.frames_in).toBeLessThanOrEqual(50);
  expect(report.model).toEqual({ name: 'tiny', version: '1.2.3', sha256: sha256(tiny) });
}, 120_000);

test.each([
  ['a source that is not there', ['--source', 'nowhere.mp4'], /demo: .*nowhere\.mp4/],
  ['a model that is not there', ['--model', 'nowhere.onnx'], /demo: .*nowhere\.onnx/],
  ['seconds that are none', ['--seconds', 'ten'], /--seconds/],
])('%s is named and ends the demo with an error', async (_, args, message) => {
  const out = join(folder, 'none');
  const { code, errors } = await new Program(DEMO, [...args, '--out', out, '--headless']).ended;
  expect(code).toBe(1);
  expect(errors).toMatch(message);
  expect(existsSync(out)).toBe(false);
});

test('an empty video is named before a node is started', async () => {
  const video = join(folder, 'empty.mp4');
  writeFileSync(video, '');
  const { code, errors } = await new Program(DEMO, ['--source', video, '--headless']).ended;
  expect(code).toBe(1);
  expect(errors).toMatch(/empty\.mp4: the file is empty/);
});

test('a node that dies ends the demo with its last words', async () => {
  const model = join(folder, 'broken.onnx');
  writeFileSync(model, tinyModel().subarray(0, 300));
  const demo = new Program(DEMO, ['--model', model, '--out', join(folder, 'broken'), '--headless']);
  const { code, errors } = await demo.ended;
  expect(code).toBe(1);
  expect(errors).toMatch(/demo: depth_node ended with code 1; its last lines:/);
  expect(errors).toContain('broken.onnx');
  expect(demo.processes()).toEqual([]);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends the demo and both nodes', async (signal, exitCode) => {
  const out = join(folder, signal);
  const demo = new Program(DEMO, ['--model', tiny, '--out', out, '--headless']);
  await until(
    () => demo.output.includes('first depth'),
    () => demo.output,
  );
  expect(demo.processes()).toHaveLength(3);
  const signalled = Date.now();
  demo.signal(signal);
  const { code } = await demo.ended;
  expect(code).toBe(exitCode);
  expect(Date.now() - signalled).toBeLessThan(4000);
  expect(demo.processes()).toEqual([]);
  expect(existsSync(out)).toBe(false);
});
