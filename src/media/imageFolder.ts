/** A folder of pictures in order of their names, as a stream of frames. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import sharp from 'sharp';
import { parse } from 'yaml';
import { FrameSourceError, type FrameSource, type FrameSourceOptions, type VideoFrame } from './frame';

const PICTURE = /\.(jpe?g|png)$/i;
const DEFAULT_RATE = 10;

/** The folder's picture files in the order of the numbers in their names (2.png before 10.png), as full paths. */
export async function listPictures(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => PICTURE.test(name));
  names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return names.map((name) => join(folder, name));
}

/**
 * Decodes a picture of any kind (grey, alpha, 16 bits) to rgb8 in a buffer of its own.
 * @param picture its path, or its bytes
 * @param name what it is called in errors, where it is not a path
 */
export async function readPicture(
  picture: string | Uint8Array,
  name = String(picture),
): Promise<{ width: number; height: number; data: Uint8Array }> {
  try {
    const decoded = sharp(picture).removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' });
    const { data, info } = await decoded.toBuffer({ resolveWithObject: true });
    const own = new Uint8Array(data.length);
    own.set(data);
    return { width: info.width, height: info.height, data: own };
  } catch (error) {
    throw new FrameSourceError(
      name,
      `not a picture that can be read (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}

async function frameRate(folder: string, option?: number): Promise<number> {
  if (option !== undefined) {
    if (!(option > 0)) throw new FrameSourceError(folder, `framesPerSecond is ${option}; it must be above 0`);
    return option;
  }
  for (const path of [join(folder, 'calib.yaml'), join(dirname(folder), 'calib.yaml')]) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const fps = (parse(text) as { fps?: unknown } | null)?.fps;
    if (fps === undefined) continue;
    if (typeof fps !== 'number' || !(fps > 0))
      throw new FrameSourceError(path, `fps is ${String(fps)}; it must be a number above 0`);
    return fps;
  }
  return DEFAULT_RATE;
}

/** Opens a folder of .jpg and .png files, or a dataset folder whose pictures are in image/; see openFrameSource. */
export async function openImageFolder(folder: string, options: FrameSourceOptions): Promise<FrameSource> {
  let paths = await listPictures(folder);
  if (paths.length === 0) {
    folder = join(folder, 'image');
    paths = await listPictures(folder).catch(() => []);
  }
  if (paths.length === 0)
    throw new FrameSourceError(dirname(folder), `no .jpg or .png in it, nor in ${basename(folder)}/`);
  const framesPerSecond = await frameRate(folder, options.framesPerSecond);
  const first = Math.round((options.start ?? 0) * framesPerSecond);
  if (first >= paths.length) {
    throw new FrameSourceError(
      folder,
      `start = ${options.start} s is after the last of ${paths.length} pictures at ${framesPerSecond}/s`,
    );
  }
  const { width, height } = await readPicture(paths[first]);
  let closed = false;

  async function* frames(): AsyncGenerator<VideoFrame> {
    for (let index = 0, at = first; !closed; index++, at++) {
      if (at === paths.length) {
        if (!options.loop) return;
        at = first;
      }
      yield { index, timestampSeconds: index / framesPerSecond, ...(await readPicture(paths[at])) };
    }
  }

  return {
    width,
    height,
    framesPerSecond,
    frameCount: paths.length,
    frames,
    close: async () => {
      closed = true;
    },
  };
}
