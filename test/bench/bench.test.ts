import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchReport } from '../../bench/report';
import { Program } from '../support/program';

const BENCH = 'bench/bench.js';
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-bench-'));
const figures = join(folder, 'bench.json');
const document = join(folder, 'benchmarks.md');
afterAll(() => rmSync(folder, { recursive: true }));

const MARKS = [
  '<!-- bench:begin (npm run bench writes what is between these two marks) -->',
  '<!-- bench:end -->',
] as const;

test('a quick run measures the session, the node and the peer, and writes the table', async () => {
  writeFileSync(document, `# Benchmarks\n\n${MARKS[0]}\nold\n${MARKS[1]}\n\nThe end.\n`);
  const bench = new Program(BENCH, ['--quick', '--json', figures, '--table', document, '--soak', '4']);
  const { code, errors } = await bench.ended;
  expect({ code, errors }).toEqual({ code: 0, errors: expect.stringContaining('wrote') as unknown });
  expect(bench.processes()).toEqual([]);

  const report = JSON.parse(readFileSync(figures, 'utf8')) as BenchReport;
  for (const key of [
    'session_run_ms',
    'node_latency_ms',
    'peer_latency_ms',
    'peer_opencv_latency_ms',
    'session_run_640x480_ms',
  ] as const) {
    const { p50, p95 } = report[key];
    expect(p50).toBeGreaterThan(0.5);
    expect(p95).toBeGreaterThanOrEqual(p50);
  }
  for (const key of ['node_fps', 'peer_fps', 'peer_opencv_fps', 'node_fps_1280x720', 'peer_fps_1280x720'] as const) {
    expect(report[key]).toBeGreaterThan(0.5);
  }
  expect(report.conditions).toMatchObject({ threads: 2, rounds: 1, seconds_per_measurement: 2 });
  const soak = report.soak!;
  expect(soak.published).toBeGreaterThan(50);
  expect(soak.depths).toBeLessThanOrEqual(soak.published);
  expect(soak.dropped_share).toBeCloseTo(1 - soak.depths / soak.published, 3);
  expect(soak.rss_mib.depth_node.quarters).toHaveLength(4);
  for (const mean of soak.rss_mib.depth_node.quarters) expect(mean).toBeGreaterThan(50);
  expect(soak.rss_mib.replay_node.most).toBeGreaterThanOrEqual(Math.max(...soak.rss_mib.replay_node.quarters));

  const text = readFileSync(document, 'utf8');
  expect(text).not.toContain('old');
  expect(text).toMatch(/^# Benchmarks\n/);
  expect(text).toMatch(/The end\.\n$/);
  const { p50, p95 } = report.peer_latency_ms;
  const cells = text.split('\n').find((line) => line.startsWith('| Python peer, the same'))!;
  expect(cells.split('|').slice(2, 4).map(Number)).toEqual([p50, p95].map((value) => Number(value.toFixed(1))));
}, 300_000);

test('the table is made again from the figures alone, the same', async () => {
  const before = readFileSync(document, 'utf8');
  writeFileSync(document, before.replace('| Python peer', '| changed by hand'));
  const { code } = await new Program(BENCH, ['--from', figures, '--table', document]).ended;
  expect(code).toBe(0);
  expect(readFileSync(document, 'utf8')).toBe(before);
});

test.each([
  ['nothing to write', [], /give --json FILE, --table FILE or both/],
  [
    'a document without marks',
    ['--from', figures, '--table', join(folder, 'plain.md')],
    /plain\.md: has no table to replace/,
  ],
  ['figures that are none', ['--from', join(folder, 'plain.md'), '--table', document], /plain\.md: no figures/],
  ['a model that is not there', ['--json', join(folder, 'x.json'), '--model', 'nowhere.onnx'], /nowhere\.onnx/],
])('%s is an error that says so', async (_, args, message) => {
  writeFileSync(join(folder, 'plain.md'), '# plain\n');
  const { code, errors } = await new Program(BENCH, args).ended;
  expect(code).toBe(1);
  expect(errors).toMatch(message);
});
