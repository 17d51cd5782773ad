/** The dashboard's page in a headless Chromium, before a real depth_node that real images go through. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import sharp from 'sharp';
import { magma } from '../../src/media/pictures';
import { BROWSER_TEST_MS, inBrowser, startBrowser } from '../support/browser';
import { DashboardRig, DEPTH, eventually, WAIT_MS } from '../support/dashboard';
import { HEIGHT, IMAGE, INFO, picture, WIDTH } from '../support/depthNode';
import { floats, Peer, type PeerMessage } from '../support/ros';

const PANELS = ['camera', 'depth', 'gradient', 'confidence', 'trajectory', 'cloud', 'performance'];
const POINTS = '/depth_node/points';
const STATUS = '/adaptation_node/status';
const SIZE = { width: 1500, height: 950 };

/** What web/app.js offers to tests. */
interface PageState {
  readonly latest: Record<
    string,
    { header: Header; values: ArrayLike<number>; positions: ArrayLike<number>; points: number }
  >;
  readonly frames: number;
}
interface Header {
  readonly stamp: { readonly sec: number; readonly nanosec: number };
  readonly sequence: number;
}

const rig = new DashboardRig();
const downloads = mkdtempSync(join(tmpdir(), 'depthgrad-page-'));
let adaptation: Peer;
let browser: Browser | undefined;
let page: Page;
/** Whatever the page complains of, and whatever it asks other machines for. */
const complaints: string[] = [];

beforeAll(async () => {
  await rig.startDashboard([
    `${IMAGE}=Image:pub`,
    `${INFO}=CameraInfo:pub`,
    `${DEPTH}=Image:sub`,
    `${POINTS}=PointCloud2:sub`,
    '/diagnostics=DiagnosticArray:sub',
  ]);
  adaptation = new Peer([`${STATUS}=AdaptationStatus:latched_pub`], { ...process.env, ROS_DOMAIN_ID: rig.domain });
  browser = await startBrowser(SIZE);
  page = await browser.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(`${error}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(rig.url) && !/^(data|blob):/.test(request.url())) complaints.push(request.url());
  });
  await page.goto(rig.url);
}, BROWSER_TEST_MS);

afterAll(async () => {
  await browser?.close();
  await adaptation?.close();
  await rig.stop();
  rmSync(downloads, { recursive: true });
});

const text = (selector: string): Promise<string> => page.$eval(selector, (element) => element.textContent ?? '');
const look = <T>(read: (state: PageState) => T): Promise<T> =>
  page.evaluate(`(${read})(globalThis.dashboard)`) as Promise<T>;

/** What a panel's canvas shows, as rgba. */
async function pixelsOf(panel: string): Promise<Uint8Array> {
  const base64 = (await page.evaluate(`(() => {
    globalThis.dashboard.drawCloud();
    const source = document.querySelector('#${panel} .stage canvas');
    const copy = document.createElement('canvas');
    copy.width = 64;
    copy.height = 48;
    const context = copy.getContext('2d');
    context.drawImage(source, 0, 0, 64, 48);
    return btoa(String.fromCharCode(...context.getImageData(0, 0, 64, 48).data));
  })()`)) as string;
  return Buffer.from(base64, 'base64');
}

async function shows(selector: string, expected: RegExp): Promise<void> {
  let seen = '';
  await eventually(
    async () => expected.test((seen = await text(selector))),
    () => `${expected} in ${selector}; it says "${seen}"`,
  );
}

inBrowser('names the topics it waits for while nothing is published', async () => {
  await shows('#connection', /^live$/);
  await shows('#camera .waiting', new RegExp(`^waiting for ${IMAGE}: `));
  await shows('#depth .waiting', /^waiting for \/depth_node\/depth: /);
  await shows('#adaptation .waiting', /^no adaptation_node has been heard; /);
});

inBrowser('every panel shows a picture that changes', async () => {
  await rig.stream(10);
  for (const panel of PANELS) {
    const seen = new Set<string>();
    await eventually(
      async () => seen.add(Buffer.from(await pixelsOf(panel)).toString('base64')).size >= 3,
      () => `three pictures of ${panel}; there were ${seen.size}`,
    );
    await shows(`#${panel} .waiting`, /^$/);
  }
});

inBrowser(
  'paused by the space bar it stands still, costs depth_node nothing, and its numbers are those of the topics',
  async () => {
    await page.bringToFront();
    await page.keyboard.press('Space');
    await shows('#pause', /^Go on$/);
    const topics = [DEPTH, '/depth_node/gradient', '/depth_node/confidence', '/depth_node/ego_motion'];
    let subscribers: number[] = [];
    await eventually(
      async () => `${(subscribers = await Promise.all(topics.map((topic) => rig.subscribers(topic))))}` === '1,0,0,0', // the peer's own
      () => `${subscribers} subscribers of ${topics}`,
    );
    const frames = await look(({ frames }) => frames);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await look(({ frames }) => frames)).toBe(frames);

    const shown = await look(({ latest: { camera, depth, gradient, confidence, cloud } }) => ({
      stamps: [camera, depth, gradient, confidence].map(({ header: { stamp } }) => [stamp.sec, stamp.nanosec]),
      depth: Array.from(depth.values, String),
      points: cloud.points,
      positions: Array.from(cloud.positions).slice(0, 3 * cloud.points),
    }));
    for (const stamp of shown.stamps) expect(stamp).toEqual(shown.stamps[1]);
    const ofStamp = ({ stamp }: PeerMessage): boolean => `${stamp}` === `${shown.stamps[1]}`;
    const depth = floats((await rig.peer.message(DEPTH, ofStamp)).data);
    const close = (a: number, b: number): boolean => Object.is(a, b) || Math.abs(a - b) <= Math.abs(b) * 2 ** -11;
    expect(shown.depth).toHaveLength(WIDTH * HEIGHT);
    expect(shown.depth.findIndex((value, i) => !close(Number(value), depth[i]))).toBe(-1);

    // The points are those of ~/points, in three.js' axes.
    const cloud = await rig.peer.message(POINTS, ofStamp);
    const [step] = cloud.steps as [number, number];
    const published = floats(cloud.data);
    expect(shown.points).toBe(cloud.width);
    const wrong = Array.from({ length: shown.points }, (_, i) => i).filter((i) => {
      const [x, y, z] = published.subarray((i * step) / 4);
      const [right, up, back] = shown.positions.slice(3 * i, 3 * i + 3);
      const off = Math.hypot(right - x, -up - y, -back - z);
      return !(off <= 1e-3 * Math.hypot(x, y, z));
    });
    expect(wrong).toEqual([]);
    await page.keyboard.press('Space');
    await shows('#pause', /^Pause$/);
  },
);

inBrowser('the figures are those of /diagnostics, with their units', async () => {
  await rig.peer.command('stop_stream');
  const names = ['fps', 'latency_p50_ms', 'latency_p95_ms', 'dropped', 'frames_in'];
  type Status = { name: string; values: Record<string, string> };
  let shown: string[] = [];
  let said: string[][] = [];
  await eventually(
    async () => {
      shown = await Promise.all(names.map((name) => text(`[data-number=${name}]`)));
      said = rig.peer
        .received('/diagnostics')
        .flatMap(({ status }) =>
          (status as Status[])
            .filter(({ name }) => name === '/depth_node: Inference')
            .map(({ values }) => [
              `${values.fps} depths/s`,
              `${values.latency_p50_ms} ms`,
              `${values.latency_p95_ms} ms`,
              values.dropped,
              values.frames_in,
            ]),
        );
      return said.slice(-3).some((one) => `${one}` === `${shown}`);
    },
    () => `${shown} shown; said were ${said.slice(-3).join(' | ')}`,
  );
  expect(Number(shown[4])).toBeGreaterThan(10);
  expect(await text('#model')).toMatch(/^tiny 1\.2\.3 \(cpu\)$/);
  expect(await text('#scale')).toBe('unknown');
});

inBrowser('curves begin anew where time goes back, as with the clock of a bag that is played in a loop', async () => {
  // The page's own class, drawing beside the page: what is shown after a turn of the loop is what a page opened since then shows.
  const [turned, fresh] = (await page.evaluate(`import('/figures.js').then(({ Figures }) => {
    const shown = (stamps) => {
      const canvas = document.createElement('canvas');
      canvas.style = 'position: fixed; width: 400px; height: 300px';
      document.body.append(canvas);
      const panel = { canvas, note: {}, waiting: {} };
      const figures = new Figures(panel);
      for (const [i, stamp] of stamps.entries()) {
        const values = { fps: 10 + (stamp % 7), latency_p50_ms: 20 + (stamp % 5), latency_p95_ms: 40, frames_in: 10 * i, dropped: 0 };
        figures.show({ depthName: '/d', diagnostics: [{ name: '/d: Inference', level: 0, message: '', stamp, values }] });
      }
      const picture = canvas.toDataURL();
      canvas.remove();
      return { note: panel.note.textContent, picture };
    };
    const from = (first, count) => Array.from({ length: count }, (_, i) => first + i);
    const turn = from(1000, 60);
    return [shown([...turn, ...turn, ...from(1010, 30)]), shown(from(1010, 30))];
  })`)) as { note: string; picture: string }[];
  expect(fresh.note).toBe('last 29 s');
  expect(turned.note).toBe(fresh.note);
  expect(turned.picture === fresh.picture).toBe(true);
});

inBrowser('says which topics have fallen silent', async () => {
  await shows('#camera .waiting', new RegExp(`^silent ${IMAGE}: nothing comes$`));
  await shows('#depth .waiting', /^silent \/depth_node\/depth: nothing comes$/);
  await shows('#diagnostics', /(?<!: )Inference: no images arrive/);
});

inBrowser('shows what the adaptation is at, against the frozen model', async () => {
  const errors = {
    place_error_reference: 0.05,
    place_error_published: 0.04,
    source_error_reference: 0.02,
    source_error_published: 0.021,
  };
  const nothingYet = { place_error_candidate: NaN, source_error_candidate: NaN };
  const fields = {
    ...errors,
    state: 4,
    step: 123,
    step_ms: 456,
    promoted: 2,
    rolled_back: 1,
    updates_accepted: 2,
    buffer_bytes: 3 << 20,
    buffer_limit_bytes: 256 << 20,
  };
  await adaptation.command('adaptation_status', { topic: STATUS, fields: { ...fields, ...nothingYet } });
  await shows('#adaptation .note', /^candidate$/);
  await shows(
    '#learner',
    /step123step takes456 mspromoted2rolled back1refused0taken by depth_node2replay buffer3 of 256 MiB/,
  );
  expect(await text('#errors tbody')).toBe('this place0.05000.0400-20.0 %–source drives0.02000.0210+5.0 %–');
});

inBrowser('colours the maps as asked, magma as the pictures of the demo', async () => {
  await rig.stream(10);
  await page.select('#colours', 'grey');
  await eventually(
    async () => {
      const pixels = await pixelsOf('depth');
      return pixels.every((value, i) => i % 4 === 3 || Math.abs(value - pixels[i - (i % 4)]) <= 1);
    },
    () => 'the depth in grey',
  );
  // The only colour among points in grey: the outline of the camera they are seen from.
  await page.select('#cloudColour', 'depth');
  await eventually(
    async () =>
      (await page.evaluate(`(() => {
        globalThis.dashboard.drawCloud();
        const source = document.querySelector('#cloud .stage canvas');
        const copy = document.createElement('canvas');
        [copy.width, copy.height] = [source.width, source.height];
        const context = copy.getContext('2d');
        context.drawImage(source, 0, 0);
        const { data } = context.getImageData(0, 0, copy.width, copy.height);
        let count = 0;
        for (let i = 0; i < data.length; i += 4) if (data[i + 1] - data[i] > 60) count++;
        return count > 50;
      })()`)) as boolean,
    () => 'the outline of the camera',
  );
  await page.select('#cloudColour', 'camera');
  await page.select('#colours', 'turbo');
  await eventually(
    async () => {
      const pixels = await pixelsOf('depth');
      return pixels.some((value, i) => i % 4 === 0 && Math.abs(value - pixels[i + 2]) > 60);
    },
    () => 'the depth in colours',
  );
  const table = (await page.evaluate(
    `import('/colourMaps.js').then(({ COLOUR_MAPS }) => Array.from(COLOUR_MAPS.magma))`,
  )) as number[];
  for (const [i, colour] of table.entries()) {
    expect([colour & 255, (colour >> 8) & 255, (colour >> 16) & 255]).toEqual([...magma(i / 255)]);
  }
});

inBrowser('the camera is what was published', async () => {
  const own = Array.from({ length: 8 }, (_, seed) => picture(WIDTH, HEIGHT, seed));
  const mean = (values: ArrayLike<number>, step: number): number[] =>
    [0, 1, 2].map((c) => {
      let sum = 0;
      for (let i = c; i < values.length; i += step) sum += values[i];
      return sum / (values.length / step);
    });
  const shown = mean(await pixelsOf('camera'), 4);
  const distances = own.map((pixels) => Math.max(...mean(pixels, 3).map((value, c) => Math.abs(value - shown[c]))));
  expect(Math.min(...distances)).toBeLessThan(4);
});

inBrowser('a screenshot holds every panel', async () => {
  const session = await page.createCDPSession();
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads });
  await page.click('#screenshot');
  const files = (): string[] => readdirSync(downloads).filter((name) => name.endsWith('.png'));
  await eventually(
    () => files().length === 1,
    () => readdirSync(downloads).join(),
  );
  const file = join(downloads, files()[0]);
  expect(files()[0]).toMatch(/^depthgrad-\d{4}-\d\d-\d\dT[\d-]+Z\.png$/);
  const image = sharp(readFileSync(file));
  expect(await image.metadata()).toMatchObject({ format: 'png', ...SIZE });
  for (const panel of PANELS) {
    const box = (await page.$eval(`#${panel} .stage`, (element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      return { left, top, width, height };
    })) as { left: number; top: number; width: number; height: number };
    const [left, top, width, height] = [box.left, box.top, box.width, box.height].map(Math.floor);
    const { channels } = await sharp(file).extract({ left, top, width, height }).stats();
    expect({ panel, deviation: Math.max(...channels.map(({ stdev }) => stdev)) }).toEqual({
      panel,
      deviation: expect.any(Number) as unknown,
    });
    expect(Math.max(...channels.map(({ stdev }) => stdev))).toBeGreaterThan(3);
  }
  // Words, too: the header has light ones on a dark ground.
  const header = await sharp(file).extract({ left: 0, top: 0, width: 300, height: 50 }).stats();
  expect(header.channels[1].max).toBeGreaterThan(200);
});

inBrowser('finds its node again when that was started anew', async () => {
  const { port } = new URL(rig.url);
  await rig.dashboard.kill();
  await shows('#connection', /^connection lost/);
  await rig.runDashboard(['-p', `port:=${port}`, '-p', 'foxglove_port:=0']);
  await shows('#connection', /^live$/);
  const before = await look(({ latest }) => latest.depth.header.stamp.sec);
  await eventually(
    async () => (await look(({ latest }) => latest.depth.header.stamp.sec)) > before,
    () => 'a newer depth',
    WAIT_MS,
  );
});

inBrowser('asked no other machine for anything, and had nothing to complain of', async () => {
  // Chromium notes that the connection was lost in the test before.
  expect(complaints.filter((complaint) => !/WebSocket connection to/.test(complaint))).toEqual([]);
});
