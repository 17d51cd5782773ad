/** depth_node ends cleanly on a signal, whatever it is doing. */
import { DepthNodeRig } from '../support/depthNode';

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

test.each(['SIGINT', 'SIGTERM'] as const)(
  'ends with code 0 within 2 s on %s, in the middle of a run',
  async (signal) => {
    await rig.start();
    await rig.publish({ times: 40 });
    const { code, milliseconds } = await rig.node.end(signal);
    expect({ code, output: rig.node.output }).toMatchObject({ code: 0 });
    expect(milliseconds).toBeLessThan(2000);
  },
);

test.each([150, 200, 350, 500])('ends within 2 s on SIGTERM %d ms after its start', async (wait) => {
  const starting = rig.run(['-p', `model:=${rig.model}`]);
  await new Promise((resolve) => setTimeout(resolve, wait));
  const { code, milliseconds } = await starting.end('SIGTERM');
  // On a busy machine Node.js has not come to the program yet: then the signal itself ends the process (null), and nothing is open.
  expect({ code, output: starting.output }).toMatchObject(starting.output === '' ? {} : { code: 0 });
  expect(milliseconds).toBeLessThan(2000);
});
