/** Worker thread of ReadAhead: makes the batches of the steps it is asked for, one after the other. */
import { parentPort, workerData, type TransferListItem } from 'node:worker_threads';
import { BatchesInTurn } from './batches/batchSource';
import { openDataSets } from './data';
import { Random } from './random';
import type { BatchAnswer, BatchRequest, BatchWorkerData } from './readAhead';

const { recipe } = workerData as BatchWorkerData;
const random = new Random(recipe.seed);
const opened = openDataSets(recipe, random).then((dataSets) => new BatchesInTurn(recipe, dataSets, random));
// The requests that wait for it report a failure to open.
opened.catch(() => undefined);

/** The buffers of a batch's arrays: they are handed over, not copied. */
function buffersOf(value: object): ArrayBuffer[] {
  const buffers = Object.values(value).flatMap((part): ArrayBuffer[] => {
    if (ArrayBuffer.isView(part)) return [part.buffer as ArrayBuffer];
    return part !== null && typeof part === 'object' ? buffersOf(part as object) : [];
  });
  return [...new Set(buffers)];
}

async function answer(step: number): Promise<void> {
  try {
    const made = (await opened).at(step);
    parentPort?.postMessage({ step, ...made } satisfies BatchAnswer, buffersOf(made.batch) as TransferListItem[]);
  } catch (error) {
    parentPort?.postMessage({ step, error: (error as Error).message } satisfies BatchAnswer);
  }
}

let last = Promise.resolve();
parentPort?.on('message', (request: BatchRequest) => {
  if ('end' in request) parentPort?.close();
  else last = last.then(() => answer(request.step));
});
