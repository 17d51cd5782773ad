/** Which image messages depth_node looks at: none that is too large, and no more a second than wanted. */
import type { DepthStatistics } from './depthStatistics';
import type { ThrottledLog } from './ros/throttledLog';

export interface ImageGateOptions {
  readonly imageTopic: string;
  /** As of now; a maxRate of 0 takes every image. */
  readonly limits: { readonly maxImageBytes: number; readonly maxRate: number };
  readonly statistics: () => DepthStatistics;
  readonly log: ThrottledLog;
  /** Milliseconds that only go up. */
  readonly now?: () => number;
}

/** Share of the period by which an image may be early: cameras are not on time to the millisecond. */
const EARLY = 0.2;

export class ImageGate {
  readonly #options: ImageGateOptions;
  readonly #now: () => number;
  #dueMs = -Infinity;

  constructor(options: ImageGateOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether it goes on into the node; counted where it does not. Nothing is allocated by what the message says of itself. */
  admits(message: { readonly length: number }): boolean {
    const { limits, imageTopic, log } = this.#options;
    const statistics = this.#options.statistics();
    const now = this.#now();
    statistics.lastImageMs = now;
    if (message.length > limits.maxImageBytes) {
      statistics.framesIn++;
      statistics.rejected++;
      const text = `message has ${message.length} bytes, max_image_bytes is ${limits.maxImageBytes}`;
      log.warn('image message', `${imageTopic}: image ignored: ${text}`);
      return false;
    }
    if (limits.maxRate <= 0) return true;
    const period = 1000 / limits.maxRate;
    // As far ahead as an early image puts it: a period that was longer until now is not waited for.
    this.#dueMs = Math.min(this.#dueMs, now + (1 + EARLY) * period);
    if (now < this.#dueMs - EARLY * period) {
      statistics.framesIn++;
      statistics.skipped++;
      return false;
    }
    // In step with the rate where the camera keeps up, so that it is reached on average; else from now on.
    this.#dueMs = now - this.#dueMs > period ? now + period : this.#dueMs + period;
    return true;
  }
}
