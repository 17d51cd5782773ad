/** The small messages the dashboard listens to, as far as it reads them; names are those of their .msg files. */
import type { Time } from '../ros/cdr';

interface Vector3 {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

interface RosHeader {
  readonly stamp: Time;
  readonly frame_id: string;
}

interface Pose {
  readonly position: Vector3;
  readonly orientation: Vector3 & { readonly w: number };
}

/** diagnostic_msgs/DiagnosticArray */
export interface DiagnosticArray {
  readonly header: RosHeader;
  readonly status: readonly {
    readonly level: number;
    readonly name: string;
    readonly message: string;
    readonly hardware_id: string;
    readonly values: readonly { readonly key: string; readonly value: string }[];
  }[];
}

/** depthgrad/EgoMotion */
export interface EgoMotion {
  readonly header: RosHeader;
  readonly pose: { readonly pose: Pose };
  readonly twist: { readonly twist: { readonly linear: Vector3 } };
  readonly scale: number;
  readonly scale_variance: number;
  readonly scale_source: number;
  readonly quality: number;
}

/** nav_msgs/Odometry */
export interface Odometry {
  readonly header: RosHeader;
  readonly child_frame_id: string;
  readonly pose: { readonly pose: Pose; readonly covariance: ArrayLike<number> };
  readonly twist: { readonly twist: { readonly linear: Vector3 } };
}

/** depthgrad/AdaptationStatus; the page gets every field of it. */
export interface AdaptationStatus {
  readonly state: number;
  readonly model_sha256: string;
  readonly model_version: string;
}

/** depthgrad/ModelAck */
export interface ModelAck {
  readonly running_version: bigint;
  readonly running_sha256: string;
}
