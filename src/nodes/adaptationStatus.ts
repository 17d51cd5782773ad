/** What adaptation_node says of itself: depthgrad/AdaptationStatus and its part of /diagnostics. */
import type { ThreadStatus } from './adaptationProtocol';
import type { CdrWriter, Time } from './ros/cdr';
import type { DiagnosticStatus } from './ros/messages';
import type { StreamCounts } from './streamHealth';

/** The constants of AdaptationStatus.msg, by their numbers. */
export const ADAPTATION_STATES = [
  'starting',
  'disabled',
  'waiting',
  'learning',
  'candidate',
  'paused',
  'failed',
] as const;
export type AdaptationState = (typeof ADAPTATION_STATES)[number];

export interface AdaptationPicture {
  /** Undefined until buffer and state are read. */
  readonly thread: ThreadStatus | undefined;
  /** Why the learner has ended. */
  readonly fault: string | undefined;
  readonly stream: StreamCounts & { readonly triplets: number; readonly jumpedBack: number };
  /** What is wrong with the stream (streamHealth.ts). */
  readonly streamFault: string | undefined;
  /** Why topics of this node, those of the speed too, stay empty (ros/topicFaults.ts). */
  readonly topicFaults: readonly string[];
  readonly handOver: {
    readonly version: number;
    readonly accepted: number;
    readonly refused: number;
    readonly refusal?: string;
    readonly runningSha256: string;
    readonly updateBytes: number;
    readonly storageFault?: string;
  };
}

function stateOf({ thread, fault }: AdaptationPicture): { state: AdaptationState; reason: string } {
  if (fault !== undefined) return { state: 'failed', reason: fault };
  if (!thread) return { state: 'starting', reason: 'reads model, buffer and source drives' };
  if (!thread.enabled) return { state: 'disabled', reason: 'switched off; ~/enable switches it on' };
  const { state, reason = '' } = thread.learner;
  return { state, reason: state === 'paused' ? reason : (thread.sourceFault ?? reason) };
}

export function writeAdaptationStatus(cdr: CdrWriter, stamp: Time, picture: AdaptationPicture): CdrWriter {
  const { thread, stream, handOver } = picture;
  const { state, reason } = stateOf(picture);
  const learner = thread?.learner;
  const losses = Object.entries(learner?.losses ?? {});
  const skipped = Object.entries(stream.skipped);
  cdr
    .time(stamp)
    .uint8(ADAPTATION_STATES.indexOf(state))
    .string(reason)
    .uint64(learner?.step ?? 0)
    .float32(learner?.stepMilliseconds ?? 0)
    .strings(losses.map(([name]) => name))
    .float32s(losses.map(([, value]) => value));
  for (const errors of [learner?.placeError, learner?.sourceError])
    for (const model of ['reference', 'active', 'candidate'] as const) cdr.float32(errors?.[model] ?? NaN);
  return cdr
    .uint32(learner?.promoted ?? 0)
    .uint32(learner?.rolledBack ?? 0)
    .uint32(learner?.refused ?? 0)
    .string(learner?.version ?? '')
    .string(learner?.sha256 ?? '')
    .uint64(handOver.version)
    .uint32(handOver.accepted)
    .uint32(handOver.refused)
    .string(handOver.runningSha256)
    .uint64(learner?.buffer.bytes ?? 0)
    .uint64(learner?.buffer.limit ?? 0)
    .uint32(learner?.buffer.source ?? 0)
    .uint32(learner?.buffer.place ?? 0)
    .uint32(learner?.buffer.judgedSource ?? 0)
    .uint32(learner?.buffer.judgedPlace ?? 0)
    .uint64(stream.frames)
    .uint64(stream.triplets)
    .strings(skipped.map(([name]) => name))
    .uint64s(skipped.map(([, value]) => value));
}

const LEVEL = { ok: 0, warn: 1, error: 2 } as const;

/** Learner, Camera, Hand-over and Storage, each with the cause where something is wrong. */
export function adaptationDiagnostics(
  node: { readonly name: string; readonly hardwareId: string },
  picture: AdaptationPicture,
): DiagnosticStatus[] {
  const { thread, stream, streamFault, topicFaults, handOver } = picture;
  const { state, reason } = stateOf(picture);
  const status = (
    part: string,
    level: 0 | 1 | 2,
    message: string,
    values: Record<string, string>,
  ): DiagnosticStatus => ({ level, name: `${node.name}: ${part}`, message, hardwareId: node.hardwareId, values });
  const trouble = { waiting: LEVEL.warn, paused: LEVEL.warn, failed: LEVEL.error }[state as string];
  const troubled = trouble ?? (thread?.enabled && thread.sourceFault ? LEVEL.warn : LEVEL.ok);
  const learner = thread?.learner;
  const storageFault = thread?.storageFault ?? handOver.storageFault;
  const jumped = streamFault?.includes('header.stamp') ? ` (stamps: by ${stream.jumpedBack.toFixed(3)} s)` : '';
  const cameraFaults = [...(streamFault ? [streamFault + jumped] : []), ...topicFaults];
  return [
    status('Learner', troubled, reason === '' ? state : `${state}: ${reason}`, {
      state,
      step: `${learner?.step ?? 0}`,
      step_ms: (learner?.stepMilliseconds ?? 0).toFixed(1),
      promoted: `${learner?.promoted ?? 0}`,
      rolled_back: `${learner?.rolledBack ?? 0}`,
      refused: `${learner?.refused ?? 0}`,
    }),
    status('Camera', cameraFaults.length > 0 ? LEVEL.warn : LEVEL.ok, cameraFaults.join('; ') || 'frames are usable', {
      frames: `${stream.frames}`,
      triplets: `${stream.triplets}`,
      ...Object.fromEntries(Object.entries(stream.skipped).map(([name, count]) => [`skipped_${name}`, `${count}`])),
    }),
    status(
      'Hand-over',
      handOver.refusal ? LEVEL.warn : LEVEL.ok,
      handOver.refusal ? `refused ${handOver.refusal}` : `update ${handOver.version} is the last one`,
      {
        update_version: `${handOver.version}`,
        update_bytes: `${handOver.updateBytes}`,
        updates_accepted: `${handOver.accepted}`,
        updates_refused: `${handOver.refused}`,
        running_sha256: handOver.runningSha256,
        last_refusal: handOver.refusal ?? '',
      },
    ),
    status('Storage', storageFault ? LEVEL.warn : LEVEL.ok, storageFault ?? 'buffer and state are kept', {
      buffer_bytes: `${learner?.buffer.bytes ?? 0}`,
      buffer_limit_bytes: `${learner?.buffer.limit ?? 0}`,
    }),
  ];
}
