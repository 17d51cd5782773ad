/** The loss terms a recipe can name. A new one is a file beside this and a line here. */
import { gradientConsistency } from './gradientConsistency';
import type { LossTerm } from './loss';
import { photometric, photometricHalf, photometricQuarter } from './photometric';
import { gradientSmoothness, smoothness } from './smoothness';
import { depthTruth, gradientTruth, poseAlignment, poseTruth } from './supervised';

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
];

export const lossTerms: ReadonlyMap<string, LossTerm> = new Map(terms.map((term) => [term.name, term]));
