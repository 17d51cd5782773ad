import { native } from '../native';

const ARENAS = 2;

/**
 * Keeps the process's memory flat while models come and go: left alone, glibc raises the size from which blocks are mapped (and given back when freed) to that
 * of the first model that is replaced, and the next ones leave holes. Call it before threads begin. A MALLOC_MMAP_THRESHOLD_ of the user's stays.
 *
 * @param mmapThreshold bytes: under a model's size, and over that of what is allocated for every frame or step, for mapping costs time
 */
export function keepHeapFlat(mmapThreshold: number): void {
  if (!process.env.MALLOC_MMAP_THRESHOLD_) native.limitHeap(mmapThreshold, ARENAS);
}
