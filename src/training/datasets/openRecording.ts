/** Recognises what layout a recording has. A new layout is a file beside this one and a line in LAYOUTS. */
import { stat } from 'node:fs/promises';
import { FrameSourceError } from '../../media/frame';
import { splitPart } from '../../paths';
import { kittiOdometryLayout } from './kittiOdometry';
import { kittiRawLayout } from './kittiRaw';
import { middleburyLayout } from './middlebury';
import { nyuV2Layout } from './nyuV2';
import { pictureFolderLayout } from './pictureFolder';
import type { OpenRecordingOptions, Recording, RecordingLayout } from './recording';
import { rosBagLayout } from './rosBag';
import { sevenScenesLayout } from './sevenScenes';
import { tumRgbdLayout } from './tumRgbd';
import { videoLayout } from './video';

/** In the order they are tried: folders of pictures come last, since most layouts hold pictures too. */
const LAYOUTS: readonly RecordingLayout[] = [
  rosBagLayout,
  kittiRawLayout,
  kittiOdometryLayout,
  tumRgbdLayout,
  sevenScenesLayout,
  middleburyLayout,
  nyuV2Layout,
  videoLayout,
  pictureFolderLayout,
];

/**
 * Opens a recording of any layout, told by the names of its files.
 *
 * @throws FrameSourceError naming the path, and what was looked for where no layout fits
 * @example
 * const recording = await openRecording('2011_09_26/2011_09_26_drive_0001_sync');
 * for await (const { image, depth } of recording.frames()) ...
 */
export async function openRecording(path: string, options: OpenRecordingOptions = {}): Promise<Recording> {
  await stat(splitPart(path)[0]).catch((error: NodeJS.ErrnoException) => {
    throw new FrameSourceError(
      path,
      error.code === 'ENOENT' ? 'no such file or folder' : `cannot be read (${error.code})`,
    );
  });
  for (const layout of LAYOUTS) if (await layout.matches(path)) return layout.open(path, options);
  const looked = LAYOUTS.map(({ name, knownBy }) => `  ${name}: ${knownBy}`).join('\n');
  throw new FrameSourceError(path, `not a recording of any known layout. Looked for:\n${looked}`);
}
