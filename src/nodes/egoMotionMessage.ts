import { fromVector6, quaternionFromRotation } from '../geometry/se3';
import { LEAST_SECONDS, rateOf, wholeCovariance, type Motion } from '../odometry/odometry';
import type { Scale } from '../odometry/scaleFilter';
import type { ScaleSource } from './navigationParameters';
import type { Header, Time } from './ros/cdr';
import { SCALE_CODES, SCALE_UNAVAILABLE, type EgoMotionMessage } from './ros/messages';

/** Variance that says "not known": robot_localization and its kin then leave the value out of their account. */
const UNKNOWN_VARIANCE = 1e6;
const UNKNOWN_RATE = {
  rate: new Float64Array(6),
  covariance: diagonalCovariance(UNKNOWN_VARIANCE, UNKNOWN_VARIANCE),
};

export interface EgoMotionEstimate {
  /** In metres by `scale`. */
  readonly motion: Motion;
  readonly previousStamp: Time;
  /** 0..1: mean confidence of the depth map. */
  readonly quality: number;
  readonly scale: Scale;
  readonly scaleSource: ScaleSource;
}

/** The message for a motion that was estimated. */
export function egoMotionMessage(header: Header, estimate: EgoMotionEstimate): EgoMotionMessage {
  const { motion, previousStamp, scale, scaleSource, quality } = estimate;
  const seconds = secondsBetween(previousStamp, header.stamp);
  const { rotation, translation } = fromVector6(motion.vector);
  const { rate, covariance } = seconds >= LEAST_SECONDS ? rateOf(motion, seconds) : UNKNOWN_RATE;
  return {
    header,
    previousStamp,
    position: translation,
    orientation: quaternionFromRotation(rotation),
    poseCovariance: wholeCovariance(motion),
    linear: rate.subarray(0, 3),
    angular: rate.subarray(3),
    twistCovariance: covariance,
    scale: scale.scale,
    scaleVariance: scale.variance,
    scaleSource: SCALE_CODES[scale.known ? scaleSource : 'none'],
    quality: Math.min(1, Math.max(0, quality || 0)), // NaN is 0
  };
}

/** The message for a frame without a usable estimate: no motion, covariances that say it is unknown; its depth has a scale all the same. */
export function unavailableEgoMotion(
  header: Header,
  previousStamp: Time | undefined,
  { scale, variance }: Scale,
): EgoMotionMessage {
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
    scale,
    scaleVariance: variance,
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
