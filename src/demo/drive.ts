/** One drive through both nodes: starts them, watches, takes samples, ends them. */
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFrameSource } from '../media/frameSource';
import { packageRoot } from '../paths';
import { NodeProcess, nodeCommand } from './nodeProcess';
import type { NodeStatus, Observer } from './observer';
import type { DemoResult } from './outputs';
import { hundredth, percentiles } from './percentiles';
import type { Sample } from './sampler';
import type { DemoSource } from './sources';
import type { StatusLine } from './statusLine';

const NAMESPACE = '/demo';
const PICTURE_WIDTH = 416;
/** Of the adaptation's replay buffer, MiB: a tenth of a minute to fill, where the node's default takes half of one. Not whole: JSON writes 64.0 as 64, to ROS an integer. */
const ADAPTATION_BUFFER = 64.5;
/** Moments on the contact sheet. */
const MOMENTS = 6;
const SAMPLE_PERIOD_MS = 250;
const MOST_SAMPLES = 240;
const TICK_MS = 50;
const STATUS_PERIOD_MS = 250;
/** To the first depth: loading the model on a busy machine takes its time. */
const FIRST_DEPTH_LIMIT_MS = 30_000;
const STALL_LIMIT_MS = 10_000;
/** Two diagnostics after the last image. */
const LAST_STATUS_LIMIT_MS = 3500;
const LOWER_PRIORITY = 10;

/** A drive that did not work; the message names the node or file and what to do. */
export class DemoError extends Error {
  override readonly name = 'DemoError';
}

export interface DriveOptions {
  readonly source: DemoSource;
  readonly seconds: number;
  /** Absolute path; undefined for the node's default. */
  readonly modelPath?: string;
  /** Where the adaptation keeps its state; undefined: no adaptation. */
  readonly adaptationFolder?: string;
  /** Whether to show it in a browser meanwhile. */
  readonly dashboard?: boolean;
  readonly statusLine: StatusLine;
}

/** Plays the source for so many seconds of depths, or to its end. Both processes have ended when it returns or throws. */
export async function runDrive(options: DriveOptions): Promise<DemoResult> {
  const { source, modelPath, adaptationFolder, dashboard, statusLine } = options;
  const expected = Math.min(options.seconds, await lengthSeconds(source));
  const parameterFile = join(packageRoot(), 'config', 'camera.yaml');
  const remap = { __ns: NAMESPACE };
  const onWarning = (line: string): void => statusLine.print(line);

  const processes: NodeProcess[] = [];
  const start = (
    name: string,
    script: string,
    parameters: Record<string, string | number>,
    onLine?: (line: string) => void,
  ): NodeProcess => {
    const started = new NodeProcess({
      name,
      command: nodeCommand(script),
      remap,
      parameterFile,
      parameters,
      onWarning,
      onLine,
    });
    processes.push(started);
    return started;
  };
  let observer: Observer | undefined;
  try {
    // The model takes longest to load: its node starts first, and this process joins meanwhile.
    const depthNode = start('depth_node', 'depthNode', {
      image_rows: source.imageRows,
      ...(modelPath && { model: modelPath }),
    });
    const adaptationNode =
      adaptationFolder === undefined
        ? undefined
        : start('adaptation_node', 'adaptationNode', {
            image_rows: source.imageRows,
            folder: adaptationFolder,
            buffer_megabytes: ADAPTATION_BUFFER,
            ...(modelPath && { model: modelPath }),
          });
    const dashboardNode =
      dashboard &&
      // any free port: a dashboard that is running keeps its own
      start('dashboard_node', 'dashboardNode', { image_rows: source.imageRows, port: 0 }, (line) => {
        const address = /page of \S+: (http:\S+)/.exec(line)?.[1];
        if (address) statusLine.print(`dashboard: ${address}`);
      });
    const { Observer } = await import('./observer.js');
    observer = await Observer.start({ namespace: NAMESPACE, imageRows: source.imageRows, pictureWidth: PICTURE_WIDTH });
    const replayNode = start('replay_node', 'replayNode', {
      source: source.path,
      ...(source.cameraFile && { camera_info: source.cameraFile }),
    });
    const others = [adaptationNode, dashboardNode].filter((node) => node instanceof NodeProcess);
    setPriority(LOWER_PRIORITY); // this process gives way to the two nodes, which started without it
    const samples = await watch({ ...options, seconds: expected, observer, depthNode, replayNode, others });
    await replayNode.stop();
    const status = await lastStatus(observer, depthNode);
    statusLine.end();
    return result(source, observer, status, samples);
  } finally {
    observer?.close();
    await Promise.all(processes.map((process) => process.stop()));
  }
}

/** Length of the source; infinite where it does not say. Throws FrameSourceError where there is nothing to play. */
async function lengthSeconds(source: DemoSource): Promise<number> {
  if (source.isCamera) return Infinity;
  const opened = await openFrameSource(source.path);
  const { frameCount, framesPerSecond } = opened;
  await opened.close();
  return frameCount === undefined ? Infinity : frameCount / framesPerSecond;
}

interface Watched extends DriveOptions {
  readonly observer: Observer;
  readonly depthNode: NodeProcess;
  readonly replayNode: NodeProcess;
  /** Those that were asked for beside them. */
  readonly others: readonly NodeProcess[];
}

/** Until the seconds are over or the source is: status line, samples, and an eye on both processes. */
async function watch(watched: Watched): Promise<Sample[]> {
  const { observer, depthNode, replayNode, others, seconds, statusLine } = watched;
  const startedMs = performance.now();
  const samples = new Samples(observer, seconds);
  let lastShownMs = -Infinity;
  for (;;) {
    await sleep(TICK_MS);
    const now = performance.now();
    if (depthNode.end) throw new DemoError(depthNode.describeEnd());
    for (const other of others) if (other.end) throw new DemoError(other.describeEnd());
    if (replayNode.end && replayNode.end.code !== 0) throw new DemoError(replayNode.describeEnd());

    const first = observer.firstDepthMs;
    if (first === undefined) {
      if (replayNode.end) throw new DemoError(`the source ended before any depth came. ${progress(observer)}`);
      if (now - startedMs > FIRST_DEPTH_LIMIT_MS) {
        throw new DemoError(
          `no depth within ${FIRST_DEPTH_LIMIT_MS / 1000} s on ${NAMESPACE}/depth_node/depth. ${progress(observer)}`,
        );
      }
      continue;
    }
    if (lastShownMs === -Infinity) statusLine.print(`first depth ${(first / 1000).toFixed(1)} s after the start`);
    if (replayNode.end || now - first >= seconds * 1000) break;
    if (now - observer.lastDepthMs! > STALL_LIMIT_MS) {
      throw new DemoError(
        `no depth for ${STALL_LIMIT_MS / 1000} s on ${NAMESPACE}/depth_node/depth. ${progress(observer)}`,
      );
    }
    samples.take(now - first);
    if (now - lastShownMs >= STATUS_PERIOD_MS) {
      lastShownMs = now;
      statusLine.show(describe(watched, (now - first) / 1000));
    }
  }
  return samples.finish();
}

/** Samples over the drive: many with the depth alone, a few with every map. Thinned out when the drive is long. */
class Samples {
  readonly #observer: Observer;
  readonly #seconds: number;
  #taken: Sample[] = [];
  #moments = 0;
  #periodMs = SAMPLE_PERIOD_MS;
  #nextMs = 0;
  #capturing: Promise<void> = Promise.resolve();

  constructor(observer: Observer, seconds: number) {
    this.#observer = observer;
    this.#seconds = seconds;
  }

  take(elapsedMs: number): void {
    const { sampler } = this.#observer;
    sampler.checkTime(performance.now());
    if (sampler.busy || elapsedMs < this.#nextMs) return;
    this.#nextMs = elapsedMs + this.#periodMs;
    const dueMoments = Math.min(MOMENTS, Math.floor((elapsedMs / 1000 / this.#seconds) * MOMENTS + 0.7));
    const everyMap = this.#moments < dueMoments || this.#taken.length === 0;
    this.#capturing = sampler.capture(everyMap).then((sample) => {
      if (!sample) return;
      if (everyMap) this.#moments++;
      this.#taken.push(sample);
      if (this.#taken.length < MOST_SAMPLES) return;
      this.#taken = this.#taken.filter(({ gradient }, index) => index % 2 === 0 || gradient);
      this.#periodMs *= 2;
    });
  }

  async finish(): Promise<Sample[]> {
    this.#observer.sampler.close();
    await this.#capturing;
    return this.#taken;
  }
}

function describe({ observer, source, seconds }: Watched, elapsed: number): string {
  const { status, adaptation } = observer;
  const learning = adaptation ? ` | adaptation: ${adaptation.steps} steps, ${adaptation.promoted} promoted` : '';
  const time = `${source.name} ${elapsed.toFixed(1)}${Number.isFinite(seconds) ? `/${seconds.toFixed(0)}` : ''} s`;
  if (!status) return `${time} | ${observer.depths} depths`;
  return (
    `${time} | ${status.fps.toFixed(1)} depths/s | latency p50 ${status.latencyP50Ms.toFixed(1)} p95 ${status.latencyP95Ms.toFixed(1)} ms` +
    ` | dropped ${status.dropped} of ${status.framesIn} | ${status.modelName} ${status.modelVersion}${learning}`
  );
}

/** How far the frames came, for messages about frames that did not. */
function progress({ cameraInfos, status }: Observer): string {
  const node = status
    ? `depth_node received ${status.framesIn} images and published ${status.framesOut} depths`
    : 'depth_node has not reported on /diagnostics (is the model still loading?)';
  return `replay_node published ${cameraInfos} camera_info; ${node}. ROS_DOMAIN_ID is ${process.env.ROS_DOMAIN_ID}`;
}

/** The counts once nothing arrives any more. */
async function lastStatus(observer: Observer, depthNode: NodeProcess): Promise<NodeStatus> {
  const limitMs = performance.now() + LAST_STATUS_LIMIT_MS;
  const seen = observer.statuses;
  // The next one may have been on its way already, the one after it counts every frame.
  while (observer.statuses < seen + 2 && performance.now() < limitMs && !depthNode.end) await sleep(TICK_MS);
  if (!observer.status) {
    throw new DemoError(
      `no "${NAMESPACE}/depth_node: Inference" on /diagnostics. ${depthNode.end ? depthNode.describeEnd() : progress(observer)}`,
    );
  }
  return observer.status;
}

function result(source: DemoSource, observer: Observer, status: NodeStatus, samples: Sample[]): DemoResult {
  if (samples.length === 0)
    throw new DemoError(`no image on ${NAMESPACE}/image met a depth of its stamp. ${progress(observer)}`);
  const seconds = (observer.lastDepthMs! - observer.firstDepthMs!) / 1000;
  const report = {
    frames_in: status.framesIn,
    frames_out: status.framesOut,
    dropped: status.dropped,
    fps: seconds > 0 ? hundredth((status.framesOut - 1) / seconds) : 0,
    latency_ms: { p50: status.latencyP50Ms, p95: status.latencyP95Ms },
    model: { name: status.modelName, version: status.modelVersion, sha256: status.modelSha256 },
    ros: { distro: process.env.ROS_DISTRO ?? 'unknown', rmw: process.env.RMW_IMPLEMENTATION ?? 'rmw_fastrtps_cpp' },
    source: source.name,
    seconds: hundredth(seconds),
    first_depth_s: hundredth(observer.firstDepthMs! / 1000),
    stamp_to_depth_ms: percentiles(observer.stampToDepthMs),
    ...(observer.adaptation && { adaptation: observer.adaptation }),
  };
  return { report, samples, path: observer.path };
}
