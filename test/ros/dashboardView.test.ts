/** What the dashboard's page knows of the metres of depth by what depth_node says of itself. */
import type { Browser, Page } from 'puppeteer-core';
import { findBrowser, openBrowser } from '../../bench/headlessBrowser';
import { DashboardRig, DEPTH, eventually } from '../support/dashboard';
import { IMAGE, INFO } from '../support/depthNode';
import { PATIENCE } from '../support/ros';

const TEST_MS = 180_000 * PATIENCE;

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

test(
  'the scale and the unit are there without the trajectory, which costs depth_node the motion',
  async () => {
    if (reason !== '') return;
    await rig.stream(10);
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
