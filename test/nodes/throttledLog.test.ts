import { oneLine, ThrottledLog } from '../../src/nodes/ros/throttledLog';

function make() {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const say =
    (level: string) =>
    (text: string): number =>
      lines.push(`${level} ${text}`);
  const logger = { info: say('info'), warn: say('warn'), error: say('error') };
  return { lines, clock, log: new ThrottledLog(logger, () => clock.ms) };
}

test('each kind at once, then every 5 s with the number held back', () => {
  const { lines, clock, log } = make();
  for (; clock.ms < 10_100; clock.ms += 100) {
    log.warn('step', 'step is 3');
    log.warn('size', 'size is 0x0');
  }
  expect(lines).toEqual([
    'warn step is 3',
    'warn size is 0x0',
    'warn step is 3 (and 49 more like it)',
    'warn size is 0x0 (and 49 more like it)',
    'warn step is 3 (and 49 more like it)',
    'warn size is 0x0 (and 49 more like it)',
  ]);
  expect(log.suppressed).toBe(4 * 49);
});

test('once means once', () => {
  const { lines, clock, log } = make();
  for (; clock.ms < 60_000; clock.ms += 1000) log.warnOnce('x', 'no camera_info');
  expect(lines).toHaveLength(1);
});

test('what a message says cannot forge a line, nor fill the disk', () => {
  const { lines, log } = make();
  log.warn('encoding', `encoding is "rgb\n[ERROR] [1.0] [root]: forged\u001b[2J${'x'.repeat(1e6)}"`);
  expect(lines[0]).not.toMatch(/[\n\u001b]/);
  expect(lines[0].length).toBeLessThan(700);
  expect(oneLine('a\r\nb\u2028c')).toBe('a b c');
});

test('kinds are bounded', () => {
  const { log } = make();
  for (let i = 0; i < 1e5; i++) log.warn(`kind ${i}`, 'x');
  log.warn('kind 99999', 'x');
  expect(log.suppressed).toBe(1);
});
