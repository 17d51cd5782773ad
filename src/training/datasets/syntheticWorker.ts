/** Worker thread of openSyntheticSet: renders its parts and posts a message after every sample. */
import { parentPort, workerData } from 'node:worker_threads';
import { renderPart, type SyntheticWorkerData } from './syntheticSet';

const { parts, ...work } = workerData as SyntheticWorkerData;
for (const part of parts) renderPart(work, part, () => parentPort?.postMessage(1));
