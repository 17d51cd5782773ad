import type { DiagnosticStatus } from './ros/messages';

const LATENCY_WINDOW = 300;

/** Counters of depth_node since it was configured or reset, and its recent latency and rate. */
export class DepthStatistics {
  /** Image messages that arrived. Every one of them ends up in exactly one of the five below, or is still in work. */
  framesIn = 0;
  framesOut = 0;
  /** Displaced by a newer frame while waiting for the network. */
  dropped = 0;
  /** Not readable as an image, or too large. */
  rejected = 0;
  /** The network run threw. */
  failed = 0;
  /** Not looked at, for max_rate. */
  skipped = 0;
  /** Of framesOut those on which nothing is to be seen. */
  black = 0;
  /** Of the last image: whether the network sees it rectified, so that depth is of another view than the image's. */
  isRectified: boolean | undefined;
  /** When the last image message arrived, by performance.now(). */
  lastImageMs: number;
  readonly #latenciesMs: number[] = [];
  #runMs = 0;
  #motionMs = 0;
  #before = { framesIn: 0, framesOut: 0, dropped: 0, failed: 0 };
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.lastImageMs = nowMs;
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

  /** State for /diagnostics; rates are over the time since the call before. */
  status(
    nowMs: number,
    node: { readonly name: string; readonly hardwareId: string },
    model: { name: string; version: string; sha256: string; provider: string },
  ): DiagnosticStatus {
    const seconds = Math.max(1e-3, (nowMs - this.#sinceMs) / 1000);
    const { framesIn, framesOut, dropped, failed } = this;
    const before = this.#before;
    const fps = (framesOut - before.framesOut) / seconds;
    const arrived = framesIn - before.framesIn;
    const displaced = dropped - before.dropped;
    const broken = failed - before.failed;
    this.#sinceMs = nowMs;
    this.#before = { framesIn, framesOut, dropped, failed };

    const sorted = [...this.#latenciesMs].sort((a, b) => a - b);
    const p50 = percentile(sorted, 0.5);
    const p95 = percentile(sorted, 0.95);
    const troubles = [
      ...(arrived === 0 ? ['no images arrive'] : []),
      ...(broken > 0 ? [`the network failed on ${broken} of ${arrived} frames`] : []),
      ...(displaced > 0.1 * arrived ? [`${displaced} of ${arrived} frames dropped`] : []),
    ];
    return {
      level: broken > 0 && broken >= arrived ? 2 : troubles.length > 0 ? 1 : 0,
      name: `${node.name}: Inference`,
      message: [...(arrived === 0 ? [] : [`${fps.toFixed(1)} depths/s`]), ...troubles].join(', '),
      hardwareId: node.hardwareId,
      values: {
        frames_in: `${framesIn}`,
        frames_out: `${framesOut}`,
        dropped: `${dropped}`,
        rejected: `${this.rejected}`,
        failed: `${failed}`,
        skipped: `${this.skipped}`,
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
