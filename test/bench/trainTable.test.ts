import { trainTable, type TrainReport } from '../../bench/trainTable';

const row = {
  height: 64,
  width: 208,
  batch: 1,
  threads: 1,
  pytorch_threads: 2,
  loss_difference: 1e-6,
  gradient_difference: 3e-4,
};
const report: TrainReport = {
  machine: { cpu: 'some CPU', cores: 2, node: 'v20.20.2', load_average_before: 0.1 },
  pytorch: '2.15.0',
  recipe: 'config/recipes/default.yaml',
  losses: ['photometric', 'smoothness'],
  rounds: 5,
  steps_per_round: 5,
  rows: [
    { ...row, depthgrad_ms: 150, pytorch_ms: 200, ratio: 0.75 },
    { ...row, batch: 4, depthgrad_ms: 300, pytorch_ms: 200, ratio: 1.5 },
  ],
  memory: {
    first_step: 100,
    last_step: 3000,
    first_rss_mib: 1000,
    last_rss_mib: 1040,
    growth_percent: 4,
    data_share_percent: 0.4,
    validation_share_percent: 2,
  },
};

test('every figure is judged by what was asked, and a busy machine is said', () => {
  const text = trainTable(report);
  expect(text).toMatch(/208x64, 1 .* 150 ms, 1 thread .* 200 ms, 2 threads .* 0\.75: reached .* 1e-6, 3e-4/);
  expect(text).toMatch(/208x64, 4 .* 1\.50: \*\*not reached\*\*/);
  expect(text).toMatch(/1000 and 1040 MiB: 4\.0 % .* under 3 % more: \*\*not reached\*\*/);
  expect(text).toMatch(/0\.4 % of a step .* under 5 %: reached/);
  expect(text).not.toContain('not idle');
  const busy = { ...report, memory: null, machine: { ...report.machine, load_average_before: 3 } };
  expect(trainTable(busy)).toContain('not idle');
  expect(trainTable(busy)).not.toContain('MiB');
});
