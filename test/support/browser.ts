/** Tests in a headless Chromium; where there is none they are skipped, and say why. */
import type { Browser } from 'puppeteer-core';
import { findBrowser, openBrowser } from '../../bench/headlessBrowser';
import { PATIENCE } from './ros';

export const BROWSER_TEST_MS = 180_000 * PATIENCE;

const found = findBrowser();
if ('missing' in found) process.stderr.write(`tests of the page are skipped: ${found.missing}\n`);

/** A test that needs it. Hooks of a file in which all are skipped do not run. */
export function inBrowser(name: string, run: () => Promise<void>): void {
  ('missing' in found ? test.skip : test)(name, run, BROWSER_TEST_MS);
}

export function startBrowser(size: { readonly width: number; readonly height: number }): Promise<Browser> {
  if ('missing' in found) throw new Error(found.missing);
  return openBrowser(found, size);
}
