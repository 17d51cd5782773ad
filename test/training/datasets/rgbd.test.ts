/** TUM RGB-D and 7-Scenes in their official layouts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { associate } from '../../../src/training/datasets/tumRgbd';
import { level, makeSevenScenes, makeTumRgbd } from '../../support/layouts';
import { readAll, translation } from '../../support/recordings';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-recordings-'));
const cache = join(root, 'prepared');
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('TUM RGB-D: files and poses are associated by time, depth in fifths of a millimetre', async () => {
  const folder = await makeTumRgbd(root);
  const recording = await openRecording(folder);
  expect(recording.camera.intrinsics).toEqual({ width: 640, height: 480, fx: 535.4, fy: 539.2, cx: 320.1, cy: 247.6 });
  const frames = await readAll(folder);
  expect(frames.map(({ depth }) => depth !== undefined)).toEqual([true, false, true]);
  const depth = frames[2].depth ?? new Float32Array();
  expect([depth[5], depth[640], depth[640 + 319], depth[640 + 320], depth[639 + 479 * 640]]).toEqual([0, 2, 2, 3, 3]);
  frames.forEach((frame, i) => {
    expect(new Set(frame.image)).toEqual(new Set([level(i)]));
    expect(translation(frame)).toEqual([i, 0, 1.5]);
    [0, 0, 1, -1, 0, 0, 0, -1, 0].forEach((x, k) => expect(frame.pose?.rotation[k]).toBeCloseTo(x, 12));
  });
  const drive = await prepare(await openRecording(folder), cache, { width: 160, progress: false });
  const small = new Float32Array(drive.width * drive.height);
  drive.depth?.read(0, small);
  // Shrunk by 4: no value between the two sides, none pulled down by the row without depth.
  expect(new Set(small)).toEqual(new Set([2, 3]));
  expect(drive.framesPerSecond).toBeCloseTo(10, 5);
  drive.close();
});

test('association takes the closest pairs first and every entry once', () => {
  const at = (...stamps: number[]) => stamps.map((stamp) => ({ stamp }));
  expect(associate(at(0, 0.01, 1), at(0.012, 1.5))).toEqual([undefined, 0, undefined]);
  expect(associate(at(0, 0.015), at(0.01, 0.03))).toEqual([undefined, 0]);
  expect(associate(at(0, 0.015), at(0.008, 0.03))).toEqual([undefined, 0]);
  expect(associate(at(0, 1, 2), at(0.001, 1.019, 2.021))).toEqual([0, 1, undefined]);
});

test('7-Scenes: 65535 and 0 are no depth, poses are camera to world', async () => {
  const folder = await makeSevenScenes(root);
  const recording = await openRecording(folder);
  expect(recording).toMatchObject({ name: 'office_seq-02', framesPerSecond: 30 });
  expect(recording.camera.intrinsics).toMatchObject({ fx: 585, fy: 585, cx: 320, cy: 240 });
  const frames = await readAll(folder);
  frames.forEach((frame, i) => {
    expect(translation(frame)).toEqual([i + 0.5, 2, 3]);
    expect(Array.from(frame.pose?.rotation ?? [])).toEqual([0, 0, 1, -1, 0, 0, 0, -1, 0]);
    expect(new Set(frame.depth?.subarray(0, 640))).toEqual(new Set([0]));
    expect(new Set(frame.depth?.subarray(640))).toEqual(new Set([1.5]));
    expect(frame.image[0]).toBe(level(i));
  });
});
