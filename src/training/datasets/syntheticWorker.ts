/** Worker thread of openSyntheticSet: renders its parts and posts a message after every sample. */
import { parentPort, workerData } from 'node:worker_threads';
import { renderPart, type SyntheticWorkerData } from './syntheticSet';

const { key, folder, parts } = workerData as SyntheticWorkerData;
for (const part of parts) renderPart(key, folder, part, () => parentPort?.postMessage(1));
