/** A video file with the camera file of the camera that took it. */
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { readCameraFile } from '../../media/cameraFile';
import { FrameSourceError, openFrameSource } from '../../media/frameSource';
import type { RecordedFrame, Recording, RecordingLayout } from './recording';

export const VIDEO = /\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|ts|wmv)$/i;

/**
 * @param cameraFile yaml as scripts/calibrate.py writes it
 * @throws FrameSourceError when the video cannot be read or is not of the camera's size
 */
export async function openVideoRecording(path: string, cameraFile: string): Promise<Recording> {
  const camera = await readCameraFile(cameraFile);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new FrameSourceError(path, 'no such video file');
  const source = await openFrameSource(path);
  const { width, height } = camera.intrinsics;
  if (source.width !== width || source.height !== height) {
    await source.close();
    const sizes = `${source.width}x${source.height}, but ${cameraFile} is of a ${width}x${height} camera`;
    throw new FrameSourceError(path, `is ${sizes}; give the camera file of this video`);
  }

  async function* frames(): AsyncGenerator<RecordedFrame> {
    for await (const frame of source.frames()) yield { stamp: frame.timestampSeconds, image: frame.data };
  }

  return {
    name: basename(path, extname(path)),
    sources: [path],
    framesPerSecond: source.framesPerSecond,
    frameCount: source.frameCount,
    camera,
    frames,
    close: () => source.close(),
  };
}

export const videoLayout: RecordingLayout = {
  name: 'video file',
  knownBy: 'a file named .mp4, .mov, .avi, .mkv, .webm ... with a camera file given by --camera',
  async matches(path) {
    return VIDEO.test(path) && (await stat(path)).isFile();
  },
  async open(path, { cameraFile }) {
    if (cameraFile === undefined) {
      throw new FrameSourceError(path, 'a video needs a camera file (--camera); scripts/calibrate.py makes one');
    }
    return openVideoRecording(path, cameraFile);
  },
};
