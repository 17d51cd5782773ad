import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EncoderReport } from '../../bench/encoderTable';
import { encoders } from '../../src/model/encoders';
import { Program } from '../support/program';

const BENCH = 'bench/encoders.js';
const folder = mkdtempSync(join(tmpdir(), 'depthgrad-encoders-'));
const figures = join(folder, 'encoders.json');
const document = join(folder, 'benchmarks.md');
const recipe = join(folder, 'tiny.yaml');
const small = ['--json', figures, '--work', join(folder, 'work'), '--rounds', '1', '--seconds', '0.2'];
afterAll(() => rmSync(folder, { recursive: true }));

const MARKS = [
  '<!-- encoders:begin (npm run bench:encoders writes what is between these two marks) -->',
  '<!-- encoders:end -->',
] as const;

function report(): EncoderReport {
  return JSON.parse(readFileSync(figures, 'utf8')) as EncoderReport;
}

test('every encoder is trained by the same steps, exported, measured and tabled', async () => {
  const text = readFileSync('config/recipes/encoder_table.yaml', 'utf8');
  const tiny = text.replace(/height: 64\b/, 'height: 32').replace(/width: 224/, 'width: 64');
  writeFileSync(recipe, tiny.replace('synthetic_samples: 3000', 'synthetic_samples: 50'));
  writeFileSync(document, `# Benchmarks\n\n${MARKS[0]}\nold\n${MARKS[1]}\n\nThe end.\n`);
  const options = ['--recipe', recipe, '--steps', '2', '--held-out', '3', '--table', document];
  const { code, errors } = await new Program(BENCH, [...small, ...options]).ended;
  expect({ code, errors }).toEqual({ code: 0, errors: expect.stringContaining('wrote') as unknown });

  const { training, rows, held_out: heldOut } = report();
  expect(training).toMatchObject({ steps: 2, height: 32, width: 64, batch_size: 4, samples: 50 });
  expect(heldOut).toEqual({ seed: 2, samples: 3 });
  expect(rows.map(({ encoder, imagenet }) => `${encoder} ${imagenet}`)).toEqual([
    'lite0 true',
    ...Object.keys(encoders).map((encoder) => `${encoder} false`),
  ]);
  for (const row of rows) {
    expect(row.parameters).toBeGreaterThan(1e6);
    expect(row.file_bytes).toBeGreaterThan(4 * row.parameters);
    // Two steps move nothing far from the 10 m every depth head starts with.
    expect(row.synthetic_log_error).toBeGreaterThan(0.3);
    expect(row.synthetic_log_error).toBeLessThan(2);
    for (const { p50, p95 } of Object.values(row.session_run_ms)) {
      expect(p50).toBeGreaterThan(0.5);
      expect(p95).toBeGreaterThanOrEqual(p50);
    }
    if (row.kitti) expect(row.kitti).toMatchObject({ frames: 78, abs_rel: expect.any(Number) as unknown });
  }
  const [imagenet, random] = rows;
  expect(imagenet.parameters).toBe(random.parameters);
  expect(imagenet.synthetic_log_error).not.toBe(random.synthetic_log_error);

  const written = readFileSync(document, 'utf8');
  expect(written).not.toContain('old');
  expect(written).toMatch(/^# Benchmarks\n[^]*The end\.\n$/);
  expect(written).toMatch(/\| \*\*lite0\*\* \(default\) +\| ImageNet \|/);
  expect(written).toContain(`| ${rows[2].synthetic_log_error.toFixed(3)} `);
}, 300_000);

test('--only-times measures the times again and keeps the rest', async () => {
  const before = report();
  const { code } = await new Program(BENCH, [...small, '--only-times', '--table', document]).ended;
  expect(code).toBe(0);
  const untimed = ({ rows, times: _, ...rest }: EncoderReport) => ({
    ...rest,
    rows: rows.map((row) => ({ ...row, session_run_ms: undefined })),
  });
  expect(untimed(report())).toEqual(untimed(before));
  expect(report().rows[0].session_run_ms).not.toEqual(before.rows[0].session_run_ms);
});

test('--only-times will not give times of other models than the figures are of', async () => {
  const { rows, ...rest } = report();
  writeFileSync(figures, JSON.stringify({ ...rest, rows: rows.map((row) => ({ ...row, sha256: '0' })) }));
  const { code, errors } = await new Program(BENCH, [...small, '--only-times']).ended;
  expect(code).toBe(1);
  expect(errors).toMatch(/lite0-imagenet\/model\.onnx is not the model the figures are of/);
});

test('--only-times without figures is an error that says so', async () => {
  writeFileSync(figures, '{}');
  const { code, errors } = await new Program(BENCH, [...small, '--only-times']).ended;
  expect(code).toBe(1);
  expect(errors).toMatch(/encoders\.json: no figures of npm run bench:encoders/);
});
