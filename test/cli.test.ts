/** What the depthgrad command loads: TensorFlow, 300 MB, where it is needed and nowhere else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from './support/program';
import { rosEnvironment } from './support/ros';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-cli-'));
const list = join(folder, 'loaded');
const preload = join(folder, 'preload.js');
beforeAll(() =>
  writeFileSync(
    preload,
    `process.once('exit', () => require('fs').writeFileSync(${JSON.stringify(list)}, Object.keys(require.cache).join('\\n')));`,
  ),
);
afterAll(() => rmSync(folder, { recursive: true }));

/** Packages of node_modules that a command had loaded when it ended. */
async function packagesOf(...args: string[]): Promise<Set<string>> {
  const env = { ...rosEnvironment(), NODE_OPTIONS: `--require ${preload}` };
  const { code, errors } = await new Program('src/cli.js', args, env).ended;
  expect({ code, errors: code === 0 ? '' : errors }).toEqual({ code: 0, errors: '' });
  const files = readFileSync(list, 'utf8').split('\n');
  expect(files.some((file) => file.endsWith('dist/src/cli.js'))).toBe(true);
  return new Set(files.map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? ''));
}

const COMMANDS = ['train', 'report', 'recipes', 'export', 'evaluate', 'prepare', 'adapt', 'record', 'study', 'table'];
const HEAVY = ['@tensorflow/tfjs-core', 'node-av', 'onnxruntime-node', 'sharp', 'rclnodejs'];

test.each([[], ...COMMANDS.map((command) => [command])])('%s --help loads nothing heavy', async (...command) => {
  const packages = await packagesOf(...command, '--help');
  expect(HEAVY.filter((name) => packages.has(name))).toEqual([]);
});

test('record loads ROS and no TensorFlow, recipes TensorFlow and no ROS', async () => {
  const recording = await packagesOf('record', '--all', join(folder, 'all.mcap'), '--duration', '0.2');
  expect(HEAVY.filter((name) => recording.has(name))).toEqual(['rclnodejs']);
  const listing = await packagesOf('recipes');
  expect(listing).toContain('@tensorflow/tfjs-core');
  expect(listing).not.toContain('rclnodejs');
});
