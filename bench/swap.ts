/**
 * npm run bench:swap: what handing new models over costs a running depth_node. Images at a camera's rate go through it, and updates of the model (its
 * heads' weights alone, and the whole file with another encoder) come in turns.
 *
 *     npm run bench:swap -- --json swap.json --table docs/benchmarks.md          measure
 *     npm run bench:swap -- --from swap.json --table docs/benchmarks.md          the table again from a file
 */
import { end, onEnd } from '../src/nodes/ros/endOnSignal';
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { onnx } from 'onnx-proto';
import { filter, firstValueFrom, timeout } from 'rxjs';
import { stopAllNodes } from '../src/demo/nodeProcess';
import { hundredth, percentiles } from '../src/demo/percentiles';
import { readModelFile } from '../src/inference/modelFile';
import { packModelUpdate, type UpdateKind } from '../src/inference/modelUpdate';
import { resolveFile } from '../src/paths';
import { positive, positiveInteger } from '../src/training/flags';
import { describeMachine } from './machine';
import { writeReport, type ReportFlags } from './reportFiles';
import type { Share, SwapReport } from './swapReport';
import { replaceSwapTable } from './swapTable';
import { measure, namespace, startTarget, type Measured } from './targets';

const ANSWER_LIMIT_MS = 60_000;
/** Depths after the answer that still count as those of the swap. */
const AFTER_MS = 200;

interface SwapOptions extends ReportFlags {
  readonly model: string;
  readonly threads: number;
  readonly width: number;
  readonly height: number;
  readonly rate: number;
  readonly swaps: number;
  readonly pause: number;
}

const log = (text: string): void => void process.stderr.write(`bench:swap: ${text}\n`);

interface Swap {
  readonly kind: UpdateKind;
  readonly bytes: number;
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly waitedMs: number;
}

async function measureSwaps(options: SwapOptions): Promise<SwapReport> {
  const python = process.env.DEPTHGRAD_PYTHON;
  if (!process.env.ROS_DISTRO || !python) throw new Error('ROS 2 is not in this environment: use npm run bench:swap');
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, 101)}`;
  const machine = describeMachine(log);
  const modelPath = resolve(resolveFile(options.model));
  const parent = (await readModelFile(modelPath)).bytes;

  const { createNode, rclnodejs } = await import('../src/nodes/ros/rclnodejs.js');
  const { ModelSender } = await import('../src/nodes/modelSender.js');
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  onEnd(stopAllNodes);
  const node = createNode('bench_swap');
  const sender = new ModelSender(node, `${namespace('node')}/depth_node`);
  node.spin();
  const target = startTarget('node', { python, modelPath, threads: options.threads });
  while (sender.receivers === 0) {
    if (target.process.end) throw new Error(target.process.describeEnd());
    await sleep(50);
  }

  const seconds = (options.swaps + 1) * (options.pause + 2);
  const measuring = measure(target, { ...options, python, seconds });
  measuring.catch(() => undefined); // awaited below
  const swaps: Swap[] = [];
  await sleep(3000);
  for (let version = 1; version <= options.swaps; version++) {
    await sleep(options.pause * 1000);
    const update = packModelUpdate({ bytes: changed(parent, version), parent, version });
    const sentMs = Date.now();
    const answer = firstValueFrom(
      sender.acks$.pipe(
        filter((ack) => ack.version === version),
        timeout(ANSWER_LIMIT_MS),
      ),
    );
    sender.send(update);
    const { accepted, reason, swapMilliseconds } = await answer;
    if (!accepted) throw new Error(`update ${version} refused: ${reason}`);
    const { kind, data } = update;
    swaps.push({ kind, bytes: data.length, sentMs, answeredMs: Date.now(), waitedMs: swapMilliseconds });
  }
  const { model, threads, width, height, rate } = options;
  return { machine, model, threads, width, height, rate, ...figures(await measuring, swaps) };
}

/** The model with numbers a little different: by turns those of its heads, and those of the encoder as well (then the whole graph's order, too). */
function changed(bytes: Uint8Array, version: number): Uint8Array {
  const model = onnx.ModelProto.decode(bytes);
  const initializer = model.graph?.initializer ?? [];
  for (const tensor of initializer) {
    const trained = /^(depth|gradient|pose)\/.*\/kernel$/.test(tensor.name ?? '');
    if (!trained && !(version % 2 === 0 && tensor.name?.startsWith('encoder/'))) continue;
    const values = new Float32Array(Uint8Array.from(tensor.rawData ?? []).buffer);
    tensor.rawData = new Uint8Array(values.map((value) => value * (1 + 0.001 * version)).buffer);
  }
  if (version % 2 === 0) initializer.reverse(); // so that it travels whole
  return onnx.ModelProto.encode(model).finish();
}

function figures(
  measured: Measured,
  swaps: readonly Swap[],
): Pick<SwapReport, 'without_update' | 'while_an_update_is_taken' | 'swaps'> {
  const { received_at_ms: depths, latencies_ms: latencies, missing_at_ms: missing } = measured;
  const during = (at: number): boolean =>
    swaps.some(({ sentMs, answeredMs }) => at >= sentMs && at <= answeredMs + AFTER_MS);
  const gaps = depths.slice(1).map((at, i) => at - depths[i]);
  const share = (inside: boolean): Share => {
    const latency = latencies.filter((_, i) => during(depths[i]) === inside);
    const lost = missing.filter((at) => during(at) === inside).length;
    return {
      images: latency.length + lost,
      missing: lost,
      latency_ms: percentiles(latency),
      between_depths_ms: percentiles(gaps.filter((_, i) => during(depths[i + 1]) === inside)),
    };
  };
  return {
    without_update: share(false),
    while_an_update_is_taken: share(true),
    swaps: swaps.map(({ kind, bytes, sentMs, answeredMs, waitedMs }) => {
      // the answer leaves just after the swap: the depths on both sides of it are the old model's last and the new one's first
      const next = depths.findIndex((at) => at > answeredMs);
      if (next < 1) throw new Error('no depth came on both sides of a swap');
      return {
        kind,
        bytes,
        taken_after_ms: answeredMs - sentMs,
        frames_waited_ms: hundredth(waitedMs),
        between_depths_ms: hundredth(depths[next] - depths[next - 1]),
      };
    }),
  };
}

async function main(options: SwapOptions): Promise<void> {
  await writeReport(options, {
    command: 'npm run bench:swap',
    measure: () => measureSwaps(options),
    writeTable: replaceSwapTable,
    log,
  });
  await end(0);
}

const program = new Command('bench:swap')
  .description('Measures what handing new models over costs a running depth_node.')
  .option('--json <file>', 'write the figures to this file')
  .option('--table <file>', 'write the table between the marks of this file')
  .option('--from <file>', 'take the figures from this file instead of measuring')
  .option('--model <file>', 'ONNX model of the default network', 'models/default.onnx')
  .option('--threads <n>', 'threads of every onnxruntime session', positiveInteger, 2)
  .option('--width <n>', 'of the camera images', positiveInteger, 1280)
  .option('--height <n>', 'of the camera images', positiveInteger, 720)
  .option('--rate <n>', 'images per second', positiveInteger, 25)
  .option('--swaps <n>', 'updates to send', positiveInteger, 24)
  .option('--pause <seconds>', 'rest before each update', positive, 2)
  .action(main);

program.parseAsync().catch((error: Error) => {
  log(error.message);
  void end(1);
});
