/** Ends slowly, for test/nodes/endOnSignal.test.ts: it has a backlog of so many steps of 20 ms, and then closes for so many milliseconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { onEnd } from '../../src/nodes/ros/endOnSignal';

const [steps, closingMs] = process.argv.slice(2).map(Number);
let left = 0;
onEnd(
  async () => {
    for (left = steps; left > 0; left--) await sleep(20);
    console.log('done');
    await sleep(closingMs);
    console.log('closed');
  },
  { left: () => left, describe: () => `${left} steps wait`, abandon: () => console.log('abandoned') },
);
setInterval(() => undefined, 1000);
console.log('runs');
