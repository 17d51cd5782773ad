/** What the learner keeps of a triplet: everything that the frozen encoder and the frozen reference say of it, computed once. */
import type { AdaptedNetwork, TripletFeatures } from './adaptedNetwork';
import type { ReferenceAnswer } from './anchors';
import type { Triplet } from './frame';
import { measureTriplet, type Figures } from './measure';
import type { Sample } from './replayBuffer';

/** Figures of a judged triplet: the reference's stay, the active weights' until others are promoted. */
export interface JudgedFigures {
  part: 'place' | 'source';
  reference: Figures;
  active?: Figures;
  candidate?: Figures;
}

export interface KeptTriplet extends Sample {
  features: TripletFeatures;
  answer: ReferenceAnswer;
  /** Of those that are judged by. */
  judged?: JudgedFigures;
}

export type JudgedTriplet = KeptTriplet & { judged: JudgedFigures };

export function isJudged(kept: KeptTriplet): kept is JudgedTriplet {
  return kept.judged !== undefined;
}

/** @param reference the network with the weights it keeps */
export function keepTriplet(reference: AdaptedNetwork, triplet: Triplet): KeptTriplet {
  const { features, descriptor } = reference.encode(triplet);
  const logDisparity = reference.logDisparity(features);
  const answer = { logDisparity, mean: logDisparity.reduce((sum, u) => sum + u, 0) / logDisparity.length };
  const arrays = [...features.target, features.previous, features.next, logDisparity, descriptor, ...triplet.images];
  return { triplet, features, descriptor, answer, bytes: arrays.reduce((sum, { byteLength }) => sum + byteLength, 0) };
}

/** The same for a triplet that is judged by, part of the place or of the source. */
export function keepJudged(reference: AdaptedNetwork, triplet: Triplet, part: JudgedFigures['part']): KeptTriplet {
  const kept = keepTriplet(reference, triplet);
  return { ...kept, judged: { part, reference: measureKept(reference, kept).figures } };
}

/** With the weights the network has. */
export function measureKept(
  network: AdaptedNetwork,
  { features, triplet, answer }: KeptTriplet,
): { figures: Figures; logDisparity: Float32Array } {
  return measureTriplet(network.trained([features]), triplet, answer);
}
