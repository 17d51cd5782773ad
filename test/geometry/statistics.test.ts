import { meanDifference, median, upperMedian } from '../../src/geometry/statistics';

test('the median of an even count is the mean of the middle two; the upper one is one of the values', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([10, 9, 2])).toBe(9);
  expect(upperMedian([4, 1, 3, 2])).toBe(3);
  expect(upperMedian([10, 9, 2])).toBe(9);
});

test('neither sorts what it is given, and none has no median', () => {
  const values = Float32Array.of(3, 1, 2);
  expect([median(values), upperMedian(values), ...values]).toEqual([2, 2, 3, 1, 2]);
  expect(() => median([])).toThrow('the median of no values is not defined');
  expect(upperMedian([])).toBeNaN();
});

test('the mean difference does not let signs cancel', () => {
  expect(meanDifference([1, 2, 3, 4], [2, 1, 3, 0])).toBe(1.5);
});
