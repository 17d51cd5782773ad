/** A run, measured and refused by the command a user types. Builds on dist/. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import type { DepthSummary } from '../../../src/training/evaluation/metrics';
import { tinyRecipe, trainTiny } from '../../support/tinyRun';

const [width, height] = [96, 48];
let folder: string;
let dataset: string;
let run: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-run-predictor-'));
  dataset = join(folder, 'dataset');
  for (const part of ['image', 'depth']) mkdirSync(join(dataset, part), { recursive: true });
  writeFileSync(
    join(dataset, 'calib.yaml'),
    `image_width: ${width}\nimage_height: ${height}\nfx: 90\nfy: 90\ncx: 48\ncy: 24\ndepth_scale_per_m: 1000\n`,
  );
  const depth = Uint16Array.from({ length: width * height }, (_, i) => 2000 + 20 * (i % width));
  await sharp(depth, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toFile(join(dataset, 'depth', '0.png'));
  await sharp({ create: { width, height, channels: 3, background: 'teal' } })
    .jpeg()
    .toFile(join(dataset, 'image', '0.jpg'));
  run = join(folder, 'run');
  const network = '{ kind: sfmlearner, width_factor: 0.25, height: 32, width: 64 }';
  const losses = '{ explained_photometric: 1, second_order_smoothness: 0.5, mask_regulariser: 0.2 }';
  await trainTiny(tinyRecipe(run, { network, losses, steps: 2 }), run);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function depthgrad(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('node', ['dist/src/cli.js', ...args], {
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
}

test('evaluate --run measures it against a dataset’s depth', () => {
  const args = ['evaluate', '--run', run, '--dataset', dataset, '--crop', 'none', '--format', 'json'];
  const { status, stdout, stderr } = depthgrad(...args);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const summary = JSON.parse(stdout) as DepthSummary;
  expect(summary.frames).toBe(1);
  // Median scaling leaves an untrained, almost flat map little error on a wall of 2 to 3.9 m, and never none.
  expect(summary.abs_rel).toBeGreaterThan(0.01);
  expect(summary.abs_rel).toBeLessThan(0.4);
  // The head's disparity starts in the middle of 0.01 .. 10.01, a depth of 0.2 m.
  expect(summary.scale_mean).toBeGreaterThan(10);
  expect(summary.scale_mean).toBeLessThan(20);
});

test('a checkpoint that is not there and a choice of two models are named', () => {
  const best = depthgrad('evaluate', '--run', run, '--best', '--dataset', dataset);
  expect(best.status).toBe(1);
  expect(best.stderr).toMatch(/run has no best\.safetensors: no validation chose one/);
  const both = depthgrad('evaluate', '--run', run, '--baseline', 'constant', '--dataset', dataset);
  expect(both.stderr).toMatch(/one of --model FILE, --run DIR and --baseline NAME/);
});
