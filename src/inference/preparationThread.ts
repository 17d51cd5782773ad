/**
 * Thread that gets the next model ready beside the running one: an update is unpacked (hashing, protobuf), its graphs are optimised. Frames go before:
 * one busy thread beside them doubles the time of a run, whose own threads wait for each other.
 */
import './lowPriority';
import { parentPort, workerData } from 'node:worker_threads';
import { optimised, type Graphs } from './graphs';
import type { ModelDescription, ModelFile } from './modelFile';
import { unpackModelUpdate, type ModelUpdate } from './modelUpdate';
import { buffersOf, type ExecutionProvider } from './protocol';

export interface PreparationStart {
  readonly executionProvider: ExecutionProvider;
  /** What to get ready: a file that is here already, or an update. */
  readonly model:
    | { readonly file: ModelFile }
    | { readonly update: ModelUpdate; readonly parent: Uint8Array; readonly running: ModelDescription };
}

/** Graphs only for the CPU, and where they could be optimised: without them the inference thread does it all, and says what is wrong. */
export type PreparationReport =
  { readonly file: ModelFile; readonly graphs: Graphs | undefined } | { readonly refusal: string };

async function main({ executionProvider, model }: PreparationStart): Promise<void> {
  const file = 'file' in model ? model.file : unpackModelUpdate(model.update, model.parent, model.running);
  const graphs = executionProvider === 'cpu' ? await optimised(file.bytes).catch(() => undefined) : undefined;
  const handedOver = [file.bytes.buffer as ArrayBuffer, ...buffersOf(graphs)];
  parentPort!.postMessage({ file, graphs } satisfies PreparationReport, handedOver);
}

main(workerData as PreparationStart).catch((error: Error) =>
  parentPort!.postMessage({ refusal: error.message } satisfies PreparationReport),
);
