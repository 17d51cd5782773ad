/**
 * A training run as one YAML file: data, network, and stages of loss terms with weights. A weight is a number, or a line from one number to
 * another over the stage:
 *
 * ```yaml
 * losses:
 *   depth_truth: { from: 1, to: 0.1, end: 300 } # until step 300 of the stage, then 0.1
 *   photometric: { from: 0, to: 1 } # over the whole stage
 *   smoothness: 0.001
 * ```
 */
import { readFileSync } from 'node:fs';
import { parse, parseDocument } from 'yaml';
import { z } from 'zod';
import { strongPerturbation } from './batches/perturb';
import { lossTerms } from './losses';
import { networkSchema } from './networks';

const weight = z.number().nonnegative();
const stepOfStage = z.int().nonnegative();

const lossWeightSchema = z.union(
  [
    weight,
    z.strictObject({
      from: weight,
      to: weight,
      /** The last step of the stage, counted from 0, that has `from`. */
      start: stepOfStage.default(0),
      /** The first that has `to`; by default the stage's last one. */
      end: stepOfStage.optional(),
    }),
  ],
  'a weight is a number from 0 on or { from: 0, to: 1, start: 0, end: 300 }: two weights, and two whole steps of the stage that may be left out',
);

const share = z.number().nonnegative().default(0);

const stageSchema = z.strictObject({
  name: z.string().min(1),
  steps: z.int().positive(),
  height: z.int().positive().multipleOf(32),
  width: z.int().positive().multipleOf(32),
  batch_size: z.int().positive(),
  learning_rate: z.number().positive(),
  /** Learning rate at the stage's end, reached along a cosine. */
  final_learning_rate: z.number().positive().optional(),
  /** Factor on the encoder's learning rate; 0 freezes it. */
  encoder_rate: z.number().nonnegative().default(1),
  /** Variables whose names start so are not trained, such as encoder/stem/. */
  frozen: z.array(z.string()).default([]),
  /** Share of the steps that take a batch of each data set. */
  mix: z.strictObject({ drives: share, synthetic: share, measured: share, unlabelled: share }),
  /** Whether the photometric losses see the pose head's answers refined by direct alignment, or the answers themselves. */
  align_poses: z.boolean().default(true),
  /** Weights of loss terms by name. 0 switches a term off; one whose needs a batch does not meet is left out of that step. */
  losses: z.record(z.string(), lossWeightSchema),
});

const recipeSchema = z.strictObject({
  name: z.string().min(1),
  description: z.string(),
  paper: z.string().optional(),
  seed: z.int().default(1),
  /** Of a training step; what suits its size where it is not given (computeThreads.ts). Taken by recipeThreads.ts. */
  threads: z.int().positive().optional(),
  network: networkSchema,
  data: z.strictObject({
    /** Recordings of any layout of datasets/openRecording.ts; a bare name is looked for in the fetched sample drive. */
    drives: z.array(z.string()).default([]),
    /** Recordings with measured depth, right images, class labels or speeds, as the losses ask; the layouts are those of `drives`. */
    measured: z.array(z.string()).default([]),
    /** Of the frames with measured depth every n-th keeps it, to see how few of them do. */
    depth_every: z.int().positive().default(1),
    /** Recordings whose labels are the answers of `teacher`. */
    unlabelled: z.array(z.string()).default([]),
    /** Model file that `depthgrad export` wrote. */
    teacher: z.string().optional(),
    /** What the student's unlabelled images go through; {} is Depth Anything's, without it they stay as the teacher saw them. */
    student: z
      .strictObject({
        jitter_chance: z.number().min(0).max(1).default(strongPerturbation.jitterChance),
        blur_chance: z.number().min(0).max(1).default(strongPerturbation.blurChance),
        /** Pixels, drawn evenly. */
        blur_sigma: z.tuple([z.number().positive(), z.number().positive()]).default([...strongPerturbation.blurSigma]),
        cutmix_chance: z.number().min(0).max(1).default(strongPerturbation.cutMixChance),
      })
      .optional(),
    /** Camera file of videos, and of pictures without a calib.yaml; the other layouts bring their own calibration. */
    camera: z.string().default('config/cameras/udacity.yaml'),
    /** Distances in frames between the target and its sources, drawn evenly. */
    strides: z.array(z.int().positive()).default([1]),
    /** Frames whose motion score to the next is below this are static and left out. */
    min_motion: z.number().nonnegative().default(0),
    /** Motion that must lie between target and source: each target takes the smallest stride that reaches it. 0: all strides. */
    stride_motion: z.number().nonnegative().default(0),
    /** Smallest share of the frame's width and height a random crop keeps. */
    min_crop: z.tuple([z.number().positive().max(1), z.number().positive().max(1)]).default([0.85, 0.6]),
    synthetic_samples: z.int().positive().default(3000),
    /** Different frames that may turn out unreadable; each is named and another is drawn. One more ends the run. */
    max_corrupt_frames: z.int().nonnegative().default(20),
  }),
  optimizer: z
    .strictObject({
      clip_norm: z.number().positive().default(5),
      ema_decay: z.number().min(0).max(1).default(0.998),
      /** L2 on kernels: this times the weight joins the gradient. */
      weight_decay: z.number().nonnegative().default(0),
      /** A loss this many times the level its stage started at (at least 1) has exploded and ends the run. */
      explosion_factor: z.number().gt(1).default(100),
    })
    .prefault({}),
  /** The averaged weights on data kept out of training, by which the best checkpoint is chosen. */
  validation: z
    .strictObject({
      /** Steps between two validations; the run's last step is one too. 0 switches validation off. */
      every: z.int().nonnegative().default(400),
      /** Samples looked at, the same ones every time. */
      samples: z.int().positive().default(16),
      /** Share of every drive's training part, at its end, that is kept out for it. */
      share: z.number().min(0).max(0.5).default(0.1),
      /** The figure that decides, lower is better: a loss term, "term/figure" or "loss". By default the first of FIGURES the losses have. */
      figure: z.string().optional(),
    })
    .prefault({}),
  stages: z.array(stageSchema).min(1),
  checkpoint_every: z.int().positive().default(200),
  log_every: z.int().positive().default(20),
  images_every: z.int().positive().default(200),
});

export type Recipe = z.infer<typeof recipeSchema>;
export type Stage = z.infer<typeof stageSchema>;
/** What stands beside a loss term's name in a stage. */
export type LossWeight = z.infer<typeof lossWeightSchema>;

/** Lists of recordings that the command line can give in place of the recipe's. */
export const RECORDING_LISTS = ['drives', 'measured', 'unlabelled'] as const;

/** What the command line gives in place of the recipe's `data`. */
export type GivenData = Partial<Record<(typeof RECORDING_LISTS)[number], readonly string[]>> & { teacher?: string };

/**
 * @param given recordings to train on, and the teacher, in place of the recipe's
 * @throws Error naming the file and the field that is wrong
 */
export function readRecipe(path: string, given: GivenData = {}): Recipe {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read the recipe ${path}: ${(error as Error).message}`);
  }
  let content: unknown;
  try {
    content = parse(withData(text, given));
  } catch (error) {
    throw new Error(`recipe ${path} is not YAML: ${(error as Error).message}`, { cause: error });
  }
  const result = recipeSchema.safeParse(content);
  if (!result.success) throw new Error(`recipe ${path} is not valid:\n${z.prettifyError(result.error)}`);
  for (const stage of result.data.stages) checkStage(path, stage, result.data.data);
  return result.data;
}

/** What fits the schema and still cannot be trained. */
function checkStage(path: string, { name: stage, steps, losses, mix }: Stage, data: Recipe['data']): void {
  const where = `recipe ${path}, stage "${stage}"`;
  for (const [name, weight] of Object.entries(losses)) {
    if (!lossTerms.has(name))
      throw new Error(`${where}: no loss "${name}"; there are ${[...lossTerms.keys()].join(', ')}`);
    if (typeof weight === 'number') continue;
    const { from, to, start, end = steps - 1 } = weight;
    if (from === to) throw new Error(`${where}: losses.${name} goes from ${from} to ${to}; write ${name}: ${from}`);
    if (start >= end || end > steps)
      throw new Error(
        `${where}: losses.${name} moves from step ${start} to step ${end}; start must come before end, and end no later than the stage's ${steps} steps`,
      );
  }
  if (Object.values(losses).every((weight) => weight === 0))
    throw new Error(`${where}: losses must give at least one term a weight above 0`);
  if (Object.values(mix).every((part) => part === 0))
    throw new Error(`${where}: mix must give ${Object.keys(mix).join(', ')} or several of them a share above 0`);
  for (const list of RECORDING_LISTS) {
    if (mix[list] > 0 && data[list].length === 0)
      throw new Error(`${where}: mix asks for ${list} but data.${list} is empty`);
  }
  if (mix.unlabelled > 0 && data.teacher === undefined)
    throw new Error(`${where}: mix asks for unlabelled but data.teacher names no model file`);
}

/** A recipe's text, comments included, with this data in place of its own: what the run folder keeps. */
export function withData(text: string, given: GivenData): string {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return text;
  const document = parseDocument(text);
  for (const [field, value] of entries) document.setIn(['data', field], typeof value === 'string' ? value : [...value]);
  return document.toString({ lineWidth: 0 });
}
