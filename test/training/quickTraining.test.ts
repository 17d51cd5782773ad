/** The training package end to end as a user runs it: train, export, evaluate, on the real drive. About three minutes. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sampleDriveFolder } from '../../src/paths';

interface HeldOut {
  warped_error: number;
  unwarped_error: number;
  gradient_correlation: number;
  depth_variation: number;
  at_limits_share: number;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-quick-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function depthgrad(...args: string[]): string {
  return execFileSync('node', ['dist/src/cli.js', ...args], {
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function heldOut(model: string): HeldOut {
  const json = depthgrad(
    'evaluate',
    '--model',
    model,
    '--heldout',
    'challenge03.mp4',
    '--every',
    '12',
    '--format',
    'json',
  );
  return JSON.parse(json) as HeldOut;
}

test('a two-minute training run lowers the photometric error on frames it never saw, and its depth is no blank map', () => {
  expect(existsSync(join(sampleDriveFolder(), 'test_videos', 'challenge03.mp4'))).toBe(true);
  const run = join(folder, 'run');
  const before = join(folder, 'before.onnx');
  const after = join(folder, 'after.onnx');
  depthgrad('train', 'config/recipes/quick.yaml', '--out', run, '--max-minutes', '0.001');
  depthgrad('export', run, '--out', before);
  depthgrad('train', 'config/recipes/quick.yaml', '--out', run, '--max-minutes', '2');
  depthgrad('export', run, '--out', after);
  const [start, end] = [heldOut(before), heldOut(after)];
  console.log(`held-out photometric error ${start.warped_error.toFixed(4)} -> ${end.warped_error.toFixed(4)}`);
  expect(end.warped_error).toBeLessThan(0.97 * start.warped_error);
  expect(end.gradient_correlation).toBeGreaterThan(0.5);
  // No blank map: on a road the near and the far are a factor of many apart.
  expect(end.depth_variation).toBeGreaterThan(0.3);
  expect(end.at_limits_share).toBeLessThan(0.3);
}, 600_000);
