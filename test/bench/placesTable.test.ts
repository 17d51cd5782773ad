import { placesTable, type PlaceFigures } from '../../bench/placesTable';
import type { TwinReport } from '../../src/adaptation/twin';

const twin = {
  steps: 280,
  promoted: 11,
  refused: 2,
  rolled_back: 1,
  place_error: { before: 0.04, after: 0.035, after_first_half: 0.037, unwarped: 0.09, triplets: 102 },
  source_error: { before: 0.03, after: 0.0309, triplets: 40 },
} as TwinReport;
const mountain: PlaceFigures = { name: 'mountain', minutes: 4.2, steps_per_frame: 1, twin };

const of = (places: PlaceFigures[]): string => placesTable({ cpu: 'some CPU', node: 'v20', seed: 1, places });

test('every figure is judged by what was asked', () => {
  const text = of([mountain]);
  expect(text).toMatch(/mountain: 280 steps, a piece of work per frame, 4 min; 11 promoted, 2 refused, 1 rolled back/);
  expect(text).toMatch(/102 triplets came .* 0\.0400 .* 0\.0350 .* -12\.5 % .* at least 10 % less: reached/);
  expect(text).toMatch(/held-out part \(40 triplets\) .* \+3\.0 % .* at most 2 % more: \*\*not reached\*\*/);
  expect(text).not.toContain('LiDAR');
});

test('where there is measured depth, that is judged', () => {
  const depths = {
    truth_before: { abs_rel: 0.27, rms: 6, a1: 0.5 },
    truth_after: { abs_rel: 0.25, rms: 6.1, a1: 0.6 },
  };
  const text = of([{ ...mountain, ...depths, steps_per_frame: 3 }]);
  expect(text).toContain('3 pieces of work per frame');
  expect(text).toMatch(/abs_rel .* 0\.270 .* 0\.250 .* -7\.4 % .* at least 10 % less: \*\*not reached\*\*/);
  expect(text).toMatch(/102 triplets came .* -12\.5 % \|\s+\|/);
});
