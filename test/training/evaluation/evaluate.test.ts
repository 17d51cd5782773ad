import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { readDepthImage } from '../../../src/media/depthImage';
import { openDepthDataset, type DatasetPart } from '../../../src/training/evaluation/depthDataset';
import {
  constantPredictor,
  evaluateModel,
  evaluatePredictor,
  groundPlanePredictor,
  resizeDepth,
} from '../../../src/training/evaluation/evaluate';
import { OnnxModel } from '../../../src/training/evaluation/onnxModel';
import { makeTumRgbd } from '../../support/layouts';
import { tinyModel } from '../../support/tinyModel';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-evaluate-'));
const shared = resolve(process.env.DEPTHGRAD_SHARED_DATA ?? join(__dirname, '../../../../shared/data'));

async function writeDepth(
  path: string,
  width: number,
  height: number,
  steps: (pixel: number) => number,
): Promise<void> {
  const values = Uint16Array.from({ length: width * height }, (_, i) => steps(i));
  await sharp(values, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toFile(path);
}

/** A dataset of `count` frames of a wall, the depth in millimetres. */
async function makeDataset(
  name: string,
  width: number,
  height: number,
  steps: (pixel: number) => number,
  count = 2,
): Promise<string> {
  const path = join(folder, name);
  for (const part of ['image', 'depth']) mkdirSync(join(path, part), { recursive: true });
  const size = `image_width: ${width}\nimage_height: ${height}\nfx: 50\nfy: 40\ncx: ${width / 2}\ncy: 10\n`;
  writeFileSync(join(path, 'calib.yaml'), `${size}depth_scale_per_m: 1000\n`);
  for (let i = 0; i <= count; i++) {
    const picture = sharp({ create: { width, height, channels: 3, background: { r: 60 * i, g: 90, b: 30 } } });
    await picture.jpeg().toFile(join(path, 'image', `${i}.jpg`));
    // The last image has no depth, as most of 7-Scenes have none.
    if (i < count) await writeDepth(join(path, 'depth', `${i}.png`), width, height, steps);
  }
  return path;
}

test('all 16 bits of a depth image arrive, in metres', async () => {
  const path = join(folder, 'sixteen.png');
  const steps = [0, 1, 255, 256, 257, 3493, 40000, 65535];
  await writeDepth(path, 4, 2, (i) => steps[i]);
  const { width, height, depth } = await readDepthImage(path, 256);
  expect([width, height]).toEqual([4, 2]);
  expect([...depth]).toEqual(steps.map((step) => step / 256));
  const eight = join(folder, 'eight.png');
  await sharp({ create: { width: 4, height: 2, channels: 3, background: 'red' } })
    .png()
    .toFile(eight);
  await expect(readDepthImage(eight, 256)).rejects.toThrow(/eight\.png: not a 16-bit depth image.*3 channels of uchar/);
});

test('a dataset gives the frames that have depth, in the scale its calib.yaml states', async () => {
  const dataset = await openDepthDataset(await makeDataset('wall', 20, 12, () => 2500));
  expect(dataset.frameCount).toBe(3);
  const indices: number[] = [];
  for await (const frame of dataset.frames()) {
    indices.push(frame.index);
    expect([...new Set(frame.depth)]).toEqual([2.5]);
    expect(frame.image.length).toBe(20 * 12 * 3);
  }
  expect(indices).toEqual([0, 1]);
});

test('a part of a recording is the one that a recipe trains on, or the fifth that none does', async () => {
  const path = await makeDataset('parts', 20, 12, () => 1000, 9); // ten pictures, the last without depth
  const frames = async (part: DatasetPart, withoutEvery?: number): Promise<number> =>
    (await evaluatePredictor(constantPredictor, path, { part, withoutEvery, crop: 'none' })).frames;
  expect([await frames('all'), await frames('train'), await frames('heldOut')]).toEqual([9, 8, 1]);
  // Without frames 0, 4 and 8.
  expect([await frames('all', 4), await frames('train', 4)]).toEqual([6, 6]);
});

test('any layout with depth is measured: a TUM RGB-D recording', async () => {
  const path = await makeTumRgbd(folder);
  const { frames, abs_rel } = await evaluatePredictor(constantPredictor, path, { crop: 'none' });
  expect(frames).toBeGreaterThan(0);
  expect(abs_rel).toBeGreaterThan(0);
  await expect(evaluatePredictor(constantPredictor, path, { minDepth: 70, maxDepth: 80 })).rejects.toThrow(
    /no frame of it has measured depth between 70 and 80 m/,
  );
});

test('a predictor that is right but for the scale has no error', async () => {
  const path = await makeDataset('road', 30, 40, (i) => {
    const below = Math.floor(i / 30) - 10;
    return below > 0 ? Math.round(Math.min((40 * 1.65 * 1000) / below, 60000)) : 0;
  });
  const right = await evaluatePredictor(groundPlanePredictor(0.5, 60), path, {
    crop: 'none',
    maxDepth: 50,
  });
  expect(right.frames).toBe(2);
  expect(right.abs_rel).toBeLessThan(1e-3);
  expect(right.a1).toBe(1);
  expect(right.scale_mean).toBeCloseTo(3.3, 2);
  // In metres the camera stands at 0.5 m and not at 1.65: everything is 1 - 0.5 / 1.65 too near.
  const metric = await evaluatePredictor(groundPlanePredictor(0.5, 60), path, {
    crop: 'none',
    maxDepth: 50,
    scale: 'none',
  });
  expect(metric.abs_rel).toBeCloseTo(1 - 0.5 / 1.65, 3);
  expect(metric.scale_mean).toBeCloseTo(3.3, 2);
  const flat = await evaluatePredictor(constantPredictor, path, { crop: 'none' });
  expect(flat.abs_rel).toBeGreaterThan(0.3);
});

test('bad datasets are named', async () => {
  await expect(openDepthDataset(join(folder, 'nowhere'))).rejects.toThrow(/nowhere: no such file or folder/);
  const mixed = await makeDataset('mixed', 20, 12, () => 1000, 1);
  await writeDepth(join(mixed, 'depth', '0.png'), 10, 12, () => 1000);
  await expect(evaluatePredictor(constantPredictor, mixed)).rejects.toThrow(
    /0\.png: is 10x12, the camera's images are 20x12/,
  );
});

test('depth is resized bilinearly in disparity, pixel centres at halves', () => {
  const depth = Float32Array.of(1, 4);
  // Disparities 1 and .25: at a quarter and three quarters of the way 0.8125 and 0.4375.
  const resized = resizeDepth(depth, 1, 2, 1, 4);
  [1, 1 / 0.8125, 1 / 0.4375, 4].forEach((z, i) => expect(resized[i]).toBeCloseTo(z, 6));
  expect(resizeDepth(depth, 1, 2, 1, 2)).toBe(depth);
  expect([...resizeDepth(depth, 1, 2, 3, 2)]).toEqual([1, 4, 1, 4, 1, 4]);
});

test('model files that are missing, empty, cut off or not ours are named', async () => {
  const dataset = await makeDataset('for-models', 20, 12, () => 1000, 1);
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  await expect(evaluateModel(join(folder, 'none.onnx'), dataset)).rejects.toThrow(/none\.onnx: no such model file/);
  await expect(OnnxModel.open(write('empty.onnx', ''))).rejects.toThrow(/empty\.onnx: the model file is empty/);
  await expect(OnnxModel.open(write('text.onnx', 'no model'))).rejects.toThrow(
    /text\.onnx: not an ONNX model, or cut off/,
  );
});

test('a model that reads the depth off the picture is measured through the whole path', async () => {
  // The tiny model's depth is the picture's brightness: truth 1..4 m by brightness 50..200, in blocks that survive JPEG.
  const path = join(folder, 'bright');
  for (const part of ['image', 'depth']) mkdirSync(join(path, part), { recursive: true });
  const [width, height] = [192, 128];
  writeFileSync(join(path, 'calib.yaml'), 'image_width: 192\nimage_height: 128\nfx: 90\nfy: 90\ncx: 96\ncy: 64\n');
  const level = (i: number) => 1 + Math.floor((4 * (i % width)) / width);
  const grey = Buffer.from(Uint8Array.from({ length: width * height }, (_, i) => 50 * level(i)));
  const picture = sharp(grey, { raw: { width, height, channels: 1 } });
  await picture.jpeg({ quality: 100 }).toFile(join(path, 'image', '0.jpg'));
  await writeDepth(join(path, 'depth', '0.png'), width, height, (i) => 256 * level(i));
  const model = join(folder, 'tiny.onnx');
  writeFileSync(model, tinyModel({ height: 128, width: 192 }));
  const summary = await evaluateModel(model, path, { crop: 'none' });
  expect(summary.frames).toBe(1);
  expect(summary.abs_rel).toBeLessThan(0.01);
  expect(summary.scale_mean).toBeCloseTo(1 / (100 * (50 / 255)), 3);
});

const kitti = join(shared, 'kitti_raw_0926_lidar');
if (!existsSync(kitti)) console.log(`the constant predictor's figures are not checked: no ${kitti}`);
(existsSync(kitti) ? test : test.skip)('the constant predictor has the published figures on KITTI raw', async () => {
  const summary = await evaluatePredictor(constantPredictor, kitti);
  expect(summary.frames).toBe(78);
  expect(summary.abs_rel.toFixed(3)).toBe('0.348');
  expect(summary.rms.toFixed(2)).toBe('8.77');
  expect(summary.a1.toFixed(3)).toBe('0.379');
});
