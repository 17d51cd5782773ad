import { mkdtempSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCameraFile } from '../../../src/media/cameraFile';
import { prepare as prepareRecording, type PrepareOptions } from '../../../src/training/datasets/prepare';
import { PreparedDrive } from '../../../src/training/datasets/prepared';
import { openVideoRecording } from '../../../src/training/datasets/video';
import { makeVideo } from '../../support/makeVideo';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-prepare-'));
const cache = join(folder, 'prepared');
const video = join(folder, 'drive.mp4');
const cameraFile = join(folder, 'camera.yaml');
const SIZE = { width: 32, height: 24, progress: false };
const COUNT = 12;

async function prepare(path: string, camera: string, into: string, options: PrepareOptions): Promise<PreparedDrive> {
  return prepareRecording(await openVideoRecording(path, camera), into, options);
}

/** Grey grows by 10 a frame up to frame 5, then stays; the hood (rows from 48 on) is red. */
function picture(index: number): Uint8Array {
  const data = new Uint8Array(96 * 64 * 3);
  const level = 40 + 10 * Math.min(index, 5);
  for (let i = 0; i < 96 * 64; i++) data.set(i >= 96 * 50 ? [230, 10, 10] : [level, level, level], 3 * i);
  return data;
}

beforeAll(async () => {
  await makeVideo(
    video,
    96,
    64,
    20,
    Array.from({ length: COUNT }, (_, i) => picture(i)),
  );
  writeFileSync(
    cameraFile,
    'image_width: 96\nimage_height: 64\nfx: 90\nfy: 90\ncx: 47.5\ncy: 31.5\ndistortion: [0, 0, 0, 0, 0]\nusable_rows: 48\n',
  );
});

test('a drive is decoded, cropped above the hood, shrunk, scored and split', async () => {
  const drive = await prepare(video, cameraFile, cache, SIZE);
  expect(drive).toMatchObject({ name: 'drive', count: COUNT, width: 32, height: 24, framesPerSecond: 20 });
  expect(drive.intrinsics).toEqual({ width: 32, height: 24, fx: 30, fy: 45, cx: 15.5, cy: 15.5 });
  expect(drive.split()).toEqual({ train: [0, 9], heldOut: [9, 12] });
  const frame = new Uint8Array(32 * 24 * 3);
  for (let i = 0; i < COUNT; i++) {
    drive.readFrame(i, frame);
    const level = 40 + 10 * Math.min(i, 5);
    for (const value of frame.subarray(0, 32 * 21 * 3)) expect(Math.abs(value - level)).toBeLessThan(8);
    expect(frame[3 * (23 * 32 + 16)] - frame[3 * (23 * 32 + 16) + 1]).toBeLessThan(40);
  }
  for (let i = 0; i < 5; i++) expect(Math.abs(drive.motion[i] - 10)).toBeLessThan(2);
  for (let i = 6; i < COUNT; i++) expect(drive.motion[i]).toBeLessThan(0.5);
  expect(() => drive.readFrame(COUNT, frame)).toThrow(/drive: no frame 12; there are 12/);
  expect(() => drive.readFrame(0, new Uint8Array(10))).toThrow(/takes 2304 bytes/);
  drive.close();
});

test('it is made once, and again for another camera or size', async () => {
  const first = await prepare(video, cameraFile, cache, SIZE);
  const made = statSync(join(first.folder, 'frames.bin')).mtimeMs;
  const second = await prepare(video, cameraFile, cache, SIZE);
  expect(second.folder).toBe(first.folder);
  expect(statSync(join(second.folder, 'frames.bin')).mtimeMs).toBe(made);
  const smaller = await prepare(video, cameraFile, cache, { ...SIZE, width: 16 });
  expect(smaller.folder).not.toBe(first.folder);
  expect(readdirSync(cache).filter((name) => name.includes('partial'))).toEqual([]);
});

test('a cut-off frames.bin is named', async () => {
  const { folder: made } = await prepare(video, cameraFile, cache, { ...SIZE, height: 16 });
  truncateSync(join(made, 'frames.bin'), 1000);
  expect(() => PreparedDrive.open(made)).toThrow(
    /frames\.bin: 12 frames of 32x16 take 18432 bytes, it has 1000; delete/,
  );
});

test('a preparation that fails half-way names the file and leaves nothing behind', async () => {
  const cut = join(folder, 'cut.mp4');
  const whole = readFileSync(video);
  writeFileSync(cut, whole.subarray(0, Math.floor(whole.length * 0.7)));
  const other = join(folder, 'other');
  await expect(prepare(cut, cameraFile, other, SIZE)).rejects.toThrow(/cut\.mp4: cut off after \d+ of 12 frames/);
  expect(readdirSync(other)).toEqual([]);
  await expect(prepare(join(folder, 'none.mp4'), cameraFile, cache, SIZE)).rejects.toThrow(
    /none\.mp4: no such video file/,
  );
});

test('a camera file of another size, without a field or missing is named', async () => {
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const text = readFileSync(cameraFile, 'utf8');
  const large = write('large.yaml', text.replace('image_width: 96', 'image_width: 192'));
  await expect(prepare(video, large, cache, SIZE)).rejects.toThrow(
    /drive\.mp4: is 96x64, but .*large\.yaml is of a 192x64 camera/,
  );
  await expect(readCameraFile(write('no-fx.yaml', text.replace('fx: 90\n', '')))).rejects.toThrow(
    /no-fx\.yaml: not a camera file;[^]*fx/,
  );
  await expect(readCameraFile(join(folder, 'none.yaml'))).rejects.toThrow(
    /none\.yaml: the camera file cannot be read \(ENOENT\)/,
  );
  await expect(readCameraFile(write('rows.yaml', text.replace('48', '480')))).rejects.toThrow(
    /usable_rows is 480, but image_height only 64/,
  );
});

test("the sample drives' camera file is what the chessboards give", async () => {
  const camera = await readCameraFile(join(__dirname, '../../../config/cameras/udacity.yaml'));
  const { fx, fy, cx, cy } = camera.intrinsics;
  [fx - 1158.8, fy - 1154.1, cx - 669.6, cy - 388.1].forEach((difference) =>
    expect(Math.abs(difference)).toBeLessThan(0.1),
  );
  expect(camera.usableRows).toBe(660);
});
