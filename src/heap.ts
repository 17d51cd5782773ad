/**
 * glibc's heap in processes that run for months. Left alone, glibc raises the size from which blocks are mapped (and given back when freed) to that of the first
 * model that is replaced, and the next ones leave holes.
 */
import { native } from './native';

const ARENAS = 2;
/** Over images and tensors, which come and go all the time and would be mapped anew each time; under a model. */
const USUAL = 12 * 1024 * 1024;
/** While a model loads: its blocks are mapped one by one, and go back to the system with it. */
const LOADING = 128 * 1024;

let isKept = false;

/** Keeps the process's memory flat while models come and go. Call it before threads begin. A MALLOC_MMAP_THRESHOLD_ of the user's stays. */
export function keepHeapFlat(): void {
  if (process.env.MALLOC_MMAP_THRESHOLD_) return;
  isKept = true;
  native.limitHeap(USUAL, ARENAS);
}

/** What `work` allocates leaves no holes when it is freed; frames meanwhile are a little slower. One at a time. */
export async function withoutHoles<T>(work: () => Promise<T>): Promise<T> {
  if (!isKept) return work();
  native.limitHeap(LOADING, ARENAS);
  try {
    return await work();
  } finally {
    native.limitHeap(USUAL, ARENAS);
  }
}
