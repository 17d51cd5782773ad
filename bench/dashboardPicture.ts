/**
 * The page's picture in the README: a sample drive, again and again, through real nodes that adapt, in a headless Chromium.
 *
 *     scripts/run.sh dist/bench/dashboardPicture.js docs/images/dashboard.png --seconds 60 --promotion 600
 */
import { end, isEnding, onEnd } from '../src/nodes/ros/endOnSignal';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { NodeProcess, nodeCommand, stopAllNodes, type ParameterValue } from '../src/demo/nodeProcess';
import { resolveSource, type DemoSource } from '../src/demo/sources';
import { packageRoot } from '../src/paths';
import { positive } from '../src/training/flags';
import { findBrowser, openBrowser } from './headlessBrowser';

const SIZE = { width: 1600, height: 1000 };
/** From a change of the model to pictures of both sides, and a few more. */
const AFTER_PROMOTION_MS = 5000;

interface PictureOptions {
  readonly source: string;
  readonly seconds: number;
  readonly promotion?: number;
}

async function takePicture(file: string, options: PictureOptions): Promise<void> {
  const found = findBrowser();
  if ('missing' in found) throw new Error(found.missing);
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, 101)}`;
  onEnd(stopAllNodes);
  const address = await startNodes(await resolveSource(options.source));
  const browser = await openBrowser(found, SIZE);
  onEnd(() => browser.close());
  const page = await browser.newPage();
  await page.goto(address);
  await sleep(options.seconds * 1000);
  if (options.promotion !== undefined) {
    const isThere = 'globalThis.dashboard.latest.comparison?.header.after !== undefined';
    const limit = performance.now() + options.promotion * 1000;
    // waitForFunction is one call to the browser, and none may take three minutes.
    while (!(await page.evaluate(isThere))) {
      if (performance.now() > limit) throw new Error(`no new model within ${options.promotion} s`);
      await sleep(1000);
    }
    await sleep(AFTER_PROMOTION_MS);
  }
  await page.screenshot({ path: resolve(file) as `${string}.png` });
}

/** Returns the page's address, as soon as there is one. */
async function startNodes({ path, cameraFile = '', imageRows }: DemoSource): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-picture-'));
  onEnd(() => rmSync(folder, { recursive: true, force: true }));
  const parameterFile = join(packageRoot(), 'config', 'camera.yaml');
  const start = (
    name: string,
    script: string,
    parameters: Record<string, ParameterValue>,
    onLine?: (line: string) => void,
  ): void => {
    const remap = { image: '/camera/image_raw', camera_info: '/camera/camera_info' };
    const started = new NodeProcess({ name, command: nodeCommand(script), remap, parameterFile, parameters, onLine });
    void started.ended.then(() => fail(new Error(started.describeEnd())));
  };
  const rows = { image_rows: imageRows };
  start('depth_node', 'depthNode', rows);
  // Not whole: JSON writes 64.0 as 64, to ROS an integer.
  start('adaptation_node', 'adaptationNode', { ...rows, folder, buffer_megabytes: 64.5 });
  start('replay_node', 'replayNode', { source: path, camera_info: cameraFile, loop: true });
  return new Promise((resolve) => {
    // Chromium draws in software here, on the nodes' own cores: pictures a second as many as the nodes are left alone with.
    start('dashboard_node', 'dashboardNode', { ...rows, port: 0, foxglove_port: 0, max_rate: 2.001 }, (line) => {
      const address = /page of \S+: (http:\S+)/.exec(line)?.[1];
      if (address) resolve(address);
    });
  });
}

function fail(error: Error): void {
  if (isEnding()) return; // on purpose
  process.stderr.write(`dashboardPicture: ${error.message}\n`);
  void end(1);
}

new Command('dashboardPicture')
  .argument('<file>', 'PNG to write')
  .option('--source <name>', 'highway, mountain, or a recording of your own', 'mountain')
  .option('--seconds <n>', 'seconds the page is open before its picture is taken', positive, 60)
  .option(
    '--promotion <n>',
    'then wait as many seconds at most for a new model, for the picture before and after',
    positive,
  )
  .action(async (file: string, options: PictureOptions) => {
    await takePicture(file, options);
    await end(0);
  })
  .parseAsync()
  .catch(fail);
