/** How a process ends that has more to do than it usually gets time for. Real processes (of dist/) and signals, no ROS. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Program } from '../support/program';
import { PATIENCE } from '../support/ros';

const FOR_EVER = 1e6;
let program: Program | undefined;
afterEach(() => program?.signal('SIGKILL'));

const said = async (which: 'output' | 'errors', text: string): Promise<void> => {
  while (!program![which].includes(text)) await sleep(10);
};

/** Asks it to end, and waits until it says that this takes longer. */
async function endSlowly(steps: number, closingMs: number): Promise<void> {
  program = new Program('test/support/slowEnd.js', [`${steps}`, `${closingMs}`], process.env);
  await said('output', 'runs');
  program.signal('SIGTERM');
  await said('errors', 'steps wait; Ctrl-C leaves that out');
}

test('a Ctrl-C when nothing is left to be done leaves nothing out: code 0', async () => {
  await endSlowly(150, 500);
  await said('output', 'done');
  program!.signal('SIGINT');
  const { code, output } = await program!.ended;
  expect({ code, output }).toEqual({ code: 0, output: 'runs\ndone\nclosed\n' });
});

test('nobody reads any more what it says: it goes on to its end, code 0', async () => {
  program = new Program('test/support/slowEnd.js', ['150', '0'], process.env);
  await said('output', 'runs');
  program.stopReading();
  program.signal('SIGTERM');
  expect((await program.ended).code).toBe(0);
});

test('the terminal is gone: as by any other signal', async () => {
  program = new Program('test/support/slowEnd.js', ['10', '0'], process.env);
  await said('output', 'runs');
  program.signal('SIGHUP');
  const { code, output } = await program.ended;
  expect({ code, output }).toEqual({ code: 0, output: 'runs\ndone\nclosed\n' });
});

test('more and more Ctrl-C do not put off the end that the first one brings', async () => {
  await endSlowly(FOR_EVER, 0);
  const asked = performance.now();
  const isOver = program!.ended.then(() => true);
  do program!.signal('SIGINT');
  while (!(await Promise.race([isOver, sleep(200, false)])) && performance.now() - asked < 6000 * PATIENCE);
  expect(performance.now() - asked).toBeLessThan(2500 * PATIENCE);
  const { code, output } = await program!.ended;
  expect({ code, output }).toEqual({ code: 1, output: 'runs\nabandoned\n' });
});
