import { judge, violations, type Judged } from '../../src/adaptation/guard';
import type { Figures } from '../../src/adaptation/measure';
import { checkOptions, changeOptions, defaultOptions } from '../../src/adaptation/options';

const bands = { ...defaultOptions, metric: false };

function figures(change: Partial<Figures> = {}): Figures {
  return { error: 0.1, unwarped: 0.2, scale: 0, inconsistency: 0.01, ...change };
}

function judged(place: Partial<Figures> = {}, source: Partial<Figures> = {}): Judged {
  return { place: figures(place), source: figures(source) };
}

const reference = judged();

test('a candidate is promoted that is better on the place and hardly worse on the source', () => {
  const result = judge(judged({ error: 0.09 }, { error: 0.1019 }), judged({ error: 0.095 }), reference, bands);
  expect(result.verdict).toBe('promoted');
  expect(result.reasons).toEqual([]);
});

test.each<[string, Judged, RegExp]>([
  ['no better than the published one', judged({ error: 0.096 }), /place does not fall/],
  ['too much worse on the source', judged({ error: 0.09 }, { error: 0.1021 }), /source rises by 2.1 %/],
])('it is refused when it is %s', (_, candidate, reason) => {
  const { verdict, reasons } = judge(candidate, judged({ error: 0.095 }), reference, bands);
  expect(verdict).toBe('refused');
  expect(reasons.join()).toMatch(reason);
});

test.each<[string, Judged, RegExp]>([
  ['error on the place', judged({ error: 0.106 }), /error on the place is 6.0 % above/],
  ['error on the source', judged({ error: 0.09 }, { error: 0.106 }), /error on the source is 6.0 % above/],
  ['depth scale', judged({ error: 0.09, scale: 0.2 }), /scale on the place has changed by a factor of 0.82/],
  ['depth scale of the source', judged({ error: 0.09 }, { scale: -0.2 }), /scale on the source .* 1.22/],
  ['gradient consistency', judged({ error: 0.09, inconsistency: 0.02 }), /2.00 times as much on the place/],
  ['NaN', judged({ error: NaN }), /answers on the place are no numbers/],
  ['infinity', judged({ error: 0.09 }, { scale: Infinity }), /answers on the source are no numbers/],
])('it is rolled back when it leaves the band of: %s', (_, candidate, reason) => {
  const { verdict, reasons } = judge(candidate, reference, reference, bands);
  expect(verdict).toBe('rolled back');
  expect(reasons.join()).toMatch(reason);
});

test('with a speed, scale may go to the odometry and not away from it', () => {
  const wrong = judged({ metricScale: 0.5 });
  const metric = { ...bands, metric: true };
  expect(violations(judged({ metricScale: 0.05, scale: 0.45 }), wrong, metric)).toEqual([]);
  expect(violations(judged({ metricScale: 0.51, scale: 0 }), wrong, metric)).toEqual([]);
  expect(violations(judged({ metricScale: 0.75, scale: 0 }), wrong, metric).join()).toMatch(/off the odometry's/);
  expect(violations(judged({ metricScale: 0.05, scale: 0.45 }), wrong, bands)).toHaveLength(1);
});

test('options name what is wrong with them', () => {
  expect(() => checkOptions({ emaDecay: 2 })).toThrow(/emaDecay/);
  expect(() => checkOptions({ speed: 2 } as never)).toThrow(/speed/);
  expect(changeOptions(defaultOptions, { learningRate: 3 }).learningRate).toBe(3);
  expect(() => changeOptions(defaultOptions, { emaDecay: 0.5 })).toThrow(/emaDecay cannot change/);
});
