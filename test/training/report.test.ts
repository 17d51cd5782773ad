/** The report of a run that the trainer made, read as a browser would: one file, nothing fetched. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { BatchesInTurn } from '../../src/training/batches/batchSource';
import { SyntheticBatches } from '../../src/training/batches/synthetic';
import { DEFAULT_SYNTHETIC_SET, openSyntheticSet } from '../../src/training/datasets/syntheticSet';
import { createNetwork } from '../../src/training/networks';
import { Random } from '../../src/training/random';
import { readRecipe } from '../../src/training/recipe';
import { figuresOf } from '../../src/training/report/curves';
import { writeReport } from '../../src/training/report/report';
import { LOG_FILE, readLog, RECIPE_FILE } from '../../src/training/runFolder';
import { train } from '../../src/training/trainer';
import { Validator } from '../../src/training/validation';

const stage = (name: string, steps: number): string => `
  - name: ${name}
    steps: ${steps}
    height: 32
    width: 64
    batch_size: 2
    learning_rate: 1.0e-4
    mix: { synthetic: 1 }
    losses: { depth_truth: 1, gradient_truth: 1 }`;

const RECIPE = `
name: reported
description: depth < 80 m & "more"
network: { encoder: lite0, pretrained: false, height: 32, width: 64 }
data: { synthetic_samples: 50 }
validation: { every: 2, samples: 2 }
stages:${stage('first', 3)}${stage('second', 2)}
log_every: 1
images_every: 1000
`;

let folder: string;
let page: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-report-'));
  const path = join(folder, RECIPE_FILE);
  writeFileSync(path, RECIPE);
  const recipe = readRecipe(path);
  const key = { ...DEFAULT_SYNTHETIC_SET, height: 32, width: 64, seed: 9 };
  const scenes = await openSyntheticSet(50, folder, key, 0);
  const [random, other] = [new Random(0), new Random(0)];
  const batches = new BatchesInTurn(recipe, { synthetic: new SyntheticBatches(scenes, random) }, random);
  const validator = new Validator(recipe, new SyntheticBatches(scenes, other), other);
  const network = createNetwork(recipe.network, { seed: 3 });
  await train(recipe, network, batches, { out: folder, validator, quiet: true });
  page = readFileSync(writeReport(folder), 'utf8');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Elements that need no closing tag in HTML. */
const VOID = new Set(['meta', 'img', 'br']);

test('every element is closed in its turn', () => {
  const open: string[] = [];
  // What is between style tags is no markup.
  const markup = page.replace(/<style[^>]*>[^]*?<\/style>/g, '');
  for (const [, slash, name, selfClosed] of markup.matchAll(/<(\/?)([a-zA-Z][\w:-]*)(?:"[^"]*"|[^">])*?(\/?)>/g)) {
    if (slash) expect(open.pop()).toBe(name);
    else if (!selfClosed && !VOID.has(name)) open.push(name);
  }
  expect(open).toEqual([]);
  expect(page.startsWith('<!DOCTYPE html>')).toBe(true);
});

test('nothing is fetched and nothing runs', () => {
  expect(page).not.toMatch(/https?:|<script|<link|<iframe|@import|url\((?!#)/i);
  for (const [, target] of page.matchAll(/(?:src|href)="([^"]*)"/g))
    expect(target).toMatch(/^(data:image\/png;base64,|#)/);
});

test('there is a curve for every figure of the log, drawn through its values', () => {
  const figures = figuresOf(readLog(join(folder, LOG_FILE)));
  expect(figures.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'loss',
      'depth_truth',
      'depth_truth/log_error',
      'gradient_norm',
      'learning_rate',
      'memory/rss_mib',
    ]),
  );
  const loss = figures.find(({ name }) => name === 'loss')!;
  expect([...loss.lines.keys()]).toEqual(['synthetic', 'validation']);
  expect(loss.lines.get('synthetic')!.map(([step]) => step)).toEqual([1, 2, 3, 4, 5]);
  expect(loss.lines.get('validation')!.map(([step]) => step)).toEqual([2, 4, 5]);
  const drawings = page.match(/<svg[^]*?<\/svg>/g)!;
  expect(drawings).toHaveLength(figures.length);
  const lossDrawing = drawings.find((svg) => />loss<\/text>/.test(svg))!;
  // A line of five points is a path that moves once and goes on; validation has a symbol at each of its points.
  expect(lossDrawing).toMatch(/<path d="M[\d.]+ [\d.]+(L| [\d.-]|C)/);
  expect(lossDrawing).toContain('validation');
});

test('holds the depth maps, the table of figures, the recipe and the versions', async () => {
  const pictures = [...page.matchAll(/<img[^>]*base64,([^"]*)"/g)].map(([, base64]) => Buffer.from(base64, 'base64'));
  expect(pictures.length).toBeGreaterThanOrEqual(2); // the first and the last validation at least
  for (const picture of pictures) {
    const { format, width, height } = await sharp(picture).metadata();
    expect({ format, width }).toEqual({ format: 'png', width: 3 * 64 + 2 * 4 });
    expect(height).toBeGreaterThan(2 * 32);
  }
  expect(page).toContain('depth_truth/log_error (decides)');
  expect(page).toMatch(/steps<\/td><td class="number">5 of 5</);
  expect(page).toContain('depth &lt; 80 m &amp; &quot;more&quot;');
  expect(page).toContain('batch_size: 2');
  expect(page).toMatch(/TensorFlow<\/td><td class="number">\d+\.\d+/);
});

test('a folder that is no run is named', () => {
  expect(() => writeReport(join(folder, 'tensorboard'))).toThrow(
    /tensorboard is no run folder: it has no recipe\.yaml/,
  );
});
