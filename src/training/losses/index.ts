/** The loss terms a recipe can name. A new one is a file beside this and a line here. */
import { affineInvariant, gradientMatching } from './affineInvariant';
import { ch001Gradient } from './ch001Gradient';
import { gradientConsistency } from './gradientConsistency';
import type { LossTerm } from './loss';
import { berHuInverseDepth, depthSquaredError, scaleInvariantLog } from './measuredDepth';
import { depthNormals, normalTruth } from './normals';
import { photometric, photometricHalf, photometricQuarter } from './photometric';
import { semanticCrossEntropy } from './semantic';
import { explainedPhotometric, maskRegulariser, secondOrderSmoothness } from './sfmlearner';
import { gradientSmoothness, smoothness } from './smoothness';
import { leftRightConsistency, leftRightPhotometric, stereoFromDepth, stereoSmoothness } from './stereo';
import { depthTruth, gradientTruth, poseAlignment, poseTruth } from './supervised';
import { featureAlignment, teacherDisparity } from './teacher';
import { velocity } from './velocity';

const terms: LossTerm[] = [
  photometric,
  photometricHalf,
  photometricQuarter,
  gradientConsistency,
  smoothness,
  gradientSmoothness,
  depthTruth,
  gradientTruth,
  poseTruth,
  poseAlignment,
  explainedPhotometric,
  maskRegulariser,
  secondOrderSmoothness,
  ch001Gradient,
  berHuInverseDepth,
  depthSquaredError,
  scaleInvariantLog,
  leftRightPhotometric,
  leftRightConsistency,
  stereoSmoothness,
  stereoFromDepth,
  affineInvariant,
  gradientMatching,
  teacherDisparity,
  featureAlignment,
  normalTruth,
  depthNormals,
  semanticCrossEntropy,
  velocity,
];

export const lossTerms: ReadonlyMap<string, LossTerm> = new Map(terms.map((term) => [term.name, term]));
