/** Messages between InferenceWorker (any thread) and inferenceThread (the thread that owns the onnxruntime session). */
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
  /** One int32, 1 once the thread is to end; read where messages are not: while it loads the model. */
  readonly stop: SharedArrayBuffer;
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

/** Asks for a copy of the features that the next frame would be compared with. */
export interface FeaturesRequest {
  readonly kind: 'features';
}

/**
 * Sets what the next frame is compared with: the given features, those that the network itself computes of an image, or, with neither, nothing.
 */
export interface PrimeRequest {
  readonly kind: 'prime';
  /** float32 [h/8][w/8][C] */
  readonly features?: Float32Array;
  /** uint8 [height][width][3] rgb */
  readonly image?: Uint8Array;
}

/** The first run allocates and is several times slower: this one is for nobody. Answered as a PrimeRequest; a given image's answer must be finite. */
export interface WarmUpRequest {
  readonly kind: 'warm up';
  /** uint8 [height][width][3] rgb; black where there is none */
  readonly image?: Uint8Array;
}

export type ThreadRequest =
  ({ readonly kind: 'infer' } & InferRequest) | FeaturesRequest | PrimeRequest | WarmUpRequest;

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
  | { readonly kind: 'ready'; readonly executionProvider: ExecutionProvider; readonly featuresDigest: string }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'depth'; readonly image: Uint8Array; readonly maps: DepthMaps }
  | { readonly kind: 'depth failed'; readonly image: Uint8Array; readonly text: string }
  /** Follows every 'depth'; without a motion where none was wanted or there was no frame before. */
  | { readonly kind: 'motion'; readonly motion: EgoMotion | undefined }
  | { readonly kind: 'motion failed'; readonly text: string }
  /** Answers a FeaturesRequest; without features where the next frame would be compared with nothing. */
  | { readonly kind: 'features'; readonly features: Float32Array | undefined }
  /** Answers a PrimeRequest or a WarmUpRequest. */
  | { readonly kind: 'primed' }
  | { readonly kind: 'prime failed'; readonly text: string };
