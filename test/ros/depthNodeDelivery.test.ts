/**
 * Real-size images arrive: what a camera publishes best effort is not lost in DDS with the shared-memory profile that the package ships and its launch files set. With Fast
 * DDS' default segment, smaller than an image, most are.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DepthNodeRig, IMAGE, picture } from '../support/depthNode';
import { PATIENCE, ROOT, rosEnvironment } from '../support/ros';

const [width, height] = [1280, 720];
const RATE = 25;
const SECONDS = 6;
const DEPTH = '/depth_node/depth';

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

/** frames_in, as said on /diagnostics from now on. */
async function framesIn(): Promise<number> {
  rig.peer.forget('/diagnostics');
  await rig.peer.message('/diagnostics'); // may have been on its way
  const { status } = await rig.peer.message('/diagnostics');
  return Number((status as { values: Record<string, string> }[])[0].values.frames_in);
}

test(
  '1280x720 at 25 images a second, best effort on both sides: 95 % of them reach depth_node',
  async () => {
    const env = { ...rosEnvironment(), FASTDDS_DEFAULT_PROFILES_FILE: join(ROOT, 'config', 'fastdds_shm.xml') };
    const path = join(rig.folder, 'frames.rgb');
    writeFileSync(path, Buffer.concat([1, 2, 3, 4].map((seed) => picture(width, height, seed))));
    const stream = {
      topic: IMAGE,
      frameId: 'front_optical',
      path,
      width,
      height,
      rate: RATE,
      k: new Array<number>(9).fill(0),
    };
    await rig.start(
      ['-p', 'image_reliability:=best_effort'],
      [`${IMAGE}=Image:best_effort_pub`, `${DEPTH}=Image:best_effort_sub`, '/diagnostics=DiagnosticArray:sub'],
      env,
    );
    // Each end has found the other one, and the code is compiled.
    await rig.peer.command('start_stream', stream);
    await rig.peer.message(DEPTH);
    await sleep(1000);
    await rig.peer.command('stop_stream');
    await sleep(200);
    expect(await rig.peer.command('trigger', { service: '/depth_node/reset' })).toMatchObject({ success: true });

    await rig.peer.command('start_stream', stream);
    await sleep(SECONDS * 1000);
    const published = ((await rig.peer.command('stop_stream')).stamps as unknown[]).length;
    const arrived = await framesIn();
    expect(published).toBeGreaterThan((0.9 * RATE * SECONDS) / PATIENCE); // else nothing is said of the rate
    expect({ arrived: arrived / published > 0.95, of: `${arrived} of ${published}` }).toMatchObject({ arrived: true });
  },
  60_000 * PATIENCE,
);
