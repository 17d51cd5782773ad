/** What the sessions of a model file are made of. */
import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnx } from 'onnx-proto';
import { InferenceSession } from 'onnxruntime-node';
import { featuresDigest, splitModel } from './splitModel';

export interface Graphs {
  /** ONNX bytes: the model's inputs -> its outputs, without `ego_motion` where that is a graph of its own. */
  readonly depth: Uint8Array;
  readonly motion: Uint8Array | undefined;
  readonly featuresDigest: string;
  /** By onnxruntime, for this machine's CPU: a session of it begins in a third of the time. */
  readonly optimised: boolean;
}

export function graphsOf(modelBytes: Uint8Array): Graphs {
  const model = onnx.ModelProto.decode(modelBytes);
  const parts = splitModel(model);
  const depth = parts?.depth ?? modelBytes;
  return { depth, motion: parts?.motion, featuresDigest: featuresDigest(model), optimised: false };
}

/** As `graphsOf`, optimised; the results of both are equal bit by bit. Throws where onnxruntime cannot load them or write what it made. */
export async function optimised(modelBytes: Uint8Array): Promise<Graphs> {
  const { depth, motion, featuresDigest } = graphsOf(modelBytes);
  return {
    depth: await optimise(depth),
    motion: motion && (await optimise(motion)),
    featuresDigest,
    optimised: true,
  };
}

/** onnxruntime writes it to a path only: to that of an open file without a name, so that nothing is left behind however this ends. */
async function optimise(graph: Uint8Array): Promise<Uint8Array> {
  const path = join(tmpdir(), `depthgrad-${randomUUID()}.onnx`);
  const file = openSync(path, 'wx+', 0o600);
  try {
    rmSync(path);
    const session = await InferenceSession.create(graph, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4, // it warns that the file is for this machine only, which it is
      optimizedModelFilePath: `/proc/self/fd/${file}`,
    });
    await session.release();
    const bytes = new Uint8Array(fstatSync(file).size);
    for (let read = 0; read < bytes.length;) read += readSync(file, bytes, read, bytes.length - read, read);
    return bytes;
  } finally {
    closeSync(file);
  }
}
