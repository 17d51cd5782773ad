/** Pauses within a recording: no triplet spans one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_DISTORTION } from '../../../src/geometry/lens';
import { DriveBatches } from '../../../src/training/batches/drives';
import { prepare } from '../../../src/training/datasets/prepare';
import type { Recording } from '../../../src/training/datasets/recording';
import { Random } from '../../../src/training/random';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-gaps-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const [width, height] = [48, 32];

/** A recording whose pictures change from frame to frame, at these times. */
function recordingAt(name: string, stamps: readonly number[]): Recording {
  return {
    name,
    sources: [__filename],
    variant: name,
    framesPerSecond: 10,
    camera: { intrinsics: { width, height, fx: 40, fy: 40, cx: 24, cy: 16 }, distortion: NO_DISTORTION },
    async *frames() {
      for (const [i, stamp] of stamps.entries())
        yield { stamp, image: Uint8Array.from({ length: 3 * width * height }, (_, k) => (k * 7 + 40 * i) % 256) };
    },
    close: async () => {},
  };
}

test.each([
  ['a pause', [0, 0.1, 0.2, 0.3, 0.4, 9, 9.1, 9.2, 9.3, 9.4, 9.5, 9.6], 4],
  ['a clock that went back', [5, 5.1, 5.2, 5.3, 5.4, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6], 4],
])(
  '%s is no motion between frames, and no target has its neighbours on either side of it',
  async (name, stamps, before) => {
    const drive = await prepare(recordingAt(name, stamps), root, { width, progress: false });
    expect(drive.motion[before]).toBe(-1);
    expect(Array.from(drive.motion).filter((score) => score < 0)).toHaveLength(1);
    const options = { strides: [1], minMotion: 0, strideMotion: 0, minCrop: [1, 1] as [number, number] };
    const batches = new DriveBatches([drive], { ...options, validationShare: 0, part: 'train' }, new Random(1));
    // Of the training part's frames 0..8, the ends and the two beside the gap have a neighbour missing.
    expect(batches.count).toBe(5);
    drive.close();
  },
);

test('a frame that was dropped now and then is no gap', async () => {
  const drive = await prepare(recordingAt('dropped', [0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.8]), root, {
    width,
    progress: false,
  });
  expect(Array.from(drive.motion).every((score) => score >= 0)).toBe(true);
  drive.close();
});
