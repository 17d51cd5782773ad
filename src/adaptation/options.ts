/** Every parameter of the adaptation as one plain object; all but the fixed ones change at run time. */
import { z } from 'zod';

const share = z.number().min(0).max(1);
const weight = z.number().nonnegative();

const schema = z.strictObject({
  /** Of all draws; fixed. */
  seed: z.int().default(1),

  /** Least change between neighbouring frames of a triplet: mean difference of blurred grey, levels of 0..255. */
  minMotion: z.number().nonnegative().default(1.5),
  /** Frames darker than this on average, in levels of 0..255, are skipped. */
  minBrightness: z.number().nonnegative().default(18),
  /** Frames with a greater share of pixels at the sensor's limit are skipped. */
  maxSaturated: share.default(0.25),
  /** Frames less sharp than this share of the recent ones' median are skipped. */
  minSharpness: share.default(0.5),
  /** Least correlation of the blurred grey of neighbouring frames: less is a bump, a cut or noise, and no motion to learn from. */
  minCorrelation: share.default(0.5),
  /** Seconds without a frame after which a triplet may not reach back across. */
  maxGap: z.number().positive().default(0.5),

  /** Bound on frames, cached features and the reference's answers, all kinds together, MiB; fixed. */
  bufferMegabytes: z.number().positive().default(256),
  /** A frame of the place more similar than this to one that is kept (cosine of pooled features) is not kept. */
  maxSimilarity: share.default(0.95),
  /** Samples replayed per step, of the source and of the place. */
  replaySource: z.int().nonnegative().default(1),
  replayPlace: z.int().nonnegative().default(2),

  learningRate: z.number().nonnegative().default(3e-4),
  /** Factor on the encoder's learning rate; 0 freezes it, and its features are computed once. Fixed. */
  encoderRate: z.number().nonnegative().default(0),
  /** Decay per step of the averaged weights, which are what is judged and promoted. Fixed, as is clipNorm. */
  emaDecay: share.default(0.98),
  clipNorm: z.number().positive().default(5),
  /** Steps with the same online triplet while no newer one has come. */
  stepsPerTriplet: z.int().positive().default(1),
  /** Greatest share of time that goes into steps: after each, the learner rests. 1 never rests. */
  dutyCycle: z.number().positive().max(1).default(1),
  /** Least seconds from the beginning of a step to that of the next. */
  stepPeriod: z.number().nonnegative().default(0),
  /** Weights of the training package's loss terms, and of reference_depth and scale_anchor (anchors.ts). */
  losses: z.record(z.string(), weight).default({
    photometric: 1,
    photometric_half: 0.5,
    photometric_quarter: 0.25,
    gradient_consistency: 0.1,
    smoothness: 0.001,
    gradient_smoothness: 0.02,
    pose_alignment: 0.1,
    velocity: 0.05,
    reference_depth: 0.5,
    scale_anchor: 1,
  }),

  /** Triplets of the place and of the source that are judged by and never learned from. */
  judgedPlace: z.int().positive().default(12),
  judgedSource: z.int().positive().default(12),
  /** Every so-manyth triplet of the place goes to the judged ones. */
  judgedEvery: z.int().min(2).default(5),
  /** Triplets of the place that must have come after a candidate before it is judged by them. */
  leastJudged: z.int().positive().default(5),
  /** Steps between two judgements. */
  judgeEvery: z.int().positive().default(25),
  /** Largest relative rise of the source's error over the reference's with which a candidate is promoted. */
  maxSourceRise: z.number().nonnegative().default(0.02),
  /** Relative rise of place or source error over the reference's at which weights are rolled back. */
  errorBand: z.number().positive().default(0.05),
  /** Largest |median log depth ratio| to the reference, on the place and on the source. */
  scaleBand: z.number().positive().default(0.15),
  /** Largest ratio of the gradient inconsistency to the reference's. */
  consistencyBand: z.number().gt(1).default(1.5),
  /** Rollbacks without a promotion between them after which adaptation pauses. */
  maxRollbacks: z.int().positive().default(3),
});

export type AdaptationOptions = z.output<typeof schema>;

/** Options that make buffers and optimiser what they are, and so hold from the learner's start to its end. */
const FIXED = [
  'seed',
  'bufferMegabytes',
  'encoderRate',
  'emaDecay',
  'clipNorm',
  'judgedPlace',
  'judgedSource',
] as const;

export const defaultOptions: Readonly<AdaptationOptions> = schema.parse({});

/** @throws Error naming every option that is unknown or out of its range */
export function checkOptions(given: Partial<AdaptationOptions> = {}): AdaptationOptions {
  const result = schema.safeParse(given);
  if (!result.success) throw new Error(`adaptation options: ${z.prettifyError(result.error)}`);
  return result.data;
}

/** `current` with some options changed. @throws Error naming the option that is unknown, out of range or fixed */
export function changeOptions(current: AdaptationOptions, changes: Partial<AdaptationOptions>): AdaptationOptions {
  const changed = checkOptions({ ...current, ...changes });
  const fixed = FIXED.find((name) => changed[name] !== current[name]);
  if (fixed) throw new Error(`adaptation options: ${fixed} cannot change while the learner runs; start it anew`);
  return changed;
}
