import type { DashboardReport, Looker, Watched } from '../../bench/dashboardReport';
import { dashboardTable } from '../../bench/dashboardTable';

const watched = (looker: Looker, ...rates: number[]): Watched => ({
  looker,
  depths_per_s: rates,
  frames_per_s: rates.map(() => 45),
  dashboard_cores: rates.map(() => 0.2),
});
const report: DashboardReport = {
  machine: { cpu: 'some CPU', cores: 2, node: 'v20', load_average_before: 0.1 },
  model: 'models/default.onnx',
  threads: 2,
  width: 640,
  height: 480,
  rounds: 3,
  seconds_per_measurement: 10,
  max_rate: 10,
  saturated: [watched('nobody', 50, 60, 40), watched('reader', 45, 46, 44), watched('browser', 30, 30, 30)],
  paced: [watched('nobody', 25, 25, 25), watched('reader', 25, 24.9, 25), watched('browser', 20, 21, 22)],
  images_per_s: 25,
};

test('the share is of medians, and judged where nothing but the dashboard runs beside', () => {
  const text = dashboardTable(report);
  expect(text).toMatch(/no dashboard_node +\| 50\.0 \(40\.0, 60\.0\) +\| 1\.000 +\| +\| 25\.0 /);
  expect(text).toMatch(
    /drawn elsewhere +\| 45\.0 \(44\.0, 46\.0\) +\| 0\.900 +\| at least 0\.9: reached +\| 25\.0 +\| 45 +\| 0\.20 /,
  );
  expect(text).toMatch(/without a GPU +\| 30\.0 .*\| 0\.600 +\| +\| 21\.0 /);
});

test('a cost above a tenth is not reached, and a missing browser is said', () => {
  const saturated = [report.saturated[0], watched('reader', 44, 44, 44)];
  const text = dashboardTable({
    ...report,
    saturated,
    paced: report.paced.slice(0, 2),
    no_browser: 'no Chromium in PATH',
  });
  expect(text).toContain('at least 0.9: **not reached**');
  expect(text).toMatch(/\n\nNo browser: no Chromium in PATH\n$/);
});
