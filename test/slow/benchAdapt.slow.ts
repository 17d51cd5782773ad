import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AdaptReport } from '../../bench/adaptReport';
import { Program } from '../support/program';

const BENCH = 'bench/adapt.js';
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-bench-adapt-'));
const figures = join(folder, 'adapt.json');
const document = join(folder, 'benchmarks.md');
afterAll(() => rmSync(folder, { recursive: true }));

const BEGIN = '<!-- adapt:begin (npm run bench:adapt writes what is between these two marks) -->';
const QUICK = ['--rounds', '1', '--seconds', '2', '--steps', '1', '--soak', '0.3'];

test('measures depth_node beside a learner, a step and a looped drive, and writes the table', async () => {
  writeFileSync(document, `# Benchmarks\n\n${BEGIN}\nfrom yesterday\n<!-- adapt:end -->\n\nThe end.\n`);
  const bench = new Program(BENCH, [...QUICK, '--json', figures, '--table', document]);
  const { code, errors } = await bench.ended;
  expect({ code, errors }).toEqual({ code: 0, errors: expect.stringContaining('wrote') as unknown });
  expect(bench.processes()).toEqual([]);

  const report = JSON.parse(readFileSync(figures, 'utf8')) as AdaptReport;
  const { alone, learning, frozen_encoder: frozen, trained_encoder: trained, soak } = report;
  for (const { latency_ms: latency, fps, depths_per_image: share } of [alone, learning]) {
    expect(latency.p95).toBeGreaterThanOrEqual(latency.p50);
    expect(fps).toBeGreaterThan(0.5);
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThanOrEqual(1);
  }
  expect(learning.steps_per_s[0]).toBeGreaterThan(0);
  for (const { step_ms: step } of [frozen, trained]) expect(step).toBeGreaterThan(1);
  expect(soak!.rss_mib.adaptation_node.quarters).toHaveLength(4);
  expect(soak!.steps).toBeGreaterThan(0);
  expect(soak!.folder_mib[1]).toBeGreaterThan(1);
  expect(soak!.longest_gap_ms).toBeGreaterThan(1);

  const text = readFileSync(document, 'utf8');
  expect(text).not.toContain('from yesterday');
  expect(text).toMatch(/The end\.\n$/);
  const cells = text.split('\n').find((line) => line.startsWith('| latency p95 there'))!;
  const shown = cells.split('|').slice(2, 5).map(Number);
  const ratio = learning.latency_ms.p95 / alone.latency_ms.p95;
  expect(shown).toEqual([
    Number(alone.latency_ms.p95.toFixed(1)),
    Number(learning.latency_ms.p95.toFixed(1)),
    Number(ratio.toFixed(2)),
  ]);
}, 600_000);

test('says what is missing', async () => {
  const bench = new Program(BENCH, []);
  expect(await bench.ended).toMatchObject({ code: 1, errors: expect.stringContaining('--json FILE') as unknown });
});
