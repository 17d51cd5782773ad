import { availableParallelism } from 'node:os';

/** Pixels of a batch (of its targets) from which waking further threads for every kernel pays. */
const PIXELS_PER_STEP = 100_000;

/**
 * Threads with which a training step is fastest. On two cores a step on 53,248 pixels took 88 ms on one thread and 103 on two, on 212,992
 * pixels 285 and 235.
 */
export function computeThreads(pixels: number): number {
  return pixels < PIXELS_PER_STEP ? 1 : availableParallelism();
}
