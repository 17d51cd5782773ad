/** docs/complaints.md names tests; they are there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/ros';

const rows = readFileSync(join(ROOT, 'docs/complaints.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.split('|')[3].trim());

test('every row has a test', () => {
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) expect(row).toMatch(/^test\/[\w/]+\.test\.ts(: ".+")?$/);
});

test.each(rows)('%s', (row) => {
  const [, file, name] = /^([^:]+)(?:: "(.+)")?$/.exec(row)!;
  expect(existsSync(join(ROOT, file))).toBe(true);
  if (name) expect(readFileSync(join(ROOT, file), 'utf8')).toContain(name);
});
