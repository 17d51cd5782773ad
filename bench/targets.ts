/** The nodes under measurement, each in a namespace of its own, and the process that measures them from outside. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Intrinsics } from '../src/geometry/camera';
import { NodeProcess, nodeCommand, type ParameterValue } from '../src/demo/nodeProcess';
import { packageRoot } from '../src/paths';

export type TargetName = 'node' | 'peer' | 'peer_opencv';

export interface Target {
  readonly name: TargetName;
  readonly process: NodeProcess;
}

export interface TargetOptions {
  readonly python: string;
  readonly modelPath: string;
  readonly threads: number;
  /** More parameters of depth_node. */
  readonly parameters?: Readonly<Record<string, ParameterValue>>;
}

/** Starts one; the measuring process waits for it. */
export function startTarget(name: TargetName, { python, modelPath, threads, parameters }: TargetOptions): Target {
  const remap = { __ns: namespace(name) };
  const model = { model: modelPath, threads };
  const peer = [python, join(packageRoot(), 'bench', 'peers', 'depth_node.py')];
  const process =
    name === 'node'
      ? new NodeProcess({
          name: 'depth_node',
          command: nodeCommand('depthNode'),
          remap,
          parameterFile: join(packageRoot(), 'config', 'camera.yaml'),
          parameters: { ...model, ...parameters },
        })
      : new NodeProcess({
          name: 'depth_node',
          command: peer,
          remap,
          parameters: { ...model, shrink: name === 'peer' ? 'graph' : 'opencv' },
        });
  return { name, process };
}

/** What one run of measure.py saw. */
export interface Measured {
  readonly published: number;
  readonly received: number;
  readonly per_second: number;
  /** Of the target's process, user and system time. */
  readonly processor_s: number;
  /** Point clouds received, and the points of the last one; 0 where none were asked for. */
  readonly clouds: number;
  readonly points: number;
  readonly latencies_ms: readonly number[];
  /** When each depth came, by Date.now(). */
  readonly received_at_ms: readonly number[];
  /** When images were published that never had a depth. */
  readonly missing_at_ms: readonly number[];
}

export interface MeasureOptions {
  readonly python: string;
  readonly width: number;
  readonly height: number;
  /** Images per second; 0 for as fast as it goes. */
  readonly rate: number;
  readonly seconds: number;
  /** Pictures to play in place of ready-made ones. */
  readonly pictures?: Pictures;
  /** Subscribes to ~/points, too. */
  readonly points?: boolean;
}

/** rgb8 pictures of one size, one after the other in a file. */
export interface Pictures {
  readonly file: string;
  readonly intrinsics: Intrinsics;
}

/** Images to the target, depths back. Throws Error with the words of whichever process failed. */
export async function measure(target: Target, options: MeasureOptions): Promise<Measured> {
  const { python, width, height, rate, seconds, pictures, points } = options;
  const base = namespace(target.name);
  const topics = ['--image', `${base}/image`, '--depth', `${base}/depth_node/depth`];
  const numbers = { width, height, rate, seconds };
  const flags = Object.entries(numbers).flatMap(([flag, value]) => [`--${flag}`, `${value}`]);
  if (target.process.pid !== undefined) flags.push('--pid', `${target.process.pid}`);
  if (points) flags.push('--points', `${base}/depth_node/points`);
  if (pictures) {
    const { fx, fy, cx, cy } = pictures.intrinsics;
    flags.push('--frames', pictures.file, '--intrinsics', ...[fx, fy, cx, cy].map(String));
  }
  const running = promisify(execFile)(python, [join(packageRoot(), 'bench', 'measure.py'), ...topics, ...flags], {
    maxBuffer: 64 << 20,
  });
  const died = target.process.ended.then(() => {
    running.child.kill();
    throw new Error(`${target.name}: ${target.process.describeEnd()}`);
  });
  const { stdout } = await Promise.race([running, died]).catch((error: Error & { stderr?: string }) => {
    throw target.process.end ? error : new Error(`${target.name}: ${error.stderr?.trim() || error.message}`);
  });
  died.catch(() => undefined); // when it is ended later, on purpose
  return JSON.parse(stdout) as Measured;
}

/** Where a target's topics are. */
export function namespace(name: TargetName): string {
  return `/bench_${name}`;
}
