import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cloudMilliseconds, pointsTable, type PointsReport, type PointsRound } from '../../bench/pointsTable';
import { ROOT } from '../support/ros';

/** Without a subscriber 40 ms a frame; with one `ms` more for each of 490 clouds of 500 depths. */
const round = (ms: number, clouds = 490): PointsRound => ({
  without: { depths: 400, depths_per_s: 20, processor_s: 16, clouds: 0, points: 0 },
  subscribed: { depths: 500, depths_per_s: 25, processor_s: 20 + (clouds * ms) / 1000, clouds, points: 53_248 },
});
const report = (rounds: PointsRound[]): PointsReport => ({
  machine: { cpu: 'some CPU', cores: 2, node: 'v20', load_average_before: 0.1 },
  model: 'models/default.onnx',
  threads: 2,
  width: 640,
  height: 480,
  images_per_s: 25,
  seconds_per_measurement: 20,
  rounds,
});

test("a cloud's cost is what a frame takes more with a subscriber, whatever the number of frames", () => {
  expect(cloudMilliseconds(round(2.2))).toBeCloseTo(2.2, 9);
  const text = pointsTable(report([1.5, 2.2, 2.9].map((ms) => round(ms))));
  expect(text).toMatch(/points in a cloud +\| 53248 /);
  expect(text).toMatch(/median \(least, most of the rounds\) \| 2\.20 \(1\.50, 2\.90\) \| under 3 ms: reached/);
  expect(text).toMatch(/per depth received +\| 0\.98 +\| one each \(0\.98\): reached/);
  expect(text).toMatch(/whole frame without, ms +\| 40\.00 /);
});

test('what is dearer, or rarer, than asked for is said', () => {
  expect(pointsTable(report([round(3.4)]))).toContain('under 3 ms: **not reached**');
  expect(pointsTable(report([round(1, 400)]))).toContain('one each (0.98): **not reached**');
});

test('the documentation has the marks that the table is written between', () => {
  const text = readFileSync(join(ROOT, 'docs/benchmarks.md'), 'utf8');
  expect(text).toMatch(/<!-- points:begin .*-->[\s\S]*<!-- points:end -->/);
});
