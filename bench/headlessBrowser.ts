/** A Chromium without a window, for the tests and pictures of the dashboard's page: the machine's own, else the one of an npm package. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { launch, type Browser } from 'puppeteer-core';
import { packageRoot } from '../src/paths';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** No sandbox, since tests run as root; three.js draws in software. */
const FLAGS = [
  '--no-sandbox',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--hide-scrollbars',
];

export interface FoundBrowser {
  readonly path: string;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * The program that DEPTHGRAD_BROWSER names, else one of the PATH, else that of @sparticuz/chromium; or why there is none. At once, since tests are chosen
 * while their file is read.
 */
export function findBrowser(): FoundBrowser | { readonly missing: string } {
  const named = process.env.DEPTHGRAD_BROWSER;
  if (named && !existsSync(named)) return { missing: `DEPTHGRAD_BROWSER: no file ${named}` };
  const folders = (process.env.PATH ?? '').split(delimiter);
  const installed = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const path = [...(named ? [named] : []), ...installed].find((file) => existsSync(file));
  let missing = 'no Chromium in PATH';
  try {
    for (const found of path === undefined ? unpackBrowser() : [{ path, environment: process.env }]) {
      try {
        execFileSync(found.path, ['--version'], { env: found.environment, stdio: 'pipe' });
        return found;
      } catch (error) {
        missing = `${found.path} does not start: ${(error as Error).message.trim().split('\n').at(-1)}`;
      }
    }
  } catch (error) {
    missing += `, and none of @sparticuz/chromium: ${(error as Error).message.split('\n')[0]}`;
  }
  return { missing };
}

/** Opens it with a window of this size */
export async function openBrowser(
  { path, environment }: FoundBrowser,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<Browser> {
  return launch({
    executablePath: path,
    args: FLAGS,
    env: environment as Record<string, string>,
    defaultViewport: { width, height },
  });
}

/**
 * The package unpacks itself, into the temporary folder. A bare machine has no libnss3; the package has one, which it takes out of its archive where it
 * believes to be in Amazon's cloud. Once as the machine is, once with that.
 */
function unpackBrowser(): FoundBrowser[] {
  const script =
    "import('@sparticuz/chromium').then(async ({ default: chromium }) => process.stdout.write(await chromium.executablePath()))";
  const env = { ...process.env, AWS_LAMBDA_JS_RUNTIME: 'nodejs20.x' };
  const path = execFileSync(process.execPath, ['-e', script], { cwd: packageRoot(), env, stdio: 'pipe' }).toString();
  const libraries = join(dirname(path), 'al2023', 'lib');
  return [process.env.LD_LIBRARY_PATH, libraries].map((LD_LIBRARY_PATH) => ({
    path,
    environment: { ...process.env, LD_LIBRARY_PATH, FONTCONFIG_PATH: join(dirname(path), 'fonts') },
  }));
}
