import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { PLOT_HEIGHT, PLOT_WIDTH, writeTrajectoryPlot, type PlottedPath } from '../../src/media/trajectoryPlot';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-plot-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Point = readonly [number, number];

/** Middle of all pixels of about this colour. */
async function centre(
  file: string,
  [r, g, b]: readonly [number, number, number],
): Promise<{ x: number; y: number; pixels: number }> {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  let [x, y, pixels] = [0, 0, 0];
  for (let i = 0; i < info.width * info.height; i++) {
    if (Math.abs(data[3 * i] - r) + Math.abs(data[3 * i + 1] - g) + Math.abs(data[3 * i + 2] - b) > 12) continue;
    x += i % info.width;
    y += Math.floor(i / info.width);
    pixels++;
  }
  return { x: x / pixels, y: y / pixels, pixels };
}

const TITLE = { title: 'a drive', subtitle: 'in metres' };
const path = (...points: Point[]): PlottedPath => ({ name: 'camera', color: '#832681', points });

const START = [0xfc, 0x89, 0x61] as const;
const END = [0x1d, 0x11, 0x47] as const;

test('ahead is up, right is right, and both axes have one scale', async () => {
  const ahead = join(folder, 'ahead.png');
  const right = join(folder, 'right.png');
  await writeTrajectoryPlot(ahead, [path([0, 0], [0, 7])], TITLE);
  await writeTrajectoryPlot(right, [path([0, 0], [7, 0])], TITLE);
  expect(await sharp(ahead).metadata()).toMatchObject({ width: PLOT_WIDTH, height: PLOT_HEIGHT });

  const up = { start: await centre(ahead, START), end: await centre(ahead, END) };
  expect(up.start.pixels).toBeGreaterThan(30);
  expect(up.end.x).toBeCloseTo(up.start.x, 0);
  const rightwards = { start: await centre(right, START), end: await centre(right, END) };
  expect(rightwards.end.y).toBeCloseTo(rightwards.start.y, 0);
  const lengthUp = up.start.y - up.end.y;
  const lengthRight = rightwards.end.x - rightwards.start.x;
  expect(lengthUp).toBeGreaterThan(300);
  expect(Math.abs(lengthUp / lengthRight - 1)).toBeLessThan(0.02);
});

test.each<[string, readonly Point[]]>([
  ['no motion at all', []],
  [
    'a camera that stands still',
    [
      [0, 0],
      [0, 0],
    ],
  ],
  [
    'a path with holes',
    [
      [0, 0],
      [NaN, 1],
      [1e-6, 2e-6],
    ],
  ],
  ['a long drive', Array.from({ length: 20_000 }, (_, i) => [1e4 * Math.sin(i / 3000), 3 * i])],
])('%s is drawn too', async (name, points) => {
  const file = join(folder, `${name}.png`);
  await writeTrajectoryPlot(file, [path(...points)], { ...TITLE, title: name });
  expect(await sharp(file).metadata()).toMatchObject({ width: PLOT_WIDTH, height: PLOT_HEIGHT });
});

test('two paths share one scale, each in its colour, and a legend names them', async () => {
  const file = join(folder, 'two.png');
  const truth: PlottedPath = { ...path([0, 0], [0, 5]), name: 'true', color: '#00a000' };
  const estimated: PlottedPath = { ...path([10, 0], [10, 5]), name: 'estimated', color: '#0000ff' };
  await writeTrajectoryPlot(file, [truth, estimated], TITLE);
  const left = await centre(file, [0, 0xa0, 0]);
  const right = await centre(file, [0, 0, 0xff]);
  expect(right.x - left.x).toBeGreaterThan(300);
  for (const line of [left, right]) expect(line.pixels).toBeGreaterThan(300);

  const legend = join(folder, 'legend.png');
  const corner = { left: PLOT_WIDTH - 160, top: 85, width: 115, height: 55 };
  await sharp(file).extract(corner).toFile(legend);
  expect((await centre(legend, [0, 0xa0, 0])).pixels).toBeGreaterThan(20);
  expect((await centre(legend, [0, 0, 0xff])).pixels).toBeGreaterThan(20);
});
