/** The bench's JSON file. */
import type { Percentiles } from '../src/demo/percentiles';
import type { Machine } from './machine';

export interface Conditions extends Machine {
  readonly ros: string;
  /** Threads of every onnxruntime session. */
  readonly threads: number;
  readonly rounds: number;
  readonly seconds_per_measurement: number;
  readonly model: {
    readonly name: string;
    readonly version: string;
    readonly sha256: string;
    readonly width: number;
    readonly height: number;
  };
}

export interface Soak {
  readonly seconds: number;
  readonly image: string;
  /** Images published, counted by their camera_info. */
  readonly published: number;
  readonly depths: number;
  readonly depths_per_s: number;
  /** Displaced in depth_node by a newer frame. */
  readonly dropped: number;
  /** Share of the published images without a depth, wherever they were lost. */
  readonly dropped_share: number;
  readonly latency_ms: Percentiles;
  readonly rss_mib: Readonly<Record<string, ResidentMemory>>;
  /** Processor seconds per second. */
  readonly cores_used: Readonly<Record<string, number>>;
}

/** MiB. Garbage collection makes a saw of it, so the means of the four quarters of the time say whether it grows. */
export interface ResidentMemory {
  readonly quarters: readonly number[];
  readonly most: number;
}

export interface BenchReport {
  /** Bare session.run, image of the network's size. */
  readonly session_run_ms: Percentiles;
  /** Image published to depth received by another process: 640x480 rgb8 at 25 per second. */
  readonly node_latency_ms: Percentiles;
  readonly peer_latency_ms: Percentiles;
  /** Depths per second as fast as it goes, 640x480. */
  readonly node_fps: number;
  readonly peer_fps: number;
  /** Bare session.run, 640x480 image: the graph shrinks it. */
  readonly session_run_640x480_ms: Percentiles;
  /** The peer with OpenCV's area resize in front of the graph. */
  readonly peer_opencv_latency_ms: Percentiles;
  readonly peer_opencv_fps: number;
  readonly node_fps_1280x720: number;
  readonly peer_fps_1280x720: number;
  readonly conditions: Conditions;
  readonly soak?: Soak;
}
