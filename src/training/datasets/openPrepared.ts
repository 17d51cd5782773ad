/** From a recording's name to the prepared drive: what training and evaluation both begin with. */
import { preparedFolder, resolveFile } from '../../paths';
import { openRecording } from './openRecording';
import { prepare } from './prepare';
import type { PreparedDrive } from './prepared';

/**
 * @param path recording of any layout, found as `resolveFile` finds files
 * @param cameraFile of videos, and of pictures without a calib.yaml
 * @throws Error naming the file that is missing or cannot be read
 */
export async function openPrepared(path: string, cameraFile: string): Promise<PreparedDrive> {
  return prepare(await openRecording(resolveFile(path), { cameraFile }), preparedFolder());
}
