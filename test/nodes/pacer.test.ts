import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pacer } from '../../src/nodes/pacer';

const busyFor = (milliseconds: number): void => {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
};

test('delays between the moments do not add up', async () => {
  const pacer = new Pacer(2);
  const started = performance.now();
  for (let moment = 0; moment <= 100; moment++) {
    const played = await pacer.until(40 + moment * 0.02); // 10 ms apart at twice the rate
    expect(played).toBeCloseTo(moment * 0.01, 6);
    if (moment % 10 === 0) busyFor(15);
  }
  const seconds = (performance.now() - started) / 1000;
  expect(seconds).toBeGreaterThan(0.998);
  expect(seconds).toBeLessThan(1.2);
});

test('after a stall it goes on from there, without a burst', async () => {
  const pacer = new Pacer(1);
  await pacer.until(0);
  await sleep(1000);
  const times: number[] = [];
  for (let moment = 1; moment <= 5; moment++) {
    const played = await pacer.until(moment * 0.05);
    expect(played).toBeGreaterThan(0.9 + moment * 0.05);
    times.push(performance.now());
  }
  times.slice(1).forEach((time, i) => expect(time - times[i]).toBeGreaterThan(40));
});

test('a moment before the last one is due at once, and does not turn time back', async () => {
  const pacer = new Pacer(1);
  await pacer.until(0);
  await pacer.until(0.1);
  const started = performance.now();
  await pacer.until(-5);
  await pacer.until(0.2);
  expect(performance.now() - started).toBeGreaterThan(80);
  expect(performance.now() - started).toBeLessThan(400);
});

test('a clock that was set while recording: the years are skipped and told, and the pace goes on behind them', async () => {
  const gaps: number[] = [];
  const pacer = new Pacer(2, 0, (seconds) => gaps.push(seconds));
  await pacer.until(0);
  await pacer.until(0.1);
  const years = 1.7e9;
  const times: number[] = [];
  for (let moment = 0; moment < 5; moment++) {
    const played = await pacer.until(years + moment * 0.1);
    times.push(performance.now());
    expect(played).toBeGreaterThan(0.04 + moment * 0.05);
    expect(played).toBeLessThan(1);
    expect(pacer.position()).toBeCloseTo(years + moment * 0.1, 1);
  }
  times.slice(1).forEach((time, i) => expect(time - times[i]).toBeGreaterThan(35));
  expect(gaps).toEqual([expect.closeTo(years, 0)]);
});

test('a pause of the recording is waited for', async () => {
  const pacer = new Pacer(7000, 0, () => {
    throw new Error('no gap');
  });
  await pacer.until(0);
  const started = performance.now();
  await pacer.until(3500); // .5 s as it is played
  expect(performance.now() - started).toBeGreaterThan(480);
});

/** In a process of its own (of dist/): a wait of an hour cannot be taken back. */
test.each([
  ['40 s at a hundredth of the pace, 67 minutes as they are played', 0.01, 40, []],
  ['two hours at a hundredfold pace, 72 s as they are played', 100, 7200, [7200]],
  ['3500 s at a pace that makes 40 days of them, more than a timer takes', 0.001, 3500, [3500]],
])('what is a pause is told by the recording: %s', (_, rate, seconds, skipped) => {
  const program = `const gaps = [];
    const pacer = new (require('./dist/src/nodes/pacer.js').Pacer)(${rate}, 0, (gap) => gaps.push(100 * Math.round(gap / 100)));
    let isOver = false;
    void pacer.until(0).then(() => pacer.until(${seconds})).then(() => (isOver = true));
    setTimeout(() => process.exit(void console.log(JSON.stringify({ isOver, gaps }))), 300);`;
  const output = execFileSync(process.execPath, ['-e', program], { cwd: join(__dirname, '../..'), encoding: 'utf8' });
  expect(JSON.parse(output)).toEqual({ isOver: skipped.length > 0, gaps: skipped });
});

test('its position runs with the recording, starts where it is told, and never passes the moment waited for', async () => {
  const pacer = new Pacer(10, 3);
  expect(pacer.position()).toBe(3);
  await pacer.until(5);
  expect(pacer.position()).toBeCloseTo(5, 2);
  const waiting = pacer.until(6);
  await sleep(50);
  expect(pacer.position()).toBeGreaterThan(5.3);
  expect(pacer.position()).toBeLessThan(6);
  await waiting;
  await sleep(50);
  expect(pacer.position()).toBe(6);
});

test('rate 0 waits for nothing, and lets others have their turn', async () => {
  const pacer = new Pacer(0);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const started = performance.now();
  for (let moment = 0; moment < 1000; moment++) {
    await pacer.until(moment);
    if (moment % 100 === 0) busyFor(2);
  }
  clearInterval(timer);
  expect(performance.now() - started).toBeLessThan(2000);
  expect(turns).toBeGreaterThan(3);
  expect(pacer.position()).toBe(999);
});
