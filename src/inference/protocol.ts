/** Messages between InferenceWorker (any thread) and inferenceThread (the thread that owns the onnxruntime session). */
import type { MessagePort } from 'node:worker_threads';
import type { Graphs } from './graphs';
import type { ModelDescription } from './modelFile';

export type ExecutionProvider = 'cpu' | 'cuda' | 'webgpu';

/** workerData of the thread. */
export interface ThreadStart {
  readonly modelPath: string;
  /** The model file, or what was made of it before. */
  readonly model: Uint8Array | Graphs;
  readonly description: ModelDescription;
  readonly executionProvider: ExecutionProvider;
  readonly threads: number;
}

/**
 * A new thread's work before its first frame, a step at a time and in this order: beside a running model every step takes a turn between two frames,
 * for one more busy thread makes a run three times as long. A run allocates the first time and is several times slower: these are for nobody.
 */
export const PREPARATION = ['depth session', 'motion session', 'depth run', 'motion run'] as const;

export interface PrepareRequest {
  readonly kind: 'prepare';
  readonly step: (typeof PREPARATION)[number];
  /** For the depth run: uint8 [height][width][3] rgb, the answer for it must be finite; black where there is none. */
  readonly image?: Uint8Array;
}

/** What is handed over with graphs, in place of a copy that would hold a frame up. */
export function buffersOf(graphs: Graphs | undefined): ArrayBuffer[] {
  return [graphs?.depth, graphs?.motion].flatMap((bytes) => (bytes ? [bytes.buffer as ArrayBuffer] : []));
}

/** Ends the thread after the run in work. Worker.terminate() in the middle of native code aborts the whole process. */
export const CLOSE = 'close';

/** One frame at network size. `image`, uint8 [height][width][3] rgb, is handed over and comes back with the answer. */
export interface InferRequest {
  readonly image: Uint8Array;
  /** True when the features of the frame before must not be used: first frame, gap, jump back, new resolution. */
  readonly forgetPrevious: boolean;
  /** False where nobody will read the ego-motion: it is not computed then. */
  readonly wantsMotion: boolean;
  /** fx, fy, cx, cy of the camera for an image of the network's size; undefined: those of the model's training camera. */
  readonly intrinsics?: readonly [number, number, number, number];
}

/** Asks for a copy of the features that the next frame would be compared with, or undefined where that is none: sent to the port. */
export interface FeaturesRequest {
  readonly kind: 'features';
  readonly port: MessagePort;
}

/**
 * Sets what the next frame is compared with: what comes from the port, once it is there, or what the network itself computes of an image, whose answer must be
 * finite, or, with neither, nothing.
 */
export interface PrimeRequest {
  readonly kind: 'prime';
  readonly port?: MessagePort;
  /** uint8 [height][width][3] rgb */
  readonly image?: Uint8Array;
}

export type ThreadRequest =
  ({ readonly kind: 'infer' } & InferRequest) | PrepareRequest | FeaturesRequest | PrimeRequest;

/** The first half of the network's answer for one frame, float32; shapes as in the graph contract without the leading 1. */
export interface DepthMaps {
  /** [height][width], along Z, the model's own scale. */
  readonly depth: Float32Array;
  /** [height][width][2] forward differences du, dv of ln(1/Z). */
  readonly gradient: Float32Array;
  /** [height][width] in 0..1. */
  readonly confidence: Float32Array;
  /** Whether a frame before was there to compare with: false after forgetPrevious. */
  readonly hasPrevious: boolean;
  /** Time of session.run alone. */
  readonly runMilliseconds: number;
}

/** The second half, computed while the first is published. */
export interface EgoMotion {
  /** Translation x y z, then axis-angle: the current camera's pose in the previous camera's optical frame. */
  readonly vector: Float32Array;
  readonly runMilliseconds: number;
}

export type ThreadReport =
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'prepared'; readonly executionProvider: ExecutionProvider; readonly featuresDigest: string }
  | { readonly kind: 'prepare failed'; readonly text: string }
  | { readonly kind: 'depth'; readonly image: Uint8Array; readonly maps: DepthMaps }
  | { readonly kind: 'depth failed'; readonly image: Uint8Array; readonly text: string }
  /** Follows every 'depth'; without a motion where none was wanted or there was no frame before. */
  | { readonly kind: 'motion'; readonly motion: EgoMotion | undefined }
  | { readonly kind: 'motion failed'; readonly text: string }
  /** Answers a PrimeRequest: how long it took. */
  | { readonly kind: 'primed'; readonly milliseconds: number }
  | { readonly kind: 'prime failed'; readonly text: string };
