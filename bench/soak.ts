/** The whole job for a while: replay_node, depth_node and, where asked, adaptation_node on a looped 1280x720 drive at its own rate. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NodeProcess, nodeCommand } from '../src/demo/nodeProcess';
import { hundredth, percentiles } from '../src/demo/percentiles';
import type { Observer } from '../src/demo/observer';
import { resolveSource } from '../src/demo/sources';
import { packageRoot } from '../src/paths';
import { processorSeconds } from './processorTime';
import type { ResidentMemory, Soak } from './report';

export const SOAK_NAMESPACE = '/bench_soak';
const FIRST_DEPTH_LIMIT_MS = 30_000;
/** Before the count begins: buffers and the compiler's caches fill. */
const SETTLE_MS = 5000;
const LOOK_PERIOD_MS = 1000;
/** Depths on their way when the count ends. */
const ON_THE_WAY_MS = 300;

export interface SoakOptions {
  readonly seconds: number;
  readonly modelPath: string;
  readonly threads: number;
  /** Name of the drive (demo/sources.ts); default highway. */
  readonly drive?: string;
  /** Also adaptation_node, with its state here. */
  readonly adaptationFolder?: string;
  /** Called before the count begins, when depths come, and once a second. */
  readonly onLook?: (observer: Observer) => void;
}

export async function measureSoak(options: SoakOptions): Promise<Soak> {
  const { seconds, modelPath, threads, drive = 'highway', adaptationFolder, onLook } = options;
  const source = await resolveSource(drive);
  const parameterFile = join(packageRoot(), 'config', 'camera.yaml');
  const common = { remap: { __ns: SOAK_NAMESPACE }, parameterFile };
  const { Observer } = await import('../src/demo/observer.js');
  const observer = await Observer.start({ namespace: SOAK_NAMESPACE, imageRows: source.imageRows, pictureWidth: 416 });
  const depthNode = new NodeProcess({
    ...common,
    name: 'depth_node',
    command: nodeCommand('depthNode'),
    parameters: { model: modelPath, threads, image_rows: source.imageRows },
  });
  const replayNode = new NodeProcess({
    ...common,
    name: 'replay_node',
    command: nodeCommand('replayNode'),
    parameters: { source: source.path, camera_info: source.cameraFile!, loop: true },
  });
  const processes = [depthNode, replayNode];
  if (adaptationFolder !== undefined)
    processes.push(
      new NodeProcess({
        ...common,
        name: 'adaptation_node',
        command: nodeCommand('adaptationNode'),
        parameters: { model: modelPath, folder: adaptationFolder, image_rows: source.imageRows },
      }),
    );
  const check = (): void => {
    for (const process of processes) if (process.end) throw new Error(`soak: ${process.describeEnd()}`);
  };
  try {
    const limitMs = performance.now() + FIRST_DEPTH_LIMIT_MS;
    while (observer.depths === 0) {
      check();
      if (performance.now() > limitMs) throw new Error(`soak: no depth within ${FIRST_DEPTH_LIMIT_MS / 1000} s`);
      await sleep(50);
    }
    // Its source frames are encoded first.
    while (adaptationFolder !== undefined && !observer.adaptation?.steps) {
      check();
      await sleep(LOOK_PERIOD_MS);
    }
    await sleep(SETTLE_MS);
    onLook?.(observer);

    const before = { published: observer.cameraInfos, depths: observer.depths, status: observer.status };
    const latencyFrom = observer.stampToDepthMs.length;
    const cpuBefore = processes.map(({ pid }) => processorSeconds(pid));
    const rss: number[][] = processes.map(() => []);
    const startedMs = performance.now();
    for (let look = 0; ; look++) {
      check();
      for (const [i, process] of processes.entries()) rss[i].push(await residentMebibytes(process));
      onLook?.(observer);
      const leftMs = startedMs + seconds * 1000 - performance.now();
      if (leftMs <= 0) break;
      await sleep(Math.min(leftMs, LOOK_PERIOD_MS));
    }
    const published = observer.cameraInfos - before.published;
    const measuredSeconds = (performance.now() - startedMs) / 1000;
    const cpuAfter = processes.map(({ pid }) => processorSeconds(pid));
    await sleep(ON_THE_WAY_MS);
    // What is published meanwhile is left out of both counts by the stamps' order: at most the frames of ON_THE_WAY_MS.
    const late = observer.cameraInfos - before.published - published;
    const depths = Math.min(published, observer.depths - before.depths - late);
    const names = processes.map(({ name }) => name);
    return {
      seconds: hundredth(measuredSeconds),
      image: `1280x720 rgb8, ${names.join(', ')}`,
      published,
      depths,
      depths_per_s: hundredth(depths / measuredSeconds),
      dropped: (observer.status?.dropped ?? 0) - (before.status?.dropped ?? 0),
      dropped_share: Math.round((10_000 * Math.max(0, published - depths)) / Math.max(1, published)) / 10_000,
      latency_ms: percentiles(observer.stampToDepthMs.slice(latencyFrom)),
      rss_mib: Object.fromEntries(names.map((name, i) => [name, memory(rss[i])])),
      cores_used: Object.fromEntries(
        names.map((name, i) => [name, hundredth((cpuAfter[i] - cpuBefore[i]) / measuredSeconds)]),
      ),
    };
  } finally {
    observer.close();
    await Promise.all(processes.map((process) => process.stop()));
  }
}

function memory(values: readonly number[]): ResidentMemory {
  const mean = (part: readonly number[]): number =>
    Math.round(part.reduce((sum, value) => sum + value, 0) / part.length);
  const border = (quarter: number): number => Math.round((quarter * values.length) / 4);
  const quarters = [0, 1, 2, 3].map((quarter) => mean(values.slice(border(quarter), border(quarter + 1))));
  return { quarters, most: Math.max(...values) };
}

async function residentMebibytes({ pid }: NodeProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024);
}
