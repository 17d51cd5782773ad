/** depth_node and adaptation_node on a looped drive for half an hour: memory, disk, and no depth late through a swap. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hundredth } from '../src/demo/percentiles';
import { readModelAck } from '../src/nodes/ros/modelMessages';
import type { AdaptSoak } from './adaptReport';
import { measureSoak, SOAK_NAMESPACE, type SoakOptions } from './soak';

const MEBIBYTE = 2 ** 20;

/** When depths came and when models changed, by performance.now(). */
interface Arrivals {
  readonly depths: number[];
  readonly swaps: number[];
}

export async function measureAdaptSoak(options: Omit<SoakOptions, 'adaptationFolder' | 'onLook'>): Promise<AdaptSoak> {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-soak-'));
  const started = performance.now();
  const sizes: number[] = [];
  const ros = await import('../src/nodes/ros/rclnodejs.js'); // not above: without ROS it does not load, and who asks for no soak gets a clear message
  let arrivals: Arrivals | undefined;
  let counts: { steps: number; promoted: number; rolled_back: number; updates_accepted: number } | undefined;
  let before: typeof counts;
  try {
    const soak = await measureSoak({
      ...options,
      adaptationFolder: folder,
      onLook: ({ adaptation }) => {
        arrivals ??= listen(ros);
        sizes.push(folderBytes(folder) / MEBIBYTE);
        counts = adaptation;
        before ??= counts;
      },
    });
    const difference = (key: keyof NonNullable<typeof counts>): number => (counts?.[key] ?? 0) - (before?.[key] ?? 0);
    const gaps = depthGaps(arrivals!);
    process.stderr.write(`bench:adapt: ${((performance.now() - started) / 60_000).toFixed(1)} min\n`);
    return {
      ...soak,
      steps: difference('steps'),
      promoted: difference('promoted'),
      rolled_back: difference('rolled_back'),
      updates_accepted: difference('updates_accepted'),
      folder_mib: [hundredth(sizes[Math.floor(sizes.length / 10)]), hundredth(sizes[sizes.length - 1])],
      ...gaps,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function listen({ createNode, latchedQos, qos }: typeof import('../src/nodes/ros/rclnodejs')): Arrivals {
  const node = createNode('bench_arrivals');
  const arrivals: Arrivals = { depths: [], swaps: [] };
  const depthNode = `${SOAK_NAMESPACE}/depth_node`;
  node.createSubscription(
    'sensor_msgs/msg/Image',
    `${depthNode}/depth`,
    { qos: qos('reliable', 100), isRaw: true },
    () => arrivals.depths.push(performance.now()),
  );
  node.createSubscription(
    'depthgrad/msg/ModelAck',
    `${depthNode}/model_ack`,
    { qos: latchedQos(), isRaw: true },
    (message) => {
      if (readModelAck(message).accepted) arrivals.swaps.push(performance.now());
    },
  );
  node.spin();
  return arrivals;
}

/** The answer leaves just after the swap: the depths on both sides of it are the old model's last and the new one's first. */
function depthGaps({ depths, swaps }: Arrivals): Pick<AdaptSoak, 'longest_gap_ms' | 'longest_swap_gap_ms'> {
  const gapAt = (next: number): number => (next > 0 ? depths[next] - depths[next - 1] : 0);
  const atSwaps = swaps.map((at) => gapAt(depths.findIndex((depth) => depth > at)));
  return {
    longest_gap_ms: hundredth(depths.reduce((longest, _, i) => Math.max(longest, gapAt(i)), 0)),
    ...(atSwaps.length > 0 && { longest_swap_gap_ms: hundredth(Math.max(...atSwaps)) }),
  };
}

function folderBytes(folder: string): number {
  // A file may be renamed while it is looked at.
  const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce(
    (sum, name) => sum + sizeOf(join(folder, name)),
    0,
  );
}
