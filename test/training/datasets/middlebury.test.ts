import { copyFileSync, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { zipSync } from 'fflate';
import { readNpzMatrix, readPfm } from '../../../src/media/floatMap';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import type { RecordedFrame } from '../../../src/training/datasets/recording';
import { depthAt, makeMiddlebury, PAIR } from '../../support/measuredScenes';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-middlebury-'));
const shared = resolve(process.env.DEPTHGRAD_SHARED_DATA ?? join(__dirname, '../../../../shared/data'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function onlyFrame(path: string): Promise<RecordedFrame> {
  for await (const frame of (await openRecording(path)).frames()) return frame;
  throw new Error('no frame');
}

/** Mean |left - right warped to it by Z| in grey levels over the pixels with depth, and the same without warping. */
function pairError(
  left: Uint8Array,
  right: Uint8Array,
  depth: Float32Array,
  width: number,
  focalTimesBaseline: number,
): { warped: number; unwarped: number } {
  let [warped, unwarped, count] = [0, 0, 0];
  depth.forEach((z, i) => {
    const from = (i % width) - focalTimesBaseline / z;
    if (!(z > 0) || from < 0) return;
    const low = Math.floor(from);
    const at = 3 * (i - (i % width) + low) + 1;
    const green = right[at] + (from - low) * (right[at + 3] - right[at]);
    warped += Math.abs(left[3 * i + 1] - green);
    unwarped += Math.abs(left[3 * i + 1] - right[3 * i + 1]);
    count++;
  });
  return { warped: warped / count, unwarped: unwarped / count };
}

test.each(['disp0.pfm', 'disp0GT.pfm'])(
  'the official layout with %s: depth, and a pair of one camera',
  async (file) => {
    const folder = await makeMiddlebury(join(root, file), 'Boxes-perfect', file);
    const recording = await openRecording(folder);
    const { width, height, fx, cx, cy, baseline } = PAIR;
    expect(recording).toMatchObject({ name: 'middlebury_Boxes-perfect', frameCount: 1, baseline, unordered: true });
    expect(recording.camera.intrinsics).toEqual({ width, height, fx, fy: fx, cx, cy });
    const { image, right, depth } = await onlyFrame(folder);
    depth!.forEach((z, i) => expect(z).toBeCloseTo(i < width ? 0 : depthAt(i % width), 5));
    // The box hides a strip of four columns of the wall from the right camera; all else is found to the grey level.
    const { warped, unwarped } = pairError(image, right!, depth!, width, fx * baseline);
    expect(warped).toBeLessThan(0.1 * unwarped);
    const drive = await prepare(await openRecording(folder), join(root, 'prepared'), { width: 48, progress: false });
    expect(drive).toMatchObject({ count: 1, baseline, width: 48, height: 32 });
    expect(drive.intrinsics.fx).toBeCloseTo(fx / 2, 9);
    expect([drive.depth?.has(0), drive.right?.has(0)]).toEqual([true, true]);
    drive.close();
  },
);

test('what is missing or broken is named', async () => {
  const folder = await makeMiddlebury(root, 'Broken');
  const calibration = join(folder, 'calib.txt');
  truncateSync(join(folder, 'disp0.pfm'), 100);
  await expect(onlyFrame(folder)).rejects.toThrow(/disp0\.pfm: 96x64 numbers take 24576 bytes, it has \d+/);
  writeFileSync(join(folder, 'disp0.pfm'), 'P6\n');
  await expect(onlyFrame(folder)).rejects.toThrow(/disp0\.pfm: no grey portable float map: it starts with "P6"/);
  writeFileSync(calibration, 'cam0=[80 0 47.5; 0 80 31.5; 0 0 1]\nbaseline=100\n');
  await expect(openRecording(folder)).rejects.toThrow(/calib\.txt: the line "doffs=\.\.\." is not there/);
  writeFileSync(calibration, 'cam0=[80 0 47.5]\ndoffs=0\nbaseline=100\n');
  await expect(openRecording(folder)).rejects.toThrow(/calib\.txt: cam0= needs 9 number\(s\)/);
});

test('float maps: big-endian PFM, and NumPy archives', async () => {
  const big = Buffer.alloc(24);
  [1, 2, 3, 4, 5, 6].forEach((x, i) => big.writeFloatBE(x, 4 * i));
  const pfm = join(root, 'big.pfm');
  writeFileSync(pfm, Buffer.concat([Buffer.from('Pf\n3 2\n1.0\n'), big]));
  expect(await readPfm(pfm)).toEqual({ width: 3, height: 2, values: Float32Array.of(4, 5, 6, 1, 2, 3) });

  const npy = (description: string): Uint8Array => {
    const header = `{'descr': '${description}', 'fortran_order': False, 'shape': (1, 2), }\n`;
    const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${header}`, 'latin1');
    head.writeUInt16LE(header.length, 8);
    return Buffer.concat([head, new Uint8Array(Float32Array.of(1.5, -2).buffer)]);
  };
  const npz = join(root, 'map.npz');
  writeFileSync(npz, zipSync({ 'arr_0.npy': npy('<f4') }));
  expect(await readNpzMatrix(npz)).toEqual({ width: 2, height: 1, values: Float32Array.of(1.5, -2) });
  writeFileSync(npz, zipSync({ 'arr_0.npy': npy('<i4') }));
  await expect(readNpzMatrix(npz)).rejects.toThrow(/map\.npz: arr_0\.npy must be a float32 matrix/);
  copyFileSync(pfm, npz);
  await expect(readNpzMatrix(npz)).rejects.toThrow(/map\.npz: not a zip archive/);
});

const motorcycle = join(shared, 'middlebury_motorcycle');
if (!existsSync(motorcycle)) console.log(`not read by the Middlebury layout: no ${motorcycle}`);
(existsSync(motorcycle) ? test : test.skip)(
  'Motorcycle: its right image warped by its depth is its left image',
  async () => {
    const recording = await openRecording(motorcycle);
    expect(recording).toMatchObject({ name: 'middlebury_middlebury_motorcycle', frameCount: 1, baseline: 0.193001 });
    const { width, height, fx } = recording.camera.intrinsics;
    expect([width, height]).toEqual([741, 500]);
    const { image, right, depth } = await onlyFrame(motorcycle);
    const measured = depth!.filter((z) => z > 0);
    expect(measured.length / depth!.length).toBeGreaterThan(0.7);
    expect(measured.filter((z) => z < 1.5 || z > 6)).toHaveLength(0);
    const { warped, unwarped } = pairError(image, right!, depth!, width, fx * 0.193001);
    console.log(`Motorcycle: ${warped.toFixed(2)} grey levels warped by its depth, ${unwarped.toFixed(2)} un-warped`);
    expect(warped).toBeLessThan(0.3 * unwarped);
  },
);
