/**
 * glibc's heap in processes that run for months. Left alone, glibc raises the size from which blocks are mapped (and given back when freed) to that of the first
 * model that is replaced, and the next ones leave holes.
 */
import { native } from './native';

const ARENAS = 2;
/** While a model loads: its blocks are mapped one by one, and go back to the system with it. */
const LOADING = 128 * 1024;

let usual: number | undefined;

/**
 * Keeps the process's memory flat while models come and go. Call it before threads begin. A MALLOC_MMAP_THRESHOLD_ of the user's stays.
 *
 * @param mmapThreshold bytes: under a model's size, and over that of what is allocated for every frame or step, for mapping costs time
 */
export function keepHeapFlat(mmapThreshold: number): void {
  if (process.env.MALLOC_MMAP_THRESHOLD_) return;
  usual = mmapThreshold;
  native.limitHeap(usual, ARENAS);
}

/** What `work` allocates leaves no holes when it is freed; frames meanwhile are a little slower. One at a time. */
export async function withoutHoles<T>(work: () => Promise<T>): Promise<T> {
  if (usual === undefined) return work();
  native.limitHeap(LOADING, ARENAS);
  try {
    return await work();
  } finally {
    native.limitHeap(usual, ARENAS);
  }
}
