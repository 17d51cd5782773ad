/**
 * npm run bench:swap: what handing new models over costs a running depth_node. Images at a camera's rate go through it, and updates of the model (its
 * heads' weights alone, and the whole file with another encoder) come in turns.
 *
 *     npm run bench:swap -- --json swap.json
 */
import { end, onEnd } from '../src/nodes/ros/endOnSignal';
import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { onnx } from 'onnx-proto';
import { filter, firstValueFrom, timeout } from 'rxjs';
import { stopAllNodes } from '../src/demo/nodeProcess';
import { hundredth, percentiles, type Percentiles } from '../src/demo/percentiles';
import { readModelFile } from '../src/inference/modelFile';
import { packModelUpdate, type UpdateKind } from '../src/inference/modelUpdate';
import { resolveFile } from '../src/paths';
import { describeMachine } from './machine';
import { measure, namespace, startTarget, type Measured } from './targets';

const ANSWER_LIMIT_MS = 60_000;
/** Depths after the answer that still count as those of the swap. */
const AFTER_MS = 200;

interface SwapOptions {
  readonly json?: string;
  readonly model: string;
  readonly threads: number;
  readonly width: number;
  readonly height: number;
  readonly rate: number;
  readonly swaps: number;
  /** Seconds of rest before each update. */
  readonly pause: number;
}

interface Swap {
  readonly kind: UpdateKind;
  readonly bytes: number;
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly waitedMs: number;
}

async function main(options: SwapOptions): Promise<void> {
  const python = process.env.DEPTHGRAD_PYTHON;
  if (!process.env.ROS_DISTRO || !python) throw new Error('ROS 2 is not in this environment: use npm run bench:swap');
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, 101)}`;
  const machine = describeMachine();
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
  const report = { machine, options, ...figures(await measuring, swaps) };
  console.log(JSON.stringify(report, null, 2));
  if (options.json) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  await end(0);
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

interface Share {
  readonly images: number;
  /** Images without a depth. */
  readonly missing: number;
  readonly latency_ms?: Percentiles;
}

function figures(measured: Measured, swaps: readonly Swap[]): object {
  const { received_at_ms: depths, latencies_ms: latencies, missing_at_ms: missing } = measured;
  const during = (at: number): boolean =>
    swaps.some(({ sentMs, answeredMs }) => at >= sentMs && at <= answeredMs + AFTER_MS);
  const share = (inside: boolean): Share => {
    const latency = latencies.filter((_, i) => during(depths[i]) === inside);
    const lost = missing.filter((at) => during(at) === inside).length;
    return {
      images: latency.length + lost,
      missing: lost,
      ...(latency.length > 0 && { latency_ms: percentiles(latency) }),
    };
  };
  return {
    without_update: share(false),
    while_an_update_is_taken: share(true),
    swaps: swaps.map(({ kind, bytes, sentMs, answeredMs, waitedMs }) => {
      // the answer leaves just after the swap: the depths on both sides of it are the old model's last and the new one's first
      const next = depths.findIndex((at) => at > answeredMs);
      return {
        kind,
        bytes,
        taken_after_ms: answeredMs - sentMs,
        frames_waited_ms: hundredth(waitedMs),
        between_depths_ms: next > 0 ? hundredth(depths[next] - depths[next - 1]) : undefined,
      };
    }),
  };
}

const program = new Command('bench:swap')
  .description('Measures what handing new models over costs a running depth_node.')
  .option('--json <file>', 'write the figures to this file')
  .option('--model <file>', 'ONNX model of the default network', 'models/default.onnx')
  .option('--threads <n>', 'threads of every onnxruntime session', Number, 2)
  .option('--width <n>', 'of the camera images', Number, 1280)
  .option('--height <n>', 'of the camera images', Number, 720)
  .option('--rate <n>', 'images per second', Number, 25)
  .option('--swaps <n>', 'updates to send', Number, 6)
  .option('--pause <seconds>', 'rest before each update', Number, 4)
  .action(main);

program.parseAsync().catch((error: Error) => {
  process.stderr.write(`bench:swap: ${error.message}\n`);
  void end(1);
});
