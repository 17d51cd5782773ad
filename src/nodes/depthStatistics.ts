import type { DiagnosticStatus } from './ros/messages';

const LATENCY_WINDOW = 300;

/** Counters of depth_node since its start, and its recent latency and rate. */
export class DepthStatistics {
  /** Image messages that arrived. Every one of them ends up in exactly one of the four below, or is still in work. */
  framesIn = 0;
  framesOut = 0;
  /** Displaced by a newer frame while waiting for the network. */
  dropped = 0;
  /** Not readable as an image. */
  rejected = 0;
  /** The network run threw. */
  failed = 0;
  readonly #latenciesMs: number[] = [];
  #runMs = 0;
  #motionMs = 0;
  #framesInBefore = 0;
  #framesOutBefore = 0;
  #droppedBefore = 0;
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Counts one published frame. Latency: image message taken to depth published. */
  published(latencyMs: number, runMs: number): void {
    this.framesOut++;
    this.#latenciesMs.push(latencyMs);
    if (this.#latenciesMs.length > LATENCY_WINDOW) this.#latenciesMs.shift();
    this.#runMs = smoothed(this.#runMs, runMs);
  }

  /** Time of one ego-motion run, which follows the depth's. */
  motionComputed(runMs: number): void {
    this.#motionMs = smoothed(this.#motionMs, runMs);
  }

  /** State for /diagnostics, as that of the node; rates are over the time since the call before. */
  status(
    nowMs: number,
    nodeName: string,
    model: { name: string; version: string; sha256: string; provider: string },
  ): DiagnosticStatus {
    const seconds = Math.max(1e-3, (nowMs - this.#sinceMs) / 1000);
    const fps = (this.framesOut - this.#framesOutBefore) / seconds;
    const arrived = this.framesIn - this.#framesInBefore;
    const dropped = this.dropped - this.#droppedBefore;
    this.#sinceMs = nowMs;
    this.#framesInBefore = this.framesIn;
    this.#framesOutBefore = this.framesOut;
    this.#droppedBefore = this.dropped;

    const sorted = [...this.#latenciesMs].sort((a, b) => a - b);
    const p50 = percentile(sorted, 0.5);
    const p95 = percentile(sorted, 0.95);
    const stale = arrived === 0;
    const overloaded = dropped > 0.1 * arrived;
    return {
      level: stale || overloaded ? 1 : 0,
      name: `${nodeName}: Inference`,
      message: stale
        ? 'no images arrive'
        : `${fps.toFixed(1)} depths/s${overloaded ? `, ${dropped} of ${arrived} frames dropped` : ''}`,
      hardwareId: model.name,
      values: {
        frames_in: `${this.framesIn}`,
        frames_out: `${this.framesOut}`,
        dropped: `${this.dropped}`,
        rejected: `${this.rejected}`,
        failed: `${this.failed}`,
        fps: fps.toFixed(2),
        latency_p50_ms: p50.toFixed(2),
        latency_p95_ms: p95.toFixed(2),
        session_run_ms: this.#runMs.toFixed(2),
        ego_motion_run_ms: this.#motionMs.toFixed(2),
        model_name: model.name,
        model_version: model.version,
        model_sha256: model.sha256,
        execution_provider: model.provider,
      },
    };
  }
}

function smoothed(before: number, value: number): number {
  return before === 0 ? value : 0.95 * before + 0.05 * value;
}

/** Nearest-rank percentile of sorted values; 0 of none. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
