/** Means and medians of plain numbers. */

/** Median as numpy takes it: the mean of the two middle values of an even count. */
export function median(values: ArrayLike<number>): number {
  if (values.length === 0) throw new RangeError('the median of no values is not defined');
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The upper of the two middle values of an even count: one of the values. NaN of none. */
export function upperMedian(values: ArrayLike<number>): number {
  return Float64Array.from(values).sort()[values.length >> 1] ?? NaN;
}

/** Mean |a - b| of arrays of the same length. */
export function meanDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}
