/** What one file of a bag gives, whatever its storage. */
import { FrameSourceError } from '../frame';
import type { OfferedQos } from './offeredQos';

export interface BagTopic {
  readonly name: string;
  /** ROS type as package/Type, such as sensor_msgs/Image (the msg/ in the middle is left out). */
  readonly type: string;
  /** Undefined where only reading to the end would tell. */
  readonly messageCount?: number;
  /** What its publishers offered, where that was recorded. */
  readonly offeredQos?: readonly OfferedQos[];
  /** Said where the messages are not CDR, and cannot be read for that. */
  readonly foreignEncoding?: string;
}

/** By the time of reception, nanoseconds. */
export interface TimeRange {
  readonly fromNs?: bigint;
  readonly beforeNs?: bigint;
}

export interface BagMessage {
  readonly topic: string;
  /** When the recorder received it, nanoseconds since 1970. */
  readonly receivedNs: bigint;
  /** CDR with its encapsulation header. Valid until the next message is asked for. */
  readonly cdr: Uint8Array;
}

export interface BagFile {
  readonly path: string;
  readonly topics: readonly BagTopic[];
  /** When its first message was received; undefined where it has none, or cannot tell. */
  readonly startNs?: bigint;
  /** What the file lacks, and how it is read nonetheless. */
  readonly caveat?: FrameSourceError;
  /**
   * Messages in the order of their reception, of damaged and of unindexed files in the order they were written. One at a time is in memory (of an MCAP
   * file, one chunk).
   * @throws BagDamageError at the place where the file cannot be read on, after everything before it
   */
  messages(topics: ReadonlySet<string>, range?: TimeRange): AsyncIterable<BagMessage>;
  close(): Promise<void>;
}

/** The bag was read up to a damage; the message names the file and says how far. */
export class BagDamageError extends FrameSourceError {
  override readonly name = 'BagDamageError';
}

/** One message is damaged, those around it are not; the text names the file and which one it is. */
export class BagMessageError extends FrameSourceError {
  override readonly name = 'BagMessageError';
}

/** sensor_msgs/msg/Image -> sensor_msgs/Image */
export function typeName(type: string): string {
  return type.replace('/msg/', '/');
}

export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
