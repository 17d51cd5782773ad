/**
 * What is not known of a motion between two frames: from how firmly the images hold it, how well it explains them, and the scale.
 *
 * The information of the fit says which directions are weak (a turn looks like a step aside), its residuals how far to trust it at all. Their absolute size is not that of noise: the
 * errors are the depth map's, alike from pixel to pixel. INFLATION and LENGTH_SPREAD are what normalised errors on KITTI 00 ask for (docs/benchmarks.md), with KITTI 01 in sight; the floor of a turn is what those of a
 * camera in the hand ask for (7-Scenes), where rich texture promises more than the network's motion keeps.
 */
import { inverse, Matrix } from 'ml-matrix';
import type { MotionUncertainty } from './odometry';
import type { PhotometricFit } from './photometricFit';
import type { Scale } from './scaleFilter';

/** Of the variance that independent pixels would leave. */
const INFLATION = 200;
/** Relative error of a motion's length, besides the scale's. */
const LENGTH_SPREAD = 0.3;
const UNKNOWN_SCALE_SPREAD = 1;
/** Standard deviations that are never undercut, and those of a motion that the images say nothing of: metres, radians. */
const FLOOR = { translation: 0.01, rotation: 0.0009 } as const;
const CEILING = { translation: 10, rotation: 1 } as const;
/** Of a mean absolute residual, the standard deviation of a normal one; and the least residual: a grey level. */
const SIGMA = Math.sqrt(Math.PI / 2);
const LEAST_ERROR = 1 / 255;

export function motionUncertainty(
  { information, error }: PhotometricFit,
  { scale, variance, known }: Scale,
): MotionUncertainty {
  const weight = 1 / (INFLATION * (SIGMA * Math.max(error, LEAST_ERROR)) ** 2);
  const held = Matrix.zeros(6, 6);
  for (let i = 0; i < 6; i++)
    for (let j = 0; j < 6; j++)
      held.set(i, j, weight * information[6 * i + j] + (i === j ? ofPart(CEILING, i) ** -2 : 0));
  const open = inverse(held);
  const covariance = new Float64Array(36);
  for (let i = 0; i < 6; i++)
    for (let j = 0; j < 6; j++)
      covariance[6 * i + j] = (open.get(i, j) + open.get(j, i)) / 2 + (i === j ? ofPart(FLOOR, i) ** 2 : 0);
  return { covariance, length: LENGTH_SPREAD, scale: known ? Math.sqrt(variance) / scale : UNKNOWN_SCALE_SPREAD };
}

const ofPart = ({ translation, rotation }: typeof FLOOR | typeof CEILING, i: number): number =>
  i < 3 ? translation : rotation;
