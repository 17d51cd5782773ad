/** A damaged bag as a recording: what is read of it, and what is said. */
import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { openRosBag } from '../../../src/training/datasets/rosBag';
import { damageSqliteMessage, twistMessage } from '../../support/bagWriter';
import { bagsIn, framesOf, image, info } from '../../support/smallBags';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-rosbag-'));
const bag = bagsIn(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('damage', () => {
  test('of the file: the frames before it, and a warning that names it', async () => {
    const messages = Array.from({ length: 40 }, (_, i) => image(1 + i / 10));
    for (const extra of [[], [twistMessage('/v', 1, 1)]]) {
      const path = await bag([info(), ...extra, ...messages]);
      truncateSync(path, Math.round(statSync(path).size / 2));
      const warnings: string[] = [];
      const { read, recording } = await framesOf(path, (message) => warnings.push(message));
      expect(read.length).toBeGreaterThan(14);
      expect(read.length).toBeLessThan(21);
      expect(recording.frameCount).toBeUndefined();
      expect(warnings.length).toBe(1);
      expect(warnings[0]).toContain(path);
      expect(warnings[0]).toContain(`going on with the ${read.length} images before it`);
    }
  });

  test('of one message that was compressed by itself: named, or left out where that is allowed', async () => {
    const path = join(folder, 'messages.db3');
    copyFileSync(join(__dirname, '../../fixtures/bags/sqlite3_message_zstd/sqlite3_message_zstd.db3'), path);
    damageSqliteMessage(path, '/rgb8/image_raw', 1, 'inside');
    damageSqliteMessage(path, '/front/camera_info', 0, 'beginning'); // the next one says the same
    const open = () => openRecording(`${path}#image=/rgb8/image_raw,camera_info=/front/camera_info`);
    const options = { width: 16, height: 12, progress: false };
    await expect(prepare(await open(), join(folder, 'prepared'), options)).rejects.toThrow(
      /messages\.db3: message 2 of those asked for, on \/rgb8\/image_raw, is damaged.*--max-unreadable 1/,
    );
    const said = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const drive = await prepare(await open(), join(folder, 'prepared'), { ...options, maxUnreadable: 1 });
    expect(said.mock.calls.flat()).toEqual([expect.stringMatching(/left out: .*messages\.db3: message 2 /)]);
    said.mockRestore();
    expect(drive.count).toBe(3);
    drive.close();
  });

  const faults: [string, object, RegExp][] = [
    ['an unknown encoding', { encoding: '32FC1' }, /encoding is "32FC1"; known are rgb8, bgr8/],
    ['short data', { data: new Uint8Array(100) }, /data has 100 bytes, step x height is 2304/],
    ['a short step', { step: 90 }, /step is 90, less than the 96 bytes of 32 rgb8 pixels/],
    ['another size', { width: 16, step: 48, data: new Uint8Array(48 * 24) }, /is 16x24, the first one 32x24/],
  ];
  test.each(faults)('of one image, %s: named with topic and stamp, or handed on', async (_, fields, message) => {
    const path = await bag([info(), image(1), image(1.1), image(1.2, fields), image(1.3)]);
    const recording = await openRosBag(path);
    const read = async (onUnreadable?: (error: Error) => void) => {
      const stamps = [];
      for await (const { stamp } of recording.frames(onUnreadable)) stamps.push(stamp);
      return stamps;
    };
    await expect(read()).rejects.toThrow(message);
    await expect(read()).rejects.toThrow(/image on \/cam\/image_raw at 1\.2/);
    const errors: Error[] = [];
    expect(await read((error) => errors.push(error))).toEqual([1, 1.1, 1.3]);
    expect(errors.map((error) => error.message)).toEqual([expect.stringMatching(message)]);
    await recording.close();
  });
});
