/** The JSON file of npm run bench:swap. */
import type { Percentiles } from '../src/demo/percentiles';
import type { UpdateKind } from '../src/inference/modelUpdate';
import type { Machine } from './machine';

/** Of the images, and of the depths they became. */
export interface Share {
  readonly images: number;
  /** Images without a depth. */
  readonly missing: number;
  readonly latency_ms: Percentiles;
  readonly between_depths_ms: Percentiles;
}

export interface SwapReport {
  readonly machine: Machine;
  readonly model: string;
  readonly threads: number;
  readonly width: number;
  readonly height: number;
  /** Images per second. */
  readonly rate: number;
  readonly without_update: Share;
  readonly while_an_update_is_taken: Share;
  readonly swaps: readonly {
    readonly kind: UpdateKind;
    readonly bytes: number;
    readonly taken_after_ms: number;
    /** ModelAck's swap_ms. */
    readonly frames_waited_ms: number;
    /** From the old model's last depth to the new one's first. */
    readonly between_depths_ms: number;
  }[];
}
