/** Pictures of a real drive for the measuring process: a learner finds nothing to learn in ready-made ones. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { scaleIntrinsics } from '../src/geometry/camera';
import { openDrive } from '../src/adaptation/sourceDrives';
import { ShrunkFrames } from '../src/training/evaluation/shrunkFrames';
import { SAMPLE_CAMERA } from '../src/training/flags';
import type { Pictures } from './targets';

/** Writes the first `count` frames of a recording to `file`, undistorted, without the hood, at the size given. */
export async function writePictures(
  recording: string,
  file: string,
  { width, height, count }: { width: number; height: number; count: number },
): Promise<Pictures> {
  const drive = await openDrive(recording, SAMPLE_CAMERA);
  const frames = new ShrunkFrames(drive, height, width);
  const descriptor = openSync(file, 'w');
  try {
    for (let index = 0; index < Math.min(count, drive.count); index++) writeSync(descriptor, frames.read(index).bytes);
    return { file, intrinsics: scaleIntrinsics(drive.intrinsics, width, height) };
  } finally {
    closeSync(descriptor);
    drive.close();
  }
}
