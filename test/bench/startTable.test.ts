import { startTable, type StartReport } from '../../bench/startTable';

const report: StartReport = {
  machine: { cpu: 'some CPU', cores: 2, node: 'v20', load_average_before: 0.1 },
  model: 'models/default.onnx',
  threads: 2,
  starts: [
    { active_s: 1.5, steps_s: [0.3, 0.5, 1.3, 1.4] },
    { active_s: 1.7, steps_s: [0.4, 0.7, 1.5, 1.6] },
    { active_s: 1.6, steps_s: [0.4, 0.6, 1.4, 1.5] },
  ],
};

test('the table has what was asked for, and what each step took by itself', () => {
  const text = startTable(report);
  expect(text).toMatch(/3 starts with warm caches/);
  expect(text).toMatch(/to active, p50, p95, longest +\| 1\.60, 1\.70, 1\.70 \| under 2 s: reached/);
  expect(text).toMatch(/modules are loaded, p50 +\| 0\.40 /);
  expect(text).toMatch(/has run once, p50 +\| 0\.80 /);
  const slow = { ...report, starts: report.starts.map((start) => ({ ...start, active_s: start.active_s + 1 })) };
  expect(startTable(slow)).toContain('under 2 s: **not reached**');
});
