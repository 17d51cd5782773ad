/** What the dashboard's page knows of the view and the metres of depth by what depth_node says of itself: a distorted camera, a scale that is fixed. */
import type { Browser, Page } from 'puppeteer-core';
import { findBrowser, openBrowser } from '../../bench/headlessBrowser';
import { DashboardRig, DEPTH, eventually } from '../support/dashboard';
import { IMAGE, INFO } from '../support/depthNode';
import { PATIENCE } from '../support/ros';

const TEST_MS = 180_000 * PATIENCE;
const LENS = [-0.3, 0.1, 0, 0, 0];

const rig = new DashboardRig();
let browser: Browser | undefined;
let page: Page;
let reason = '';

beforeAll(async () => {
  const found = await findBrowser();
  if ('missing' in found) {
    reason = found.missing;
    process.stderr.write(`dashboardView: skipped: ${reason}\n`);
    return;
  }
  const fixed = ['-p', 'scale_source:=fixed', '-p', 'fixed_scale:=1.5'];
  await rig.startDashboard([`${IMAGE}=Image:pub`, `${INFO}=CameraInfo:pub`, `${DEPTH}=Image:sub`], [], fixed);
  browser = await openBrowser(found, { width: 1500, height: 950 });
  page = await browser.newPage();
  await page.goto(rig.url);
  await page.evaluate(`document.querySelector('#trajectory').style.display = 'none'`);
}, TEST_MS);

afterAll(async () => {
  await browser?.close();
  await rig.stop();
});

/** How many points of the cloud have the colours of the depth panel's map, which is coloured (turbo); the camera's picture is not of those. */
const inMapColours = (): Promise<number> =>
  page.evaluate(`(() => {
    const { cloud } = globalThis.dashboard.latest;
    if (!cloud) return -1;
    return import('/colourMaps.js').then(({ COLOUR_MAPS }) => {
      const map = new Set(Array.from(COLOUR_MAPS.turbo, (colour) => colour & 0xffffff));
      let count = 0;
      for (let i = 0; i < cloud.points; i++) {
        const [r, g, b] = cloud.colours.subarray(3 * i, 3 * i + 3);
        if (map.has(r | (g << 8) | (b << 16))) count++;
      }
      return count / cloud.points;
    });
  })()`) as Promise<number>;

const title = (): Promise<string> =>
  page.$eval('#cloudColour', (element) => (element as unknown as { title: string }).title);

test(
  'the cloud has the colours of the camera where depth is of its view, else those of the map, and says why',
  async () => {
    if (reason !== '') return;
    await page.select('#colours', 'turbo');
    await rig.stream(10);
    let share = -1;
    await eventually(
      async () => (await title()) === '' && (share = await inMapColours()) >= 0 && share < 0.1,
      () => `${share} of the points in the map's colours`,
    );
    await rig.peer.command('stop_stream');
    await rig.stream(10, LENS);
    await eventually(
      async () => /depth is of the rectified view/.test(await title()) && (share = await inMapColours()) > 0.99,
      () => `${share} of the points in the map's colours`,
    );
  },
  TEST_MS,
);

test(
  'the scale and the unit are there without the trajectory, which costs depth_node the motion',
  async () => {
    if (reason !== '') return;
    const text = (selector: string): Promise<string> => page.$eval(selector, (element) => element.textContent ?? '');
    let seen = '';
    await eventually(
      async () => /^1\.500 ± 0\.015 m\/unit, fixed$/.test((seen = await text('#scale'))),
      () => `the scale; it says "${seen}"`,
    );
    await eventually(
      async () => /^[\d.]+ m$/.test((seen = await text('#depth .legend .high'))),
      () => `metres in the legend; it says "${seen}"`,
    );
    expect(await rig.subscribers('/depth_node/ego_motion')).toBe(0);
  },
  TEST_MS,
);
