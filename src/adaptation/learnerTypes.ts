/** What the learner tells: events, reports, status. */
import type { VariableGroup } from '../model/network';
import type { SkipReason } from './frameGate';
import type { Judgement } from './guard';

/**
 * waiting: there are no source frames; learning: it takes triplets; candidate: the averaged weights are being judged; paused: after too many
 * rollbacks, until `resume`.
 */
export type LearnerState = 'waiting' | 'learning' | 'candidate' | 'paused';

/** A model to be run in place of the one before. */
export interface ModelUpdate {
  onnx: Uint8Array;
  /** Of the bytes, hexadecimal. */
  sha256: string;
  version: string;
  /** SHA-256 of the model it takes the place of. */
  parent: string;
  /** Parts of the network whose weights may be others than the parent's; all else is the same. */
  changed: readonly VariableGroup[];
}

export interface LearnerEvents {
  promoted: [ModelUpdate];
  /** `update`: the published model itself was withdrawn, and this, the reference again, takes its place. */
  rolledBack: [{ reason: string; update?: ModelUpdate }];
  paused: [{ reason: string }];
  /** A file that is damaged or cannot be written, named. */
  warning: [{ message: string }];
}

export interface StepReport {
  /** Training steps done, this one included. */
  step: number;
  state: LearnerState;
  milliseconds: number;
  /** Of a training step: the weighted sum, and the terms and figures unweighted. */
  loss?: number;
  losses?: Record<string, number>;
  /** At the end of a judgement. */
  judgement?: Judgement;
}

/** Unmasked photometric errors of the last judgement. */
export interface JudgedErrors {
  reference: number;
  active: number;
  candidate: number;
}

export interface LearnerStatus {
  state: LearnerState;
  /** Why it waits or is paused. */
  reason?: string;
  step: number;
  /** Of the last step: terms and figures unweighted, `loss` and `gradient_norm`. */
  losses: Record<string, number>;
  stepMilliseconds: number;
  placeError?: JudgedErrors;
  sourceError?: JudgedErrors;
  promoted: number;
  rolledBack: number;
  refused: number;
  /** Of the published model. */
  version: string;
  sha256: string;
  /** That the gate has given, and frames it left out by reason. */
  triplets: number;
  skipped: Readonly<Record<SkipReason, number>>;
  buffer: { bytes: number; limit: number; source: number; place: number; judgedSource: number; judgedPlace: number };
}
