import { fromVector6, quaternionFromRotation } from '../geometry/se3';
import type { Header, Time } from './ros/cdr';
import { SCALE_NONE, SCALE_UNAVAILABLE, type EgoMotionMessage } from './ros/messages';

/** Standard deviations of a fully confident estimate: a share of the distance, a floor for it, and radians. */
const TRANSLATION_SHARE = 0.1;
const TRANSLATION_FLOOR = 0.01;
const ROTATION_SIGMA = 0.005;
/** Least quality the covariance is divided by, so that it stays finite. */
const QUALITY_FLOOR = 0.05;
/** Variance that says "not known": robot_localization and its kin then leave the value out of their account. */
const UNKNOWN_VARIANCE = 1e6;

export interface EgoMotionEstimate {
  /** Translation x y z, then axis-angle: pose of the current camera in the previous camera's optical frame. */
  readonly motion: ArrayLike<number>;
  readonly previousStamp: Time;
  /** 0..1: mean confidence of the depth map. */
  readonly quality: number;
}

/** The message for a motion that was estimated, in the depth map's own scale. */
export function egoMotionMessage(header: Header, estimate: EgoMotionEstimate): EgoMotionMessage {
  const { motion, previousStamp } = estimate;
  const quality = Math.min(1, Math.max(0, estimate.quality || 0)); // NaN is 0
  const dt = secondsBetween(previousStamp, header.stamp);
  const { rotation: r, translation: t } = fromVector6(motion);
  // The axis is the same in both frames, the translation is not: into the current frame by the inverse rotation.
  const linear = [0, 1, 2].map((i) => (r[i] * t[0] + r[3 + i] * t[1] + r[6 + i] * t[2]) / dt);
  const angular = [3, 4, 5].map((i) => motion[i] / dt);

  const doubt = 1 / Math.max(quality, QUALITY_FLOOR);
  const distance = Math.hypot(t[0], t[1], t[2]);
  const translationVariance = (Math.max(TRANSLATION_SHARE * distance, TRANSLATION_FLOOR) * doubt) ** 2;
  const rotationVariance = (ROTATION_SIGMA * doubt) ** 2;
  return {
    header,
    previousStamp,
    position: t,
    orientation: quaternionFromRotation(r),
    poseCovariance: diagonalCovariance(translationVariance, rotationVariance),
    linear,
    angular,
    twistCovariance: diagonalCovariance(translationVariance / dt ** 2, rotationVariance / dt ** 2),
    scale: 1,
    scaleVariance: Infinity,
    scaleSource: SCALE_NONE,
    quality,
  };
}

/** The message for a frame without a usable estimate: no motion, covariances that say it is unknown. */
export function unavailableEgoMotion(header: Header, previousStamp: Time | undefined): EgoMotionMessage {
  const unknown = diagonalCovariance(UNKNOWN_VARIANCE, UNKNOWN_VARIANCE);
  return {
    header,
    previousStamp: previousStamp ?? header.stamp,
    position: [0, 0, 0],
    orientation: [0, 0, 0, 1],
    poseCovariance: unknown,
    linear: [0, 0, 0],
    angular: [0, 0, 0],
    twistCovariance: unknown,
    scale: 1,
    scaleVariance: Infinity,
    scaleSource: SCALE_UNAVAILABLE,
    quality: 0,
  };
}

/** Seconds from one stamp to a later one; negative when it is not later. */
export function secondsBetween(from: Time, to: Time): number {
  return to.sec - from.sec + (to.nanosec - from.nanosec) * 1e-9;
}

function diagonalCovariance(linear: number, angular: number): Float64Array {
  const covariance = new Float64Array(36);
  for (let i = 0; i < 6; i++) covariance[i * 7] = i < 3 ? linear : angular;
  return covariance;
}
