/** Nodes that a test kills leave 35 MB of shared memory each: a whole run of the tests would fill it, so each file of tests cleans up behind itself. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

if (expect.getState().testPath?.includes('/test/ros/'))
  afterAll(() => void execFileSync('bash', [join(ROOT, 'scripts/removeStaleSegments.sh')], { stdio: 'ignore' }));
