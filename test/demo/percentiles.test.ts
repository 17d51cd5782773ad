import { percentiles } from '../../src/demo/percentiles';

test('nearest-rank percentiles', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i); // 100 .. 1
  expect(percentiles(values)).toEqual({ p50: 50, p95: 95 });
  expect(percentiles([3])).toEqual({ p50: 3, p95: 3 });
  expect(percentiles([2, 1])).toEqual({ p50: 1, p95: 2 });
  expect(() => percentiles([])).toThrow(RangeError);
});
