import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '../..');

test('without a browser the tests of the page are skipped, not passed, and the reason is printed', () => {
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const { status, stdout, stderr } = spawnSync('node', [jest, '--json', 'test/ros/dashboardPage.test.ts'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, DEPTHGRAD_BROWSER: '/nowhere/chromium' },
  });
  expect(stderr).toContain('tests of the page are skipped: DEPTHGRAD_BROWSER: no file /nowhere/chromium');
  const result = JSON.parse(stdout) as Record<string, number>;
  expect({ status, passed: result.numPassedTests }).toEqual({ status: 0, passed: 0 });
  expect(result.numPendingTests).toBeGreaterThan(5);
  expect(result.numPendingTests).toBe(result.numTotalTests);
});
