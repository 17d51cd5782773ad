/** What the node's thread and the learner's thread say to each other. */
import type { LearnerStatus, ModelUpdate } from '../adaptation/learnerTypes';
import type { AdaptationOptions } from '../adaptation/options';
import type { Triplet } from '../adaptation/frame';

export interface AdaptationThreadData {
  readonly modelPath: string;
  readonly source: { readonly path: string; readonly cameraFile: string };
  readonly folder: string;
  readonly options: AdaptationOptions;
  readonly savePeriod: number;
  readonly enabled: boolean;
}

/** What is answered, by its id. */
export type Control = { readonly kind: 'enable'; readonly on: boolean } | { readonly kind: 'reset' | 'save' };

export type AdaptationRequest =
  | { readonly kind: 'triplet'; readonly triplet: Triplet }
  | { readonly kind: 'settings'; readonly options: AdaptationOptions; readonly savePeriod: number }
  | { readonly kind: 'withdraw'; readonly reason: string }
  | { readonly kind: 'control'; readonly id: number; readonly control: Control }
  | { readonly kind: 'close' };

/** Where the thread is, beside the learner's own state. */
export interface ThreadStatus {
  readonly learner: LearnerStatus;
  readonly enabled: boolean;
  /** Why there are no source frames. */
  readonly sourceFault?: string;
  /** What could not be written last; undefined since something could. */
  readonly storageFault?: string;
}

export type AdaptationReport =
  /** Buffer and state are read; `published` is what was published before, undefined where that is the model it started from. */
  | { readonly kind: 'ready'; readonly published?: ModelUpdate }
  /** A triplet would be learned from now. */
  | { readonly kind: 'wants triplet' }
  | { readonly kind: 'status'; readonly status: ThreadStatus }
  /** undefined: the model it started from. */
  | { readonly kind: 'publish'; readonly update?: ModelUpdate; readonly reason: string }
  | { readonly kind: 'note'; readonly level: 'info' | 'warn'; readonly text: string }
  | { readonly kind: 'answer'; readonly id: number; readonly fault?: string; readonly text: string }
  | { readonly kind: 'failed'; readonly text: string };
