/** docs/tutorials/own-recording.md as a user follows it, on a bag of what the replay node publishes; with a recipe of a few steps. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnx } from 'onnx-proto';
import sharp from 'sharp';
import { NodeProcess, ROOT, rosEnvironment } from '../support/ros';

const WIDTH = 160;
const HEIGHT = 96;
const FRAMES = 30;
const CALIBRATION = { fx: 150, fy: 145, cx: 81, cy: 46 };

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-tutorial-'));
const bag = join(folder, 'my_drive');
let node: NodeProcess | undefined;
afterAll(async () => {
  await node?.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** A soft pattern that moves by two pixels a frame. */
async function makePictures(drive: string): Promise<void> {
  mkdirSync(drive);
  for (let frame = 0; frame < FRAMES; frame++) {
    const pixels = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => {
      const [u, v] = [Math.floor(i / 3) % WIDTH, Math.floor(i / 3 / WIDTH)];
      return 128 + 60 * Math.sin(0.2 * (u + 2 * frame)) + 40 * Math.cos(0.15 * v + 0.07 * (u + 2 * frame) + (i % 3));
    });
    await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .png()
      .toFile(join(drive, `${frame}.png`));
  }
  const calibration = { image_width: WIDTH, image_height: HEIGHT, ...CALIBRATION, fps: 20 };
  const lines = Object.entries(calibration).map(([key, value]) => `${key}: ${value}`);
  writeFileSync(join(drive, 'calib.yaml'), [...lines, 'distortion: [-0.1, 0.02, 0, 0, 0]', ''].join('\n'));
}

async function recordBag(drive: string): Promise<void> {
  const env = rosEnvironment();
  const topics = ['/front/image_raw=Image', '/front/camera_info=CameraInfo'];
  const script = join(ROOT, 'test/support/recordBag.py');
  const recorder = spawn(env.DEPTHGRAD_PYTHON!, [script, bag, `${FRAMES}`, ...topics], { env });
  let errors = '';
  recorder.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const ended = new Promise((done) => recorder.once('close', done));
  const remaps = ['-r', 'image:=/front/image_raw', '-r', 'camera_info:=/front/camera_info'];
  node = new NodeProcess('replayNode', ['-p', `source:=${drive}`, '-p', 'loop:=true', ...remaps], env);
  expect({ code: await ended, errors }).toEqual({ code: 0, errors: '' });
  await node.end('SIGTERM');
}

const RECIPE = `name: tutorial
description: the tutorial in a few steps
network: { encoder: dispnet, pretrained: false, height: 64, width: 128 }
data: { drives: [], min_motion: 0.5 }
stages:
  - name: drives # this comment stays
    steps: 3
    height: 64
    width: 128
    batch_size: 1
    learning_rate: 1.0e-4
    mix: { drives: 1 }
    losses: { photometric: 1, smoothness: 0.001 }
`;

/** The tutorial's three commands as argument lists. */
function commands(): string[][] {
  const text = readFileSync(join(ROOT, 'docs/tutorials/own-recording.md'), 'utf8');
  const block = /```sh\n([^`]+)```/.exec(text)![1];
  return block
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
}

test('three commands lead from a bag to a model', async () => {
  const drive = join(folder, 'pictures');
  await makePictures(drive);
  await recordBag(drive);
  const recipe = join(folder, 'short.yaml');
  writeFileSync(recipe, RECIPE);
  const env = { ...process.env, DEPTHGRAD_CACHE: join(folder, 'cache'), DEPTHGRAD_IMAGENET: '' };
  const given = commands();
  expect(given.map((words) => words.slice(0, 3).join(' '))).toEqual([
    'npx depthgrad prepare',
    'npx depthgrad train',
    'npx depthgrad export',
  ]);
  const outputs = given.map((words) => {
    const args = words.slice(2).map((word) => (word === 'config/recipes/default.yaml' ? recipe : word));
    return execFileSync('node', [join(ROOT, 'dist/src/cli.js'), ...args], { cwd: folder, env, encoding: 'utf8' });
  });
  // 96 rows of 160 columns, at 416 columns rounded up to a multiple of 8.
  expect(outputs[0]).toMatch(/cache\/prepared\/my_drive-[0-9a-f]{12}: 30 frames of 416x256, trained on 24, 6 held out/);
  expect(outputs[1]).toContain('3 steps in');
  const kept = readFileSync(join(folder, 'runs/my_drive/recipe.yaml'), 'utf8');
  expect(kept).toContain(bag);
  expect(kept).toContain('# this comment stays');

  const model = join(folder, 'my_drive.onnx');
  expect(existsSync(model)).toBe(true);
  const { metadataProps } = onnx.ModelProto.decode(readFileSync(model));
  const metadata = Object.fromEntries(metadataProps.map(({ key, value }) => [key!, value!]));
  expect(metadata.version).toBe('step3');
  // The bag's camera at the size of the network, not the recipe's: fx * 128 / 160, fy * 64 / 96.
  expect(Number(metadata.training_fx)).toBeCloseTo(120, 3);
  expect(Number(metadata.training_fy)).toBeCloseTo((145 * 64) / 96, 3);
  expect(Number(metadata.training_cx)).toBeCloseTo(81.5 * 0.8 - 0.5, 3);
  expect(Number(metadata.training_cy)).toBeCloseTo((46.5 * 64) / 96 - 0.5, 3);
}, 300_000);
