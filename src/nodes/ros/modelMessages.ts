/** depthgrad/ModelUpdate and depthgrad/ModelAck as they are in CDR, field by field in the order of their .msg files. */
import type { UpdateOutcome } from '../../inference/modelHost';
import type { ModelUpdate, UpdateKind } from '../../inference/modelUpdate';
import { CdrReader, type CdrWriter, type Time } from './cdr';

/** The constants of ModelUpdate.msg, by their numbers. */
const KINDS: readonly UpdateKind[] = ['whole', 'weights', 'held'];

export function writeModelUpdate(cdr: CdrWriter, stamp: Time, update: ModelUpdate): CdrWriter {
  return cdr
    .time(stamp)
    .uint8(KINDS.indexOf(update.kind))
    .uint64(update.version)
    .string(update.sha256)
    .string(update.parentSha256)
    .string(update.keyId)
    .bytes(update.signature)
    .bytes(update.data);
}

/** Reads the message; `data` is a view of it. Throws RangeError where it is none. */
export function readModelUpdate(message: Buffer): ModelUpdate & { readonly stamp: Time } {
  const cdr = new CdrReader(message);
  const stamp = cdr.time();
  const kind = cdr.uint8();
  if (kind >= KINDS.length) throw new RangeError(`kind is ${kind}; known are 0 (whole), 1 (weights) and 2 (held)`);
  return {
    stamp,
    kind: KINDS[kind],
    version: cdr.uint64(),
    sha256: cdr.string(),
    parentSha256: cdr.string(),
    keyId: cdr.string(),
    signature: cdr.bytes(),
    data: cdr.bytes(),
  };
}

/** depthgrad/ModelAck, less its own stamp. */
export interface ModelAnswer extends UpdateOutcome {
  /** Stamp of the ModelUpdate that is answered; 0 where it was none. */
  readonly updateStamp: Time;
}

export function writeModelAck(cdr: CdrWriter, stamp: Time, outcome: ModelAnswer): CdrWriter {
  return cdr
    .time(stamp)
    .time(outcome.updateStamp)
    .uint8(outcome.accepted ? 1 : 0)
    .string(outcome.reason)
    .uint64(outcome.version)
    .string(outcome.sha256)
    .uint64(outcome.runningVersion)
    .string(outcome.runningSha256)
    .float32(outcome.swapMilliseconds);
}

/** A digest, or nothing. */
const DIGEST = /^([0-9a-f]{64})?$/;

/** Reads the message. Throws RangeError where it is none. */
export function readModelAck(message: Buffer): ModelAnswer {
  const cdr = new CdrReader(message);
  cdr.time();
  const answer = {
    updateStamp: cdr.time(),
    accepted: cdr.uint8() !== 0,
    reason: cdr.string(),
    version: cdr.uint64(),
    sha256: cdr.string(),
    runningVersion: cdr.uint64(),
    runningSha256: cdr.string(),
    swapMilliseconds: cdr.float32(),
  };
  const { runningSha256, runningVersion, swapMilliseconds } = answer;
  // It goes out again with every status. That of the update is only compared.
  if (!DIGEST.test(runningSha256)) throw new RangeError('running_sha256 is no SHA-256 in hexadecimal');
  if (runningVersion === Number.MAX_SAFE_INTEGER)
    throw new RangeError(`running_version is ${runningVersion}: no update could be above it`);
  if (!(swapMilliseconds >= 0 && swapMilliseconds < Infinity)) throw new RangeError(`swap_ms is ${swapMilliseconds}`);
  return answer;
}
