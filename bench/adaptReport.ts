/** The JSON file of npm run bench:adapt. */
import type { Percentiles } from '../src/demo/percentiles';
import type { Machine } from './machine';
import type { Soak } from './report';

/** depth_node alone, or with adaptation_node beside it. */
export interface Beside {
  /** Images at the camera's rate: published to depth received. */
  readonly latency_ms: Percentiles;
  /** Depths per image at the camera's rate. */
  readonly depths_per_image: number;
  /** Depths per second as fast as it goes. */
  readonly fps: number;
}

export interface StepCost {
  /** A learner's step as on the vehicle, a new triplet each time, ms: median. */
  readonly step_ms: number;
  /** Of that: taking the triplet in (the encoder's and the reference's answers, once per triplet). */
  readonly intake_ms: number;
}

export interface AdaptReport {
  readonly machine: Machine;
  readonly model: string;
  readonly threads: number;
  readonly rounds: number;
  readonly seconds_per_measurement: number;
  readonly image: string;
  readonly camera_rate: number;
  readonly alone: Beside;
  readonly learning: Beside & {
    /** Steps and parts of judgements per second, at the camera's rate and as fast as it goes. */
    readonly steps_per_s: readonly [number, number];
  };
  readonly frozen_encoder: StepCost;
  readonly trained_encoder: StepCost;
  readonly soak?: AdaptSoak;
}

/** A looped drive through replay_node, depth_node and adaptation_node. */
export interface AdaptSoak extends Soak {
  readonly steps: number;
  readonly promoted: number;
  readonly rolled_back: number;
  readonly updates_accepted: number;
  /** Of the learner's folder, after a tenth of the time and at the end, MiB. */
  readonly folder_mib: readonly [number, number];
  /** Longest time between two depths, ms: over everything, and over those on both sides of a swap. */
  readonly longest_gap_ms: number;
  readonly longest_swap_gap_ms?: number;
}
