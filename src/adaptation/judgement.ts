/** The judged triplets with what each set of weights makes of them, a few triplets at a time. */
import type { Weights } from './adaptedNetwork';
import { judge, violations, type Judged, type Judgement } from './guard';
import type { JudgedFigures, JudgedTriplet } from './keptTriplet';
import { meanFigures, type Figures } from './measure';
import type { AdaptationOptions } from './options';

/** Triplets measured per part of a judgement: about the time of a training step. */
const PER_PART = 3;

/** Measures a triplet with the weights given. */
export type Measure = (weights: Weights, triplets: readonly JudgedTriplet[]) => Figures[];

export class RunningJudgement {
  #done = 0;

  /** @param triplets as they are now: what comes later is for the next judgement */
  constructor(
    private readonly triplets: readonly JudgedTriplet[],
    private readonly candidate: Weights,
    private readonly active: Weights,
    private readonly measure: Measure,
  ) {
    for (const { judged } of triplets) judged.candidate = undefined;
  }

  /** Measures the next few. @returns the judgement after the last of them, and what is wrong with the active weights by now */
  advance(options: AdaptationOptions): { judgement: Judgement; dangers: string[] } | undefined {
    const part = this.triplets.slice(this.#done, this.#done + PER_PART);
    const unknown = part.filter(({ judged }) => judged.active === undefined);
    if (unknown.length > 0)
      this.measure(this.active, unknown).forEach((figures, i) => (unknown[i].judged.active = figures));
    this.measure(this.candidate, part).forEach((figures, i) => (part[i].judged.candidate = figures));
    this.#done += part.length;
    if (this.#done < this.triplets.length) return undefined;
    const [reference, active, candidate] = (['reference', 'active', 'candidate'] as const).map((of): Judged => ({
      place: this.#mean('place', of),
      source: this.#mean('source', of),
    }));
    const bands = { ...options, metric: (options.losses.velocity ?? 0) > 0 };
    return {
      judgement: judge(candidate, active, reference, bands),
      dangers: violations(active, reference, bands),
    };
  }

  /** The candidate's weights are the active ones from now on. */
  promote(): Weights {
    for (const { judged } of this.triplets) judged.active = judged.candidate;
    return this.candidate;
  }

  #mean(part: JudgedFigures['part'], of: 'reference' | 'active' | 'candidate'): Figures {
    return meanFigures(this.triplets.filter(({ judged }) => judged.part === part).map(({ judged }) => judged[of]!));
  }
}
