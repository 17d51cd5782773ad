/** NYU Depth V2 as its MATLAB file. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { readAll } from '../../support/recordings';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-recordings-'));
const cache = join(root, 'prepared');
const nyu = join(__dirname, 'fixtures', 'nyu_small.mat');
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('NYU Depth V2: pictures of a MATLAB file are turned upright and cut to the valid part, and do not follow each other', async () => {
  const frames = await readAll(nyu);
  expect(frames.length).toBe(3);
  frames.forEach(({ image, depth }, n) => {
    for (const [u, v] of [
      [0, 0],
      [560, 426],
      [123, 45],
      [300, 195],
      [300, 196],
    ]) {
      // The cut part starts at column 40, row 44.
      const at = v * 561 + u;
      expect([...image.subarray(3 * at, 3 * at + 3)]).toEqual([(u + 40) % 256, (v + 44) % 256, 10 + 40 * n]);
      expect(depth?.[at]).toBeCloseTo(1 + n + (u + 40) / 128 + (v + 44 >= 240 ? 0.5 : 0), 5);
    }
  });
  const drive = await prepare(await openRecording(nyu), cache, { width: 112, progress: false });
  expect(Array.from(drive.motion)).toEqual([-1, -1, 0]);
  expect(drive.depth?.count).toBe(3);
  expect(drive.intrinsics.fx).toBeCloseTo((518.85790117 * 112) / 561, 6);
  drive.close();
});

test('a damaged NYU file is named with the picture', async () => {
  const cut = join(root, 'cut.mat');
  const whole = readFileSync(nyu);
  writeFileSync(cut, whole.subarray(0, 20000));
  await expect(openRecording(cut)).rejects.toThrow(/cut\.mat: .*\(truncated file: .*\); download it again/);
  const damaged = join(root, 'damaged.mat');
  // Past the headers, inside the deflated chunks.
  writeFileSync(damaged, Buffer.from(whole).fill(0x55, 16000, 16100));
  await expect(readAll(damaged)).rejects.toThrow(/damaged\.mat: picture \d of "(images|depths)" cannot be read \(.*\)/);
});
