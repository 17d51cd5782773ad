import { DepthStatistics } from '../../src/nodes/depthStatistics';
import { ImageGate } from '../../src/nodes/imageGate';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';

const lines: string[] = [];
const say = (text: string): number => lines.push(text);
beforeEach(() => void (lines.length = 0));

function gateOf(limits: { maxImageBytes: number; maxRate: number }) {
  const statistics = new DepthStatistics(0);
  const clock = { ms: 0 };
  const log = new ThrottledLog({ info: say, warn: say, error: say }, () => clock.ms);
  const options = { imageTopic: '/image', limits, statistics: () => statistics, log, now: () => clock.ms };
  return { gate: new ImageGate(options), statistics, clock };
}

test('a message of more bytes than the limit is refused by name, and counted', () => {
  const { gate, statistics } = gateOf({ maxImageBytes: 1000, maxRate: 0 });
  expect(gate.admits({ length: 1000 })).toBe(true);
  expect(gate.admits({ length: 600_000_000 })).toBe(false);
  expect(gate.admits({ length: 1001 })).toBe(false);
  expect(lines).toEqual(['/image: image ignored: message has 600000000 bytes, max_image_bytes is 1000']);
  expect(statistics).toMatchObject({ framesIn: 2, rejected: 2, skipped: 0 }); // those that go on are counted there
});

test.each([
  [30, 10],
  [30, 29],
  [25, 20],
  [10, 30],
  [60, 7.5],
])('images at %d/s with max_rate %d: on average the rate, or all there are', (rate, maxRate) => {
  const { gate, statistics, clock } = gateOf({ maxImageBytes: 1000, maxRate });
  const seconds = 20;
  let admitted = 0;
  for (let i = 0; i < rate * seconds; i++) {
    clock.ms = (i * 1000) / rate + (i % 3) - 1; // no camera is on time
    if (gate.admits({ length: 1 })) admitted++;
  }
  const wanted = Math.min(rate, maxRate) * seconds;
  expect(Math.abs(admitted - wanted)).toBeLessThanOrEqual(0.02 * wanted + 1);
  expect(statistics.skipped).toBe(rate * seconds - admitted);
});

test('after a pause no burst makes up for it', () => {
  const { gate, clock } = gateOf({ maxImageBytes: 1000, maxRate: 10 });
  gate.admits({ length: 1 });
  clock.ms = 5000;
  const burst = Array.from({ length: 10 }, () => gate.admits({ length: 1 }));
  expect(burst.filter(Boolean)).toHaveLength(1);
});

test('limits are read at every image', () => {
  const limits = { maxImageBytes: 10, maxRate: 0 };
  const { gate } = gateOf(limits);
  expect(gate.admits({ length: 20 })).toBe(false);
  limits.maxImageBytes = 30;
  expect(gate.admits({ length: 20 })).toBe(true);
});

test.each([
  [0.01, 10],
  [1, 25],
])('max_rate raised from %d to %d: images come at the new rate within its own period', (before, after) => {
  const limits = { maxImageBytes: 10, maxRate: before };
  const { gate, clock } = gateOf(limits);
  expect(gate.admits({ length: 1 })).toBe(true);
  limits.maxRate = after;
  const admittedMs: number[] = [];
  for (clock.ms = 10; clock.ms <= 2000; clock.ms += 10) if (gate.admits({ length: 1 })) admittedMs.push(clock.ms);
  expect(admittedMs[0]).toBeLessThanOrEqual(1000 / after + 10);
  expect(Math.abs(admittedMs.length - 2 * after)).toBeLessThanOrEqual(1);
});
