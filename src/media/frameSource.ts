/**
 * Where frames come from: a video file, a folder of images or a camera, all as one stream of rgb frames.
 *
 * @example
 * const source = await openFrameSource('drive.mp4', { start: 10 });
 * for await (const frame of source.frames()) show(frame.data, frame.width, frame.height);
 * await source.close();
 */
import { stat } from 'node:fs/promises';
import { FrameSourceError, type FrameSource, type FrameSourceOptions } from './frame';
import { openImageFolder } from './imageFolder';
import { openVideo } from './videoFile';

export { FrameSourceError, type FrameSource, type FrameSourceOptions, type VideoFrame } from './frame';

/** @throws FrameSourceError if there is nothing at `pathOrDevice`, it is empty, unreadable, or holds no pictures */
export async function openFrameSource(pathOrDevice: string, options: FrameSourceOptions = {}): Promise<FrameSource> {
  const { start = 0 } = options;
  if (!(start >= 0) || !Number.isFinite(start))
    throw new FrameSourceError(pathOrDevice, `start is ${start}; it must be 0 s or later`);
  const found = await stat(pathOrDevice).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      const camera = pathOrDevice.startsWith('/dev/')
        ? 'no such camera; plug it in, or see ls /dev/video*'
        : 'no such file or folder';
      throw new FrameSourceError(pathOrDevice, camera);
    }
    throw new FrameSourceError(pathOrDevice, `cannot be read (${error.code ?? error.message}); check its permissions`);
  });
  if (found.isDirectory()) return openImageFolder(pathOrDevice, options);
  if (found.isCharacterDevice()) return openVideo(pathOrDevice, options, 'camera');
  if (!found.isFile()) throw new FrameSourceError(pathOrDevice, 'is neither a file, a folder nor a camera');
  if (found.size === 0)
    throw new FrameSourceError(pathOrDevice, 'the file is empty (0 bytes); copy or download it again');
  return openVideo(pathOrDevice, options, 'file');
}
