import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OdometryReport } from '../../bench/odometryReport';
import { odometryTable, replaceOdometryTable } from '../../bench/odometryTable';

const path = { poses: 420, path_m: 317.4, ate_m: 4.5, ate_scaled_m: 1.25, rpe_scaled_m: 0.04, rpe_deg: 0.1 };
const report: OdometryReport = {
  machine: { cpu: 'some CPU', cores: 2, node: 'v20', load_average_before: 0.1 },
  model: 'models/default.onnx',
  cost_ms: 0.42,
  recordings: [
    {
      name: 'kitti',
      frames: 420,
      own: path,
      by_speed: { ...path, ate_m: 2.25 },
      peer: { ...path, ate_m: 3.75, lost: 7 },
      consistency: {
        motion_within: 0.95,
        stretch_within: 0.7,
        pose_within: 1,
        motion_mean: 5.9,
        stretch_mean: 8.1,
        pose_mean: 2.5,
      },
      lost: 2,
      scales: [
        { source: 'velocity', known: 0.98, median: 0.03, largest_step: 0.005, outliers: 4 },
        { source: 'camera_height', known: 0.9, median: 0.12, largest_step: 0.02, outliers: 9 },
      ],
    },
  ],
};
const cells = (line: string): string[] => line.split('|').map((cell) => cell.trim());

test('the tables have a row per odometry, covariance and scale, and say what was reached', () => {
  const lines = odometryTable(report).split('\n');
  expect(lines[0]).toContain('takes 0.42 ms');
  const row = (start: string): string[] => cells(lines.find((line) => line.startsWith(`| ${start}`))!).slice(1, -1);
  expect(row('kitti, 420 frames, 317 m')).toEqual([
    'kitti, 420 frames, 317 m',
    "in the model's unit",
    '4.50',
    '1.25',
    '0.040',
    '0.100',
    '2',
  ]);
  const others = lines.filter((line) => /^\| +\|/.test(line)).map(cells);
  expect(others.map((one) => one[3])).toEqual(['2.25', '3.75']);
  expect(others[1][7]).toBe('7');
  const rows = lines.filter((line) => line.startsWith('| kitti ')).map(cells);
  expect(rows[0].slice(2, 6)).toEqual(['95.0 %: reached', '70.0 %: **not reached**', '100.0 %', '5.9, 8.1, 2.5']);
  expect(rows[1].slice(2, 7)).toEqual(['velocity', '98.0 %', '3.0 % (5.0 %: reached)', '0.5 % (1.0 %: reached)', '4']);
  expect(rows[2].slice(4, 6)).toEqual(['12.0 % (10.0 %: **not reached**)', '2.0 % (1.0 %: **not reached**)']);
});

test('where the scale was never known there is no figure of it', () => {
  const [one] = report.recordings;
  const slow = { ...one.scales[0], known: 0, median: NaN };
  const text = odometryTable({ ...report, recordings: [{ ...one, scales: [slow] }] });
  expect(text).not.toContain('NaN');
  expect(text).toContain('no usable speed');
  expect(text).not.toContain('scale from true speed');
});

test('it goes between the marks of a file', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'depthgrad-table-')), 'benchmarks.md');
  writeFileSync(
    file,
    'before\n<!-- odometry:begin (npm run bench:odometry writes what is between these two marks) -->\nold\n<!-- odometry:end -->\nafter\n',
  );
  await replaceOdometryTable(file, report);
  const text = readFileSync(file, 'utf8');
  expect(text).toContain('five-point, steps of true length');
  expect(text).not.toContain('old');
  expect(text.startsWith('before') && text.endsWith('after\n')).toBe(true);
});
