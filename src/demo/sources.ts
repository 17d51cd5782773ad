/** What the demo can play, and which calibration and which rows of the picture belong to it. */
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readCameraFile } from '../media/cameraFile';
import { packageRoot, resolveFile, sampleDriveFolder } from '../paths';

/** Names of the sample drive's roads. */
const ROADS: Readonly<Record<string, string>> = { highway: 'project_video03.mp4', mountain: 'challenge03.mp4' };

export interface DemoSource {
  /** As the user gave it. */
  readonly name: string;
  /** Absolute path of a video file, a folder of images or a camera. */
  readonly path: string;
  /** calib.yaml of the camera; undefined where none is known: ego-motion is then unavailable. */
  readonly cameraFile?: string;
  /** Rows above the own vehicle's hood, counted from the top; 0 for all. */
  readonly imageRows: number;
  /** Whether pictures come at the camera's pace and never end. */
  readonly isCamera: boolean;
}

/** Finds `highway`, `mountain`, a file, a folder or a camera. Throws Error saying where it was looked for. */
export async function resolveSource(name: string): Promise<DemoSource> {
  const path = resolve(resolveFile(ROADS[name] ?? name));
  const cameraFile = cameraFileOf(path);
  const imageRows = cameraFile ? ((await readCameraFile(cameraFile)).usableRows ?? 0) : 0;
  return { name, path, cameraFile, imageRows, isCamera: path.startsWith('/dev/') };
}

function cameraFileOf(path: string): string | undefined {
  if (dirname(path) === join(resolve(sampleDriveFolder()), 'test_videos') && basename(path).endsWith('.mp4')) {
    return join(packageRoot(), 'config', 'cameras', 'udacity.yaml');
  }
  return [join(path, 'calib.yaml'), join(dirname(path), 'calib.yaml')].find((candidate) => existsSync(candidate));
}
