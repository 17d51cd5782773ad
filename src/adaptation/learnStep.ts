/** One training step: the online triplet and replayed ones, by the training package's losses and the anchors. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { stepState } from '../training/batches/batchSource';
import { lossTerms } from '../training/losses';
import type { FlatAdam } from '../training/optimizer';
import { Random } from '../training/random';
import { computeStep } from '../training/step';
import { batchOf, type AdaptedNetwork } from './adaptedNetwork';
import { anchorTerms } from './anchors';
import type { KeptTriplet } from './keptTriplet';
import type { AdaptationOptions } from './options';
import type { ReplayBuffer } from './replayBuffer';

export interface LearnedStep {
  loss: number;
  /** Terms and figures unweighted, `loss` and `gradient_norm`. */
  losses: Record<string, number>;
  /** What makes the step's weights unusable. */
  danger?: string;
}

/** @param number of the step: with the seed it decides what is replayed */
export function learnStep(
  network: AdaptedNetwork,
  adam: FlatAdam,
  online: KeptTriplet,
  buffer: ReplayBuffer<KeptTriplet>,
  options: AdaptationOptions,
  number: number,
): LearnedStep {
  const { seed, replayPlace, replaySource, learningRate, encoderRate } = options;
  // A term without weight is not worth its time.
  const weights = Object.fromEntries(Object.entries(options.losses).filter(([, weight]) => weight > 0));
  const random = new Random(stepState(seed, number));
  const draw = (kind: 'place' | 'source', count: number): KeptTriplet[] => {
    const kept = buffer.of(kind).filter((one) => one !== online); // which is in the batch already
    return kept.length === 0 ? [] : Array.from({ length: count }, () => kept[random.integer(kept.length)]);
  };
  const place = draw('place', replayPlace);
  // A place nobody has seen yet has nothing to replay: the source fills the batch.
  const source = draw('source', replaySource + replayPlace - place.length);
  const samples = [online, ...place, ...source];
  const anchors = anchorTerms(
    samples.map(({ answer }) => answer),
    source.length,
    (weights.velocity ?? 0) > 0,
  );
  const { loss, scalars, gradients } = computeStep(
    network.trained(samples.map(({ features }) => features)),
    [...network.variables.values()],
    batchOf(samples.map(({ triplet }) => triplet)),
    { losses: weights, align_poses: true },
    random,
    new Map([...lossTerms, ...anchors.map((term) => [term.name, term] as const)]),
  );
  const rate = (name: string): number => learningRate * (name.startsWith('encoder/') ? encoderRate : 1);
  const norm = Number.isFinite(loss) ? adam.apply(gradients, rate) : NaN;
  tf.dispose(gradients);
  const bad = [`the loss is ${loss}`, `the gradient's norm is ${norm}`].find(
    (_, i) => !Number.isFinite([loss, norm][i]),
  );
  return { loss, losses: { ...scalars, loss, gradient_norm: norm }, danger: bad && `${bad} at step ${number}` };
}
