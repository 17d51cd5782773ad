/** The JSON file of npm run bench:dashboard. */
import type { Machine } from './machine';

/**
 * Who looks at the page: nobody, with no dashboard_node; a program that takes and acknowledges every view at once, as a browser of another machine; a
 * Chromium that draws them, on the cores that depth_node runs on.
 */
export const LOOKERS = ['nobody', 'reader', 'browser'] as const;
export type Looker = (typeof LOOKERS)[number];

export interface Watched {
  readonly looker: Looker;
  /** One for every round. */
  readonly depths_per_s: readonly number[];
  /** Frames of all views that were drawn or acknowledged, per second; nobody's are none. */
  readonly frames_per_s: readonly number[];
  /** Processor seconds per second of dashboard_node. */
  readonly dashboard_cores: readonly number[];
}

export interface DashboardReport {
  readonly machine: Machine;
  readonly model: string;
  readonly threads: number;
  readonly width: number;
  readonly height: number;
  readonly rounds: number;
  readonly seconds_per_measurement: number;
  readonly max_rate: number;
  /** As fast as it goes. */
  readonly saturated: readonly Watched[];
  /** At a camera's rate. */
  readonly paced: readonly Watched[];
  readonly images_per_s: number;
  /** Why there is none of a browser. */
  readonly no_browser?: string;
}
