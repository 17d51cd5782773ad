/** Thread that unpacks one model update (hashing, protobuf), so that frames go on meanwhile; started by `unpackInThread`. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ModelDescription, ModelFile } from './modelFile';
import { unpackModelUpdate, type ModelUpdate } from './modelUpdate';

export interface UnpackStart {
  readonly update: ModelUpdate;
  readonly parent: Uint8Array;
  readonly running: ModelDescription;
}

export type UnpackReport = { readonly file: ModelFile } | { readonly refusal: string };

const { update, parent, running } = workerData as UnpackStart;
try {
  const file = unpackModelUpdate(update, parent, running);
  parentPort!.postMessage({ file } satisfies UnpackReport, [file.bytes.buffer as ArrayBuffer]);
} catch (error) {
  parentPort!.postMessage({ refusal: (error as Error).message } satisfies UnpackReport);
}
