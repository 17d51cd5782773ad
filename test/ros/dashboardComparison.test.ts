/** A promotion as the page shows it, in a headless Chromium: the picture before and after, while a real depth_node changes its model. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { BROWSER_TEST_MS, inBrowser, startBrowser } from '../support/browser';
import { DashboardRig, DEPTH, eventually } from '../support/dashboard';
import { CAMERA, HEIGHT, IMAGE, INFO, picture, WIDTH } from '../support/depthNode';
import { Peer } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const STATUS = '/adaptation_node/status';

const rig = new DashboardRig();
let adaptation: Peer;
let browser: Browser | undefined;
let page: Page;

beforeAll(async () => {
  await rig.startDashboard([`${IMAGE}=Image:pub`, `${INFO}=CameraInfo:pub`, `${DEPTH}=Image:sub`]);
  adaptation = new Peer([`${STATUS}=AdaptationStatus:latched_pub`], { ...process.env, ROS_DOMAIN_ID: rig.domain });
  browser = await startBrowser({ width: 1500, height: 950 });
  page = await browser.newPage();
  await page.goto(rig.url);
}, BROWSER_TEST_MS);

afterAll(async () => {
  await browser?.close();
  await adaptation?.close();
  await rig.stop();
});

/** One picture again and again: what differs between before and after is the model's doing. */
async function streamOnePicture(): Promise<void> {
  const path = join(rig.folder, 'one.rgb');
  writeFileSync(path, picture(WIDTH, HEIGHT, 3));
  const { k } = CAMERA;
  const stream = { topic: IMAGE, info: INFO, depth: DEPTH, frameId: 'front_optical', rate: 10, k, path };
  await rig.peer.command('start_stream', { ...stream, width: WIDTH, height: HEIGHT });
}

/** What is drawn of each side: its caption, and the pixels of the camera and of the depth. */
function sides(): Promise<{ caption: string; canvases: number[][] }[]> {
  return page.evaluate(`[...document.querySelectorAll('#comparison figure')].map((figure) => ({
    caption: figure.querySelector('figcaption').textContent,
    canvases: [...figure.querySelectorAll('canvas')].map((canvas) =>
      Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)),
  }))`) as Promise<{ caption: string; canvases: number[][] }[]>;
}

/** Mean difference of two pictures, levels. */
function apart(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;
}

inBrowser('before and after a promotion are shown side by side, and differ by what the model says', async () => {
  await streamOnePicture();
  const text = (selector: string): Promise<string> => page.$eval(selector, (element) => element.textContent ?? '');
  let model = '';
  await eventually(
    async () => (model = await text('#model')) === 'tiny 1.2.3 (cpu)',
    () => `the first model; it says "${model}"`,
  );
  await eventually(
    async () => ((await page.evaluate('dashboard.frames')) as number) > 20,
    () => rig.dashboard.output,
  );
  expect(await sides()).toEqual([]);

  // Half as far as the first one says.
  const path = join(rig.folder, 'promoted.onnx');
  const metadata = { version: '1.2.4' };
  writeFileSync(path, tinyModel({ width: WIDTH, height: HEIGHT, metresAtWhite: 50, metadata }));
  const { ack } = (await rig.peer.command('load_model', { node: '/depth_node', path })) as { ack: object };
  expect(ack).toMatchObject({ accepted: true });
  const fields = { state: 3, promoted: 1, updates_accepted: 1, model_version: '1.2.4' };
  await adaptation.command('adaptation_status', { topic: STATUS, fields });

  let shown = await sides();
  await eventually(
    async () => (shown = await sides()).length === 2,
    () => `two sides; there are ${shown.map(({ caption }) => caption).join(' | ')}`,
  );
  const [before, after] = shown;
  expect(before.caption).toBe('before: tiny 1.2.3');
  expect(after.caption).toMatch(/^after: tiny 1\.2\.4, a frame \d+\.\d s later$/);
  expect([before.canvases.length, after.canvases.length]).toEqual([2, 2]);
  const [[cameraBefore, depthBefore], [cameraAfter, depthAfter]] = [before.canvases, after.canvases];
  expect(apart(cameraBefore, cameraAfter)).toBe(0);
  expect(new Set(depthBefore).size).toBeGreaterThan(20);
  expect(apart(depthBefore, depthAfter)).toBeGreaterThan(5);
  expect(await text('#model')).toBe('tiny 1.2.4 (cpu)');
  await eventually(
    async () => (await text('#learner')).includes('promoted1'),
    () => 'the promotion among the learner’s numbers',
  );
});
