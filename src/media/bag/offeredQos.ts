/**
 * Quality of service that the publishers of a topic offered when it was recorded: rosbag2's `offered_qos_profiles`, YAML in the bag. Until Humble the
 * policies are rmw's numbers, since Iron names.
 */
import { parse, stringify } from 'yaml';
import { z } from 'zod';

export interface OfferedQos {
  readonly reliable: boolean;
  /** Whoever comes later gets the last messages, too. */
  readonly transientLocal: boolean;
  /** How many; 0 where discovery did not tell. */
  readonly depth: number;
}

const KEEP_LAST = 1;
const HISTORY_UNKNOWN = 3;
const RELIABLE = 1;
const BEST_EFFORT = 2;
const TRANSIENT_LOCAL = 1;
const VOLATILE = 2;

const policy = z.union([z.number(), z.string()]);
const profilesSchema = z.array(
  z.object({ history: policy, depth: z.number(), reliability: policy, durability: policy }),
);

/** One profile per publisher; undefined where nothing, or nothing that can be understood, was recorded. */
export function readOfferedQos(text: string | undefined): OfferedQos[] | undefined {
  let content: unknown;
  try {
    content = parse(text ?? '');
  } catch {
    return undefined;
  }
  const { data: profiles } = profilesSchema.safeParse(content);
  if (!profiles?.length) return undefined;
  return profiles.map(({ history, depth, reliability, durability }) => ({
    reliable: reliability !== BEST_EFFORT && reliability !== 'best_effort',
    transientLocal: durability === TRANSIENT_LOCAL || durability === 'transient_local',
    depth: history === KEEP_LAST || history === 'keep_last' ? depth : 0,
  }));
}

/** In the form that every rosbag2 reads. Deadlines and lifespans are not told: who plays them back would have to keep them. */
export function writeOfferedQos(profiles: readonly OfferedQos[]): string {
  const endless = { sec: 9223372036, nsec: 854775807 };
  return stringify(
    profiles.map(({ reliable, transientLocal, depth }) => ({
      history: depth > 0 ? KEEP_LAST : HISTORY_UNKNOWN,
      depth,
      reliability: reliable ? RELIABLE : BEST_EFFORT,
      durability: transientLocal ? TRANSIENT_LOCAL : VOLATILE,
      deadline: endless,
      lifespan: endless,
      liveliness: 1,
      liveliness_lease_duration: endless,
      avoid_ros_namespace_conventions: false,
    })),
    { aliasDuplicateObjects: false },
  );
}
