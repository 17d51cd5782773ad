/** Median and 95th percentile, in the unit of the values. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

/** Nearest-rank percentiles, rounded to a hundredth. Throws RangeError of no values: a figure of nothing is no figure. */
export function percentiles(values: readonly number[]): Percentiles {
  if (values.length === 0) throw new RangeError('percentiles of no values');
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return { p50: hundredth(at(0.5)), p95: hundredth(at(0.95)) };
}

export function hundredth(value: number): number {
  return Math.round(value * 100) / 100;
}
