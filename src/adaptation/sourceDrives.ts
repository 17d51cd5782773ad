/** Finds and opens the drives a model was trained on: what is replayed, so that adaptation does not forget it. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { preparedFolder, resolveFile, sampleDriveFolder } from '../paths';
import { openRecording } from '../training/datasets/openRecording';
import { prepare } from '../training/datasets/prepare';
import { PREPARED_FILES, PreparedDrive } from '../training/datasets/prepared';
import { VIDEO } from '../training/datasets/video';
import { SAMPLE_CAMERA, SAMPLE_DRIVES } from '../training/flags';

/** A recording of any layout, prepared where it is not yet; or a prepared drive's folder. @throws Error naming the path */
export async function openDrive(path: string, cameraFile: string): Promise<PreparedDrive> {
  if (isPrepared(path)) return PreparedDrive.open(path);
  return prepare(await openRecording(resolveFile(path), { cameraFile: resolveFile(cameraFile) }), preparedFolder());
}

/**
 * The source drives a user names: a prepared drive, a folder of such, a recording, or a folder of recordings. Without a name the sample drives that
 * set-up fetches.
 *
 * @param cameraFile of recordings that have none of their own; empty: the sample drives'
 * @throws Error saying what was looked for where there is none
 */
export async function openSource(path: string, cameraFile: string): Promise<PreparedDrive[]> {
  const drives: PreparedDrive[] = [];
  try {
    for (const one of path === '' ? sampleDrives() : drivesIn(path))
      drives.push(await openDrive(one, cameraFile || SAMPLE_CAMERA));
    return drives;
  } catch (error) {
    for (const drive of drives) drive.close();
    throw error;
  }
}

function isPrepared(path: string): boolean {
  return existsSync(join(path, PREPARED_FILES.index));
}

function drivesIn(path: string): string[] {
  if (isPrepared(path) || !existsSync(path) || !statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path)
    .sort()
    .map((name) => join(path, name));
  const prepared = entries.filter(isPrepared);
  if (prepared.length > 0) return prepared;
  const videos = entries.filter((name) => VIDEO.test(name));
  return videos.length > 0 ? videos : [path];
}

function sampleDrives(): string[] {
  const folder = join(sampleDriveFolder(), 'test_videos');
  const found = SAMPLE_DRIVES.map((name) => join(folder, name)).filter((path) => existsSync(path));
  if (found.length === 0)
    throw new Error(
      `no source drives: ${folder} is not there. npm run setup fetches it, or name a folder of drives the model was trained on`,
    );
  return found;
}
