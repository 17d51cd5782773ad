/** The JSON file of npm run bench:odometry. */
import type { Machine } from './machine';

/** Frames of a short path: one path is one sample of where an odometry ends, and over many short ones the pose's covariance can be counted. */
export const STRETCH = 30;

/** evo's, root mean squares: positions after alignment without and with a scale, frame to frame with it, and of the rotation. */
export interface PathErrors {
  readonly poses: number;
  readonly path_m: number;
  readonly ate_m: number;
  readonly ate_scaled_m: number;
  readonly rpe_scaled_m: number;
  readonly rpe_deg: number;
}

/** Normalised errors e' C^-1 e of six degrees of freedom: shares of the frames within 95 % of the distribution that a true covariance gives. */
export interface Consistency {
  /** Of each motion, of the pose since the start, and of those of many short paths (STRETCH). */
  readonly motion_within: number;
  readonly pose_within: number;
  readonly stretch_within: number;
  /** Means; 6 where the covariance is the error's own. */
  readonly motion_mean: number;
  readonly pose_mean: number;
  readonly stretch_mean: number;
}

export interface ScaleErrors {
  readonly source: 'velocity' | 'camera_height';
  /** Share of the frames with a known scale. */
  readonly known: number;
  /** Against the true way over the estimated one in a window about the frame: median of the absolute relative difference. */
  readonly median: number;
  /** Largest relative change from frame to frame. */
  readonly largest_step: number;
  readonly outliers: number;
}

export interface RecordingReport {
  readonly name: string;
  readonly frames: number;
  /** In the model's own unit; ate_scaled_m is what it is measured by. */
  readonly own: PathErrors;
  /** With true speed as its scale. */
  readonly by_speed: PathErrors;
  readonly peer: PathErrors & { readonly lost: number };
  readonly consistency: Consistency;
  readonly lost: number;
  readonly scales: readonly ScaleErrors[];
}

export interface OdometryReport {
  readonly machine: Machine;
  readonly model: string;
  readonly recordings: readonly RecordingReport[];
  /** Time of a frame's odometry, median, ms: looking at the image, fit and covariance, chaining. */
  readonly cost_ms: number;
}
