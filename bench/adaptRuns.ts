/** depth_node alone and with adaptation_node beside it, in turns, so that a drift of the machine meets both. */
import { join } from 'node:path';
import { readAdaptation } from '../src/demo/messages';
import { NodeProcess, nodeCommand } from '../src/demo/nodeProcess';
import { hundredth, percentiles } from '../src/demo/percentiles';
import { packageRoot } from '../src/paths';
import type { AdaptReport, Beside } from './adaptReport';
import { writePictures } from './drivePictures';
import { measure, namespace, startTarget, type Measured, type MeasureOptions } from './targets';

const SIZE = { width: 640, height: 360 };
const CAMERA_RATE = 25;
const PICTURES = 150;
/** To the first steps: the source frames are encoded before. */
const STARTED_LIMIT_MS = 180_000;
/** Not whole: JSON writes 64.0 as 64, to ROS an integer. */
const BUFFER_MEGABYTES = 64.5;

interface Options {
  readonly python: string;
  readonly modelPath: string;
  readonly threads: number;
  readonly drive: string;
  /** For the pictures and the learner's state. */
  readonly folder: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly log: (text: string) => void;
}

interface Runs {
  readonly paced: Measured[];
  readonly fast: Measured[];
  readonly steps: { paced: number; fast: number };
}

export async function measureBeside(
  options: Options,
): Promise<Pick<AdaptReport, 'image' | 'camera_rate' | 'alone' | 'learning'>> {
  const { python, modelPath, threads, drive, folder, rounds, seconds, log } = options;
  const pictures = await writePictures(drive, join(folder, 'pictures.rgb'), { ...SIZE, count: PICTURES });
  const common: Omit<MeasureOptions, 'rate'> = { python, ...SIZE, seconds, pictures };
  const steps = await countSteps();
  const target = startTarget('node', { python, modelPath, threads });
  const run = async (into: Runs): Promise<void> => {
    const before = steps();
    into.paced.push(await measure(target, { ...common, rate: CAMERA_RATE }));
    const between = steps();
    into.fast.push(await measure(target, { ...common, rate: 0 }));
    into.steps.paced += between - before;
    into.steps.fast += steps() - between;
  };
  const alone: Runs = { paced: [], fast: [], steps: { paced: 0, fast: 0 } };
  const learning: Runs = { paced: [], fast: [], steps: { paced: 0, fast: 0 } };
  for (let round = 1; round <= rounds; round++) {
    log(`round ${round} of ${rounds}`);
    await run(alone);
    const adaptation = new NodeProcess({
      name: 'adaptation_node',
      command: nodeCommand('adaptationNode'),
      remap: { __ns: namespace('node') },
      parameterFile: join(packageRoot(), 'config', 'camera.yaml'),
      // A step a second, whatever it costs.
      parameters: {
        model: modelPath,
        folder: join(folder, 'state'),
        buffer_megabytes: BUFFER_MEGABYTES,
        duty_cycle: 0.999,
      },
    });
    try {
      const before = steps();
      const limit = performance.now() + STARTED_LIMIT_MS;
      while (steps() < before + 2) {
        if (adaptation.end) throw new Error(adaptation.describeEnd());
        if (performance.now() > limit) throw new Error(`adaptation_node: no step within ${STARTED_LIMIT_MS / 1000} s`);
        await measure(target, { ...common, rate: CAMERA_RATE, seconds: 2 });
      }
      await run(learning);
    } finally {
      await adaptation.stop();
    }
    log(`  depths/s ${rate(alone).toFixed(1)} alone, ${rate(learning).toFixed(1)} beside a learner`);
  }
  await target.process.stop();
  const total = rounds * seconds;
  return {
    image: `${SIZE.width}x${SIZE.height} rgb8, ${drive}`,
    camera_rate: CAMERA_RATE,
    alone: figures(alone),
    learning: {
      ...figures(learning),
      steps_per_s: [hundredth(learning.steps.paced / total), hundredth(learning.steps.fast / total)],
    },
  };
}

/** Hears the learner's status. @returns its count of steps, in all */
async function countSteps(): Promise<() => number> {
  const { createNode, latchedQos, rclnodejs } = await import('../src/nodes/ros/rclnodejs.js');
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  const node = createNode('bench_adapt');
  let steps = 0;
  const topic = `${namespace('node')}/adaptation_node/status`;
  node.createSubscription('depthgrad/msg/AdaptationStatus', topic, { qos: latchedQos(), isRaw: true }, (message) => {
    steps = readAdaptation(message).steps;
  });
  node.spin();
  return () => steps;
}

function rate({ fast }: Runs): number {
  return fast.reduce((sum, one) => sum + one.per_second, 0) / fast.length;
}

function figures(runs: Runs): Beside {
  const { paced } = runs;
  const sum = (count: (one: Measured) => number): number => paced.reduce((all, one) => all + count(one), 0);
  return {
    latency_ms: percentiles(paced.flatMap((one) => one.latencies_ms)),
    depths_per_image: sum((one) => one.received) / sum((one) => one.published),
    fps: hundredth(rate(runs)),
  };
}
