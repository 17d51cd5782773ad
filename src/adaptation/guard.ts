/** The guard's verdicts, as a pure function of figures. */
import type { Figures } from './measure';
import type { AdaptationOptions } from './options';

/** Figures of one set of weights on the judged triplets. */
export interface Judged {
  place: Figures;
  source: Figures;
}

/** promoted: it is published; refused: learning goes on from it; rolled back: learning starts again from the published weights. */
export type Verdict = 'promoted' | 'refused' | 'rolled back';

export interface Judgement {
  verdict: Verdict;
  /** Why, one sentence each; empty for a promotion. */
  reasons: string[];
  candidate: Judged;
  active: Judged;
  reference: Judged;
}

type Bands = Pick<AdaptationOptions, 'errorBand' | 'scaleBand' | 'consistencyBand' | 'maxSourceRise'> & {
  /** Scale is measured against odometry where the figures have it. */
  metric: boolean;
};

const percent = (ratio: number): string => `${(100 * (ratio - 1)).toFixed(1)} %`;

/** The bands that weights leave: what makes them a danger. Empty where they are sound. */
export function violations(judged: Judged, reference: Judged, bands: Bands): string[] {
  const reasons: string[] = [];
  for (const part of ['place', 'source'] as const) {
    const own = judged[part];
    const frozen = reference[part];
    if (![own.error, own.scale, own.inconsistency].every(Number.isFinite)) {
      reasons.push(`its answers on the ${part} are no numbers`);
      continue;
    }
    if (own.error > (1 + bands.errorBand) * frozen.error)
      reasons.push(`its error on the ${part} is ${percent(own.error / frozen.error)} above the reference's`);
    const scale = scaleViolation(own, frozen, bands);
    if (scale) reasons.push(`its depth scale on the ${part} ${scale}`);
    if (own.inconsistency > bands.consistencyBand * frozen.inconsistency)
      reasons.push(
        `its depth and gradient disagree ${(own.inconsistency / frozen.inconsistency).toFixed(2)} times as much on the ${part} as the reference's`,
      );
  }
  return reasons;
}

function scaleViolation(own: Figures, frozen: Figures, { metric, scaleBand }: Bands): string | undefined {
  const [known, before] = [own.metricScale, frozen.metricScale];
  if (metric && known !== undefined && before !== undefined) {
    // Where the reference's scale is wrong, coming nearer to the odometry's is no fault.
    return Math.abs(known) > Math.abs(before) + scaleBand
      ? `is off the odometry's by a factor of ${Math.exp(Math.abs(known)).toFixed(2)}`
      : undefined;
  }
  return Math.abs(own.scale) > scaleBand ? `has changed by a factor of ${Math.exp(-own.scale).toFixed(2)}` : undefined;
}

/** @param active the published weights @param reference the frozen ones */
export function judge(candidate: Judged, active: Judged, reference: Judged, bands: Bands): Judgement {
  const figures = { candidate, active, reference };
  const dangers = violations(candidate, reference, bands);
  if (dangers.length > 0) return { verdict: 'rolled back', reasons: dangers, ...figures };
  const reasons: string[] = [];
  const best = Math.min(active.place.error, reference.place.error);
  if (!(candidate.place.error < best))
    reasons.push(`its error on the place does not fall (${percent(candidate.place.error / best)})`);
  const rise = candidate.source.error / reference.source.error;
  if (rise > 1 + bands.maxSourceRise) reasons.push(`its error on the source rises by ${percent(rise)}`);
  return { verdict: reasons.length > 0 ? 'refused' : 'promoted', reasons, ...figures };
}
