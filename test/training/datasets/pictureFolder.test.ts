/** Folders of pictures: own recordings, and data sets cut down. */
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { level, makePictureFolder, writeGrey, writeLabels } from '../../support/layouts';
import { readAll, translation } from '../../support/recordings';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-recordings-'));
const cache = join(root, 'prepared');
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a folder of pictures takes what lies beside them', async () => {
  const folder = await makePictureFolder(root);
  const recording = await openRecording(folder);
  expect(recording).toMatchObject({ name: 'cut_down', framesPerSecond: 5, baseline: 0.12 });
  const frames = await readAll(folder);
  frames.forEach((frame, i) => {
    expect(frame.stamp).toBeCloseTo(i / 5, 12);
    expect(frame.right?.[0]).toBe(level(i) + 10);
    expect(translation(frame)).toEqual([i, 0, 0]);
    if (i === 1) expect(frame.depth).toBeUndefined();
    else expect(Array.from(frame.depth?.subarray(0, 48) ?? [])).toEqual(Array.from({ length: 48 }, (_, u) => u + 1));
    if (i === 1) expect(frame.labels).toBeUndefined();
    else
      expect([...frame.labels!.subarray(0, 96)]).toEqual(
        Array.from({ length: 96 }, (_, u) => (u < 48 ? 255 : (u - 48) % 7)),
      );
  });
  writeFileSync(join(folder, 'poses_kitti.txt'), '1 0 0 0 0 1 0 0 0 0 1 0\n');
  await expect(openRecording(folder)).rejects.toThrow(/poses_kitti\.txt: it has 1 poses for 3 pictures/);
  writeFileSync(join(folder, 'poses_kitti.txt'), '1 0 0 0 0 1 0 zero 0 0 1 0\n');
  await expect(openRecording(folder)).rejects.toThrow(/poses_kitti\.txt: line 1: 12 numbers are needed/);
  rmSync(join(folder, 'poses_kitti.txt'));
  rmSync(join(folder, 'calib.yaml'));
  await expect(openRecording(folder, { cameraFile: 'config/cameras/udacity.yaml' })).rejects.toThrow(
    /0\.png: is 48x32, but config.*udacity\.yaml is of a 1280x720 camera; give the camera file of these pictures/,
  );
  await expect(openRecording(folder)).rejects.toThrow(/cut_down: it has no calib\.yaml; give a camera file/);
});

test('label images are prepared by the nearest pixel; those without labels, and copies made before there were any, are none', async () => {
  const folder = await makePictureFolder(join(root, 'labelled'));
  const recording = await openRecording(folder);
  const before = await prepare({ ...recording, labelled: undefined }, cache, { width: 24, progress: false });
  const drive = await prepare(recording, cache, { width: 24, progress: false });
  expect(drive.folder).not.toBe(before.folder);
  expect([0, 1, 2].map((index) => drive.labels?.has(index))).toEqual([true, false, true]);
  const labels = new Uint8Array(24 * 16);
  drive.labels?.read(2, labels);
  // A prepared pixel's centre lies between two; the classes are theirs, never a mean.
  labels.subarray(24).forEach((label, i) => expect([(2 * (i % 24)) % 7, (2 * (i % 24) + 1) % 7]).toContain(label));
  for (const opened of [drive, before]) opened.close();
});

test('a label image that holds no class indices is named, with what it is', async () => {
  const folder = await makePictureFolder(join(root, 'mislabelled'));
  const path = join(folder, 'labels', '0.png');
  const rgb = sharp(new Uint8Array(48 * 32 * 3).fill(3), { raw: { width: 48, height: 32, channels: 3 } });
  await rgb.clone().png({ palette: true }).toFile(path);
  await expect(readAll(folder)).rejects.toThrow(/labels.0\.png: not a label image.*palette/);
  await rgb.clone().png().toFile(path);
  await expect(readAll(folder)).rejects.toThrow(/labels.0\.png: not a label image.*8 bits of colour type 2/);
  await rgb.clone().jpeg().toFile(path);
  await expect(readAll(folder)).rejects.toThrow(/labels.0\.png: not a label image.*jpeg/);
  await writeLabels(path, 40, 32, () => 1);
  await expect(readAll(folder)).rejects.toThrow(/labels.0\.png: is 40x32, the camera's images are 48x32/);
});

test('a picture that cannot be read is named, and left out up to a limit', async () => {
  const folder = await makePictureFolder(join(root, 'damaged'));
  writeFileSync(join(folder, 'image_left', '1.png'), 'no picture');
  const open = () => openRecording(folder);
  await expect(prepare(await open(), cache, { width: 48, progress: false })).rejects.toThrow(
    /image_left.1\.png: not a picture/,
  );
  expect(readdirSync(cache).filter((name) => name.includes('partial'))).toEqual([]);
  const said = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const drive = await prepare(await open(), cache, { width: 48, progress: false, maxUnreadable: 1 });
    expect(drive.count).toBe(2);
    expect(drive.poses?.map((pose) => pose?.translation[0])).toEqual([0, 2]);
    drive.close();
    expect(said.mock.calls.flat().join()).toMatch(/cut_down: left out: .*1\.png/);
    writeFileSync(join(folder, 'depth', '2.png'), '');
    await expect(prepare(await open(), cache, { width: 48, progress: false, maxUnreadable: 1 })).rejects.toThrow(
      /depth.2\.png: one frame too many that cannot be read, 1 frames are left out at most/,
    );
  } finally {
    said.mockRestore();
  }
});

test('frames are streamed: memory does not grow with their number', async () => {
  const folder = join(root, 'long');
  mkdirSync(join(folder, 'image'), { recursive: true });
  writeFileSync(
    join(folder, 'calib.yaml'),
    'image_width: 640\nimage_height: 480\nfx: 500\nfy: 500\ncx: 320\ncy: 240\n',
  );
  await writeGrey(join(root, 'one.png'), 640, 480, 90);
  for (let i = 0; i < 300; i++) linkSync(join(root, 'one.png'), join(folder, 'image', `${i}.png`));
  let index = 0;
  let early = 0;
  for await (const { image } of (await openRecording(folder)).frames()) {
    expect(image[0]).toBe(90);
    if (index++ === 99) early = process.memoryUsage.rss();
  }
  // The 200 frames after it are 184 MB.
  expect(index).toBe(300);
  expect((process.memoryUsage.rss() - early) / 1e6).toBeLessThan(60);
});
